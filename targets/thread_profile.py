"""What the threads of this process are doing: the counterpart of Go's goroutine profile.

Threads of the same name in the same stack form a group, the largest group first:

    thread profile: total 538
    130 @ kafka-metadata
    #	_bootstrap                       /usr/lib/python3.11/threading.py:1002
    #	...
    130 @ rdk:main (native)

Threads that do not run Python have no stack to show, and are grouped by name alone.
"""

import os
import sys
import threading
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType


@dataclass(frozen=True)
class Frame:
    """One call of a stack."""

    function: str
    file: str
    line: int


@dataclass(frozen=True)
class ThreadGroup:
    """Threads that do the same.

    Attributes:
        name: What the kernel calls them.
        native: Whether they run no Python.
        stack: Their calls, innermost first as in Go's profile; empty if native.
        count: How many of them there are.
    """

    name: str
    native: bool
    stack: tuple[Frame, ...]
    count: int


@dataclass(frozen=True)
class ThreadProfile:
    """All threads of a process at one moment, in groups, the largest first."""

    groups: tuple[ThreadGroup, ...]

    @property
    def total(self) -> int:
        """The number of threads."""
        return sum(group.count for group in self.groups)

    def to_text(self) -> str:
        """Readable, in the manner of `go tool pprof`'s `debug=1` format."""
        lines = [f"thread profile: total {self.total}"]
        for group in self.groups:
            lines.append(f"{group.count} @ {group.name}{' (native)' if group.native else ''}")
            width = max((len(frame.function) for frame in group.stack), default=0)
            lines += [
                f"#\t{frame.function:<{width}}\t{frame.file}:{frame.line}" for frame in group.stack
            ]
            lines.append("")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """The same for programs."""
        return {"total": self.total, **asdict(self)}


def take_profile() -> ThreadProfile:
    """Profile the calling process.

    Where the native threads cannot be listed (no descriptor left, or no procfs), the
    profile holds the Python threads alone, under the names that Python knows.
    """
    frames = sys._current_frames()
    known = {thread.ident: thread for thread in threading.enumerate()}
    names = read_thread_names()
    groups: Counter[tuple[str, bool, tuple[Frame, ...]]] = Counter()
    for ident, frame in frames.items():
        thread = known.get(ident)
        # Python 3.11 still has the parent's id for a forked main thread.
        is_main = thread is threading.main_thread()
        native_id = os.getpid() if is_main else getattr(thread, "native_id", None)
        name = names.pop(native_id, thread.name if thread else "unknown")
        groups[(name, False, _walk(frame))] += 1
    groups.update((name, True, ()) for name in names.values())
    ordered = sorted(groups.items(), key=lambda item: (-item[1], item[0][1], item[0][0]))
    return ThreadProfile(tuple(ThreadGroup(*group, count) for group, count in ordered))


def read_thread_names(task_directory: Path = Path("/proc/self/task")) -> dict[int | None, str]:
    """The kernel's name of every thread, by thread id.

    Threads that end meanwhile are left out. Empty if the directory cannot be listed.
    Source: proc(5), `/proc/[pid]/task/[tid]/comm`.
    """
    names: dict[int | None, str] = {}
    try:
        thread_ids = os.listdir(task_directory)  # noqa: PTH208 - one descriptor, names only
    except OSError:
        return {}
    for thread_id in thread_ids:
        try:
            comm = (task_directory / thread_id / "comm").read_bytes()
        except OSError:
            continue
        names[int(thread_id)] = comm.removesuffix(b"\n").decode(errors="replace")
    return names


def _walk(frame: FrameType | None) -> tuple[Frame, ...]:
    stack = []
    while frame is not None:
        code = frame.f_code
        stack.append(Frame(code.co_qualname, code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(stack)
