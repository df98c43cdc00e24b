"""Child processes that end with their parent, however it ends.

A child starts in a session of its own, so that Ctrl-C in the terminal reaches only the parent,
which then stops its children in order. Should the parent be killed with SIGKILL, the kernel
kills the child.
"""

import contextlib
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

from tidemark.record.files import explained, open_appending
from tidemark.record.process import before_exec
from tidemark.run.errors import ChildError

POLL_S = 0.02
MAX_ANSWER_BYTES = 65_536
COMPLAINT_PREFIX = re.compile(r"^(tidemark|sampler|[\w .-]+: error|Error): ")


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
        self._stdout_read = 0
        # A file, not a pipe: nothing blocks on it, whoever forgets to read.
        self._stdout = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the child
        self._log_offset = log.stat().st_size if log.exists() else 0
        with explained(log), open_appending(log) as stderr:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE if listens else subprocess.DEVNULL,
                stdout=self._stdout,
                stderr=stderr,
                start_new_session=True,
                preexec_fn=before_exec(),  # noqa: PLW1509 - two system calls
                env=environment,
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
        ready = self._next_line(timeout_s)
        if ready is not None:
            return ready
        late = f"the {self.name} was not ready within {timeout_s:g} s; see {self.log}"
        is_silent = self.returncode is None
        self.stop()
        raise ChildError(late if is_silent else self.last_words())

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
        answer = self._next_line(timeout_s)
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
        with self.log.open("rb") as log:
            log.seek(self._log_offset)
            lines = log.read().decode(errors="replace").strip().splitlines()
        if lines:
            return COMPLAINT_PREFIX.sub("", lines[-1])
        return f"the {self.name} ended with code {self.returncode} and said nothing"

    def stop(self, signum: int = signal.SIGTERM, timeout_s: float = 8.0) -> int:
        """End it and its process group: `signum` first, SIGKILL after `timeout_s`.

        Safe to call again. Returns the exit code.
        """
        self._process.send_signal(signum)  # does nothing if it has ended
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout_s)
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


def say(line: str) -> None:
    """Write one line for the user to standard error, marked as ours."""
    sys.stderr.write(f"tidemark: {line}\n")


def run_to_terminal(module: str, *arguments: str) -> int:
    """Run a Python module that writes to our own terminal; return its exit code."""
    return subprocess.call(
        python_module(module, *arguments), stdin=subprocess.DEVNULL, preexec_fn=before_exec()
    )
