"""Child processes that end with their parent, however it ends.

A child starts in a session of its own, so that Ctrl-C in the terminal reaches only the parent,
which then stops its children in order. Should the parent be killed with SIGKILL, the kernel
kills the child.
"""

import contextlib
import itertools
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

from tidemark.record.command_line import ABOUT, PARENT
from tidemark.record.files import explained, open_appending
from tidemark.record.process import before_exec, signal_name
from tidemark.run.errors import ChildError

POLL_S = 0.02
_LEAST_ROOM_BYTES = 8_192
MAX_ANSWER_BYTES = 65_536
COMPLAINT_PREFIX = re.compile(r"^(tidemark|sampler|[\w .-]+: error|Error): ")


class Nursery:
    """The child processes of this process, which can all be ended at once."""

    def __init__(self) -> None:
        self._born: WeakSet[subprocess.Popen[bytes]] = WeakSet()
        self.is_closed = False

    def start(self, arguments: Sequence[str], **given: Any) -> subprocess.Popen[bytes]:
        """Start a process that ends with this one.

        Raises:
            ChildError: no more are started.
        """
        if self.is_closed:
            raise ChildError("interrupted")
        process = subprocess.Popen(
            arguments,
            preexec_fn=before_exec(),  # noqa: PLW1509 - two system calls
            **given,
        )
        self._born.add(process)
        return process

    def close(self) -> None:
        """Kill every child and what it has started, without waiting; no other is started."""
        self.is_closed = True
        for process in self._born:
            if process.returncode is None:  # not waited for: the pid is still its own
                for kill in (os.killpg, os.kill):  # not each of them leads a group
                    with contextlib.suppress(ProcessLookupError):
                        kill(process.pid, signal.SIGKILL)


NURSERY = Nursery()


class Child:
    """A child process whose first line on standard output says, as JSON, that it is ready.

    Args:
        name: what messages call it ("target").
        arguments: the command line; started without a shell.
        log: file that standard error is appended to.
        environment: its environment variables; the parent's by default.
        listens: whether it takes commands, see `ask`.
        held: descriptors of ours that it holds for as long as it lives.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        listens: bool = False,
        held: Sequence[int] = (),
    ) -> None:
        self.name = name
        self.log = log
        self._stdout_read = 0
        self._questions = itertools.count(1)
        # A file, not a pipe: nothing blocks on it, whoever forgets to read.
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._log_offset = log.stat().st_size if log.exists() else 0
        own_id = str(os.getpid())
        with explained(log), open_appending(log) as stderr:
            self._process = NURSERY.start(
                arguments,
                stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
                stdout=self._stdout,
                stderr=stderr,
                start_new_session=True,
                env={**(os.environ if environment is None else environment), PARENT: own_id},
                pass_fds=held,
            )

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Exit code, negative for a signal; None while it runs."""
        return self._process.poll()

    def wait_ready(self, timeout_s: float) -> dict[str, Any]:
        """Wait for the ready line and return it.

        Raises:
            ChildError: it ended or stayed silent; the message carries its own last line, and the
                error the options that it says are concerned.
        """
        ready = self._next_line(timeout_s)
        if ready is not None and ABOUT not in ready:
            return ready
        late = f"the {self.name} was not ready within {timeout_s:g} s; see {self.log}"
        is_silent = ready is None and self.returncode is None
        self.stop()
        about = ready[ABOUT] if ready else ()
        raise ChildError(late if is_silent else self.last_words(), about=about)

    def ask(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Write one line of JSON to its standard input and return the line that it answers with.

        Each question has a number, which the answer repeats: one that comes too late is dropped,
        and not taken for the next question's.

        Raises:
            ChildError: it has ended, stayed silent, or answered with `error`.
        """
        what = json.dumps(command)
        number = next(self._questions)
        if self._process.stdin is None or self.returncode is not None:
            raise ChildError(f"the {self.name} cannot be asked {what}: {self.last_words()}")
        try:
            self._process.stdin.write(json.dumps({**command, "id": number}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:  # it is ending at this very moment
            raise ChildError(f"the {self.name} cannot be asked {what}: {error}") from error
        deadline = time.monotonic() + timeout_s
        while answer := self._next_line(deadline - time.monotonic()):
            if answer.pop("id", None) == number:
                break
        if answer is None:
            raise ChildError(f"the {self.name} did not answer {what} within {timeout_s:g} s")
        if "error" in answer:
            raise ChildError(f"the {self.name} cannot do {what}: {answer['error']}")
        return answer

    def _next_line(self, timeout_s: float) -> dict[str, Any] | None:
        """The next line of its standard output; None when it ended or stayed silent."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            ended = self.returncode is not None  # asked first: its last line must not be missed
            unread = os.pread(self._stdout.fileno(), MAX_ANSWER_BYTES, self._stdout_read)
            line, newline, _ = unread.partition(b"\n")
            if newline:
                self._stdout_read += len(line) + 1
                found: dict[str, Any] = json.loads(line)
                return found
            if ended:
                return None
            time.sleep(POLL_S)
        return None

    def last_words(self) -> str:
        """The last line that it wrote to its log, or how it ended when it wrote none."""
        if told := self._last_line():
            return told
        disk = os.statvfs(self.log.parent)
        is_full = disk.f_bavail * disk.f_frsize < _LEAST_ROOM_BYTES
        why = "; No space left on device for its log: free some space" if is_full else ""
        return f"the {self.name} {self.how_it_ended()} and said nothing{why}"

    def how_it_ended(self) -> str:
        """In words, such as `was killed by SIGKILL`; it must have ended."""
        name = signal_name(self.returncode)
        return f"was killed by {name}" if name else f"exited with code {self.returncode}"

    def obituary(self, after_s: float) -> str:
        """The sentence that says how it ended by itself, so many seconds after the run began.

        What it said last is quoted only where it left of its own will: a process that was killed
        had something else on its mind.
        """
        told = f"the {self.name} {self.how_it_ended()} after {after_s:.0f} s"
        line = None if signal_name(self.returncode) else self._last_line()
        return f"{told}: {line}" if line else told

    def _last_line(self) -> str:
        with self.log.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(self._log_offset, size - MAX_ANSWER_BYTES))
            lines = log.read().decode(errors="replace").strip().splitlines()
        return self._telling(lines) if lines else ""

    def _telling(self, lines: Sequence[str]) -> str:
        """What the lines of its log say of how it ended."""
        return COMPLAINT_PREFIX.sub("", lines[-1])

    def stop(self, signum: int = signal.SIGTERM, timeout_s: float = 8.0) -> int:
        """End it and its process group: `signum` first, SIGKILL after `timeout_s`.

        Safe to call again. Returns the exit code.
        """
        self._process.send_signal(signum)  # does nothing if it has ended
        self._process.send_signal(signal.SIGCONT)  # one that was stopped ends in order too
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
        with contextlib.suppress(ProcessLookupError):
            # Grandchildren share the group; a leader that is gone leaves the group to them.
            os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._stdout.close()
        return code


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line that runs `module` with this very interpreter."""
    return [sys.executable, "-m", module, *arguments]


def say(line: str) -> None:
    """Write one line for the user to standard error, marked as ours."""
    with contextlib.suppress(OSError):  # the terminal has been closed, and the run is still to end
        sys.stderr.write(f"tidemark: {line}\n")


def run_to_terminal(module: str, *arguments: str) -> int:
    """Run a Python module that writes to our own terminal; return its exit code."""
    return NURSERY.start(python_module(module, *arguments), stdin=subprocess.DEVNULL).wait()
