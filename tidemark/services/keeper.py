"""Keeps a service: a process between us and it, so that all of it ends when we do.

`python -m tidemark.services.keeper` reads one line of JSON from standard input: `arguments`,
`directory`, `environment` (variables beside its own) and `fds_limit`. It starts that command with
its output on standard error, announces `{"pid": N}` on standard output, and ends as the command
does.

A service may be a script that starts others, and the kernel kills only the first of them along
with its parent (PR_SET_PDEATHSIG). The keeper lives on until all of them have ended: it sees
the end of its parent as the end of its standard input, and what is orphaned becomes its child
(PR_SET_CHILD_SUBREAPER). At SIGTERM the command is asked to end first, then whatever it
has left behind.
"""

import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from tidemark.record.command_line import PARENT, announce, fail
from tidemark.record.errors import ResourceLimitError, TidemarkError
from tidemark.record.process import (
    before_exec,
    limit_descriptors,
    outlive_parent,
    take_in_orphans,
)
from tidemark.sampler import procfs
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.tree import descendants

PROGRAM = "keeper"
LONGEST_ORDER = 2**20
GRACE_S = 5.0
"""How long the command has to end in order, when asked."""
REST_GRACE_S = 1.0
"""How long what it has left behind has."""
_POLL_S = 0.02
_ASKED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Keeper:
    """One command and everything that it starts.

    Args:
        command: The command, just started; nothing else may wait for it.
    """

    def __init__(self, command: subprocess.Popen[bytes]) -> None:
        self._command = command
        self.status: int | None = None

    @property
    def pid(self) -> int:
        """Process id of the command."""
        return self._command.pid

    def watch(self, asked: int) -> bool:
        """Wait until the command has ended, or has to.

        Args:
            asked: Descriptor from which signals are read, see `signal.set_wakeup_fd`.

        Returns:
            Whether there is anybody left who could wait for an end in order.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
            selector.register(asked, selectors.EVENT_READ)
            while self.status is None:
                for key, _ in selector.select():
                    received = os.read(key.fd, 4096)
                    if key.fd != asked and not received:
                        return False
                    if key.fd == asked and not set(received).isdisjoint(_ASKED):
                        return True
                self.reap()
        return True

    def reap(self) -> None:
        """Let go of those that have ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self.pid:
                self.status = status

    def end(self, *, in_order: bool) -> None:
        """End what is still there, the command first."""
        if in_order and self.status is None:
            _send({self.pid}, signal.SIGTERM, signal.SIGCONT)
            self._wait_until(lambda: self.status is not None, GRACE_S)
        if in_order and (rest := _family()):
            _send(rest, signal.SIGTERM, signal.SIGCONT)
            self._wait_until(lambda: not _family(), REST_GRACE_S)
        while rest := _family():
            _send(rest, signal.SIGKILL)
            self._wait_until(lambda: not _family(), _POLL_S)

    def _wait_until(self, holds: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while True:
            self.reap()
            if holds() or time.monotonic() > deadline:
                return
            time.sleep(_POLL_S)


def _family() -> set[int]:
    """Everything below this process that lives."""
    parents = {}
    for pid in procfs.list_pids():
        try:
            stat = procfs.read_stat(pid)
        except SamplerError:
            continue  # it has ended meanwhile
        if not stat.is_dead:
            parents[pid] = stat.parent_pid
    return descendants(parents, {os.getpid()}) - {os.getpid()}


def _send(pids: set[int], *signals: signal.Signals) -> None:
    for pid in pids:
        for number in signals:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                break


def _own_environment() -> dict[str, str]:
    """Ours, without what is between us and who started us."""
    return {name: value for name, value in os.environ.items() if name != PARENT}


def _start(order: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    limit = order["fds_limit"]
    bound = before_exec()

    def prepare() -> None:
        bound()
        if limit is not None:
            limit_descriptors(limit)

    program = str(order["arguments"][0])
    try:
        return subprocess.Popen(
            order["arguments"],
            cwd=order["directory"],
            env={**_own_environment(), **order["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            stderr=sys.stderr.fileno(),
            preexec_fn=prepare,  # noqa: PLW1509 - a few system calls
        )
    except subprocess.SubprocessError as error:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise ResourceLimitError(
            f"a limit of {limit} descriptors is not allowed here: "
            f"the hard limit is {hard}; ask for less or raise it (ulimit -Hn)",
            about=["fds_limit"],
        ) from error
    except OSError as error:
        if not os.path.isdir(order["directory"]):  # noqa: PTH112 - it is a text
            raise TidemarkError(f"there is no directory {order['directory']}") from error
        raise TidemarkError(f"cannot run {program}: {error.strerror}") from error
    except ValueError as error:
        raise TidemarkError(f"cannot run {program!r}: {error}") from error


def _leave(status: int) -> None:
    """End as the command did."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-code})
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def main() -> None:
    """Do what standard input says, and leave as the command does."""
    outlive_parent()
    take_in_orphans()
    asked, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in (*_ASKED, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    line = sys.stdin.buffer.readline(LONGEST_ORDER)
    if not line.endswith(b"\n"):
        return  # who started us is gone
    try:
        keeper = Keeper(_start(json.loads(line)))
    except TidemarkError as error:
        fail(PROGRAM, error)
    announce(pid=keeper.pid)
    keeper.end(in_order=keeper.watch(asked))
    if keeper.status is not None:
        _leave(keeper.status)


if __name__ == "__main__":
    main()
