"""Child processes that end with their parent, however it ends.

A child starts in a session of its own, so that Ctrl-C in the terminal reaches only the parent,
which then stops its children in order. Should the parent be killed with SIGKILL, the kernel
kills the child: prctl(2), PR_SET_PDEATHSIG. Off Linux there is no such call, and only an orderly
end of the parent ends the children.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from tidemark.errors import ChildError

PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
POLL_S = 0.02
COMPLAINT_PREFIX = re.compile(r"^(tidemark|sampler|[\w .-]+: error|Error): ")


def _death_signal_setter() -> Callable[[], None] | None:
    """Return what a child runs between fork and exec so that it ends with its parent."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork: the child must not take locks
    parent = os.getpid()

    def end_with_parent() -> None:
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call: no signal will come
            os._exit(1)

    return end_with_parent


class Child:
    """A child process whose first line on standard output says, as JSON, that it is ready.

    Args:
        name: what messages call it ("target").
        arguments: the command line; started without a shell.
        log: file that standard error is appended to.
        environment: its environment variables; the parent's by default.
        listens: whether it takes commands, see `ask`.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        *,
        listens: bool = False,
    ) -> None:
        self.name = name
        self.log = log
        self._answers_read = 1  # the ready line
        # A file, not a pipe: nothing blocks on it, whoever forgets to read.
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._log_offset = log.stat().st_size if log.exists() else 0
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                list(arguments),
                stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
                stdout=self._stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=_death_signal_setter(),  # noqa: PLW1509 - one system call, see above
                env=None if environment is None else dict(environment),
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
            ChildError: it ended or stayed silent; the message carries its own last line.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            first_line, newline, _ = self._read_stdout().partition(b"\n")
            if newline:
                ready: dict[str, Any] = json.loads(first_line)
                return ready
            if self.returncode is not None:
                self.stop()
                raise ChildError(self.last_words())
            time.sleep(POLL_S)
        self.stop()
        raise ChildError(f"the {self.name} was not ready within {timeout_s:g} s; see {self.log}")

    def ask(self, command: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
        """Write one line of JSON to its standard input and return the line that it answers with.

        Raises:
            ChildError: it has ended, stayed silent, or answered with `error`.
        """
        what = json.dumps(command)
        if self._process.stdin is None or self.returncode is not None:
            raise ChildError(f"the {self.name} cannot be asked {what}: {self.last_words()}")
        self._process.stdin.write(what.encode() + b"\n")
        self._process.stdin.flush()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.returncode is None:
            lines = self._read_stdout().split(b"\n")[:-1]
            if len(lines) > self._answers_read:
                answer: dict[str, Any] = json.loads(lines[self._answers_read])
                self._answers_read += 1
                if "error" in answer:
                    raise ChildError(f"the {self.name} cannot do {what}: {answer['error']}")
                return answer
            time.sleep(POLL_S)
        raise ChildError(f"the {self.name} did not answer {what} within {timeout_s:g} s")

    def _read_stdout(self) -> bytes:
        return os.pread(self._stdout.fileno(), 65536, 0)

    def last_words(self) -> str:
        """The last line that it wrote to its log, or how it ended when it wrote none."""
        with self.log.open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").strip().splitlines()
        if lines:
            return COMPLAINT_PREFIX.sub("", lines[-1])
        return f"the {self.name} ended with code {self.returncode} and said nothing"

    def wait(self, timeout_s: float) -> int | None:
        """Wait for the end and return the exit code, or None when it still runs."""
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return None

    def send_signal(self, signum: int) -> None:
        """Send a signal to the process itself, not to its children."""
        if self.returncode is None:
            self._process.send_signal(signum)

    def stop(self, signum: int = signal.SIGTERM, timeout_s: float = 8.0) -> int:
        """End it and its process group: `signum` first, SIGKILL after `timeout_s`.

        Safe to call again. Returns the exit code.
        """
        self.send_signal(signum)
        self.wait(timeout_s)
        with contextlib.suppress(ProcessLookupError):
            # Grandchildren share the group; a leader that is gone leaves the group to them.
            os.killpg(self.pid, signal.SIGKILL)
        code = self._process.wait()
        if self._process.stdin:
            self._process.stdin.close()
        self._stdout.close()
        return code


def python_module(module: str, *arguments: str) -> list[str]:
    """The command line that runs `module` with this very interpreter."""
    return [sys.executable, "-m", module, *arguments]


def say(line: str, stream: TextIO | None = None) -> None:
    """Write one line for the user to standard error, marked as ours."""
    print(f"tidemark: {line}", file=stream or sys.stderr, flush=True)


def run_to_terminal(module: str, *arguments: str) -> int:
    """Run a Python module that writes to our own terminal; return its exit code."""
    process = subprocess.Popen(
        python_module(module, *arguments),
        stdin=subprocess.DEVNULL,
        preexec_fn=_death_signal_setter(),  # noqa: PLW1509 - one system call, see above
    )
    return process.wait()
