"""What is asked of the operating system for a process: its end, its name, its descriptors.

Sources: prctl(2), getrlimit(2), proc(5).
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tidemark.record.errors import ResourceLimitError

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
# Looked up once, here: between fork and exec a child must not take the loader's locks.
_LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent(parent_pid: int) -> None:
    """End this process as soon as its parent does, even if that is killed with SIGKILL.

    The kernel sees to it (PR_SET_PDEATHSIG; it fires when the *thread* that forked this
    process ends). Must be called by the process itself, and again after a fork: the setting
    is not inherited, but it survives an exec.

    Args:
        parent_pid: Who the parent is supposed to be. If it is somebody else by now, the
            parent died before this call, and the process ends here.
    """
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL))
    if os.getppid() != parent_pid:
        os._exit(1)


def outlive_parent() -> None:
    """Undo `die_with_parent`: this process sees to its end itself."""
    _prctl(_PR_SET_PDEATHSIG, ctypes.c_ulong(0))


def take_in_orphans() -> None:
    """Become the parent of everything below this process whose own parent ends before it."""
    _prctl(_PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1))


def before_exec() -> Callable[[], None]:
    """What a child of this process runs between fork and exec so that it ends with its parent."""
    return partial(die_with_parent, os.getpid())


def bound_to_this_process(command: list[str]) -> list[str]:
    """The command that does the same as `command`, and ends when this process does.

    For a parent with threads, in which little is safe between fork and exec: an interpreter
    of its own asks for the end and then becomes the command. It must be started from a thread
    that lives as long as the process.
    """
    return [sys.executable, "-m", "tidemark.record.process", str(os.getpid()), *command]


def signal_name(code: int | None) -> str | None:
    """The name of the signal that an exit code stands for ("SIGKILL"); None if it was none."""
    if code is None or code >= 0:
        return None
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


def name_current_thread(name: str) -> None:
    """Give the calling thread a name that the kernel and its tools show.

    Args:
        name: At most 15 bytes; the kernel cuts off the rest.
    """
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def count_open_descriptors() -> int:
    """The number of file descriptors that this process has open."""
    return len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - one is the listing's own


def limit_descriptors(limit: int) -> None:
    """Set RLIMIT_NOFILE, soft and hard, for this process and its children.

    Both, because a soft limit alone is only a suggestion: a process may raise it to the
    hard one at any time, and some runtimes (Go's since 1.19) do so without being asked.

    Args:
        limit: The most descriptors that may be open at once.

    Raises:
        ResourceLimitError: The limit is above the hard limit, and may not be raised.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    except (ValueError, OSError) as error:
        raise ResourceLimitError(
            f"a limit of {limit} descriptors is not allowed here ({error}): "
            f"the hard limit is {hard}; ask for less or raise it (ulimit -Hn)",
            about=["fds_limit"],
        ) from error


def raise_descriptor_limit() -> int:
    """Raise RLIMIT_NOFILE as far as this process may, and return the new soft limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (_kernel_maximum(), hard):
        if limit is None:
            continue
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, hard)))
        except (ValueError, OSError):
            continue  # only root may go beyond the hard limit
        break
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _kernel_maximum() -> int | None:
    """The most that a hard limit can be (fs.nr_open), or None if it cannot be read."""
    try:
        return int(Path("/proc/sys/fs/nr_open").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _prctl(option: int, argument: ctypes.c_char_p | ctypes.c_ulong) -> None:
    if _LIBC.prctl(option, argument, 0, 0, 0) != 0:
        errno = ctypes.get_errno()
        raise OSError(errno, f"prctl({option}): {os.strerror(errno)}")


def main() -> None:
    """Become a command that ends with its parent: `PARENT_PID COMMAND...`."""
    parent_pid, *command = sys.argv[1:]
    die_with_parent(int(parent_pid))
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
