"""The process to watch: the root of what listens on a port, or of what was started so."""

import os
import re
import time
from collections.abc import Callable, Iterable

from tidemark.agent.errors import AbsentError, AgentError
from tidemark.sampler import procfs
from tidemark.sampler.listeners import (
    commands_like,
    holders_of_sockets,
    listeners_on,
    parents_of_all,
    roots_of,
    shown_process,
)

_MOST_NAMED = 5
_PAUSE_S = 0.5


def awaited(find: Callable[[], int], wait_s: float) -> int:
    """What is found, once it is there.

    Args:
        find: Looks for it.
        wait_s: How long to wait for it.

    Raises:
        AgentError: It is not there by then, or cannot be told.
    """
    deadline_s = time.monotonic() + wait_s
    while True:
        try:
            return find()
        except AbsentError:
            if time.monotonic() >= deadline_s:
                raise
        time.sleep(_PAUSE_S)


def by_port(port: int) -> int:
    """The root of the processes that listen on a TCP port here.

    Raises:
        AgentError: Nobody does, or it is not known who; one line.
    """
    inodes = {
        listener.inode
        for table in ("net/tcp", "net/tcp6")
        for listener in listeners_on(procfs.read_file(os.getpid(), table).splitlines(), port)
    }
    if not inodes:
        raise AbsentError(f"--port-of: nobody listens on port {port} here; start the service first")
    found = holders_of_sockets(inodes, procfs.list_pids())
    if not found:
        raise AgentError(
            f"--port-of: which process listens on port {port} cannot be seen: run in its PID "
            "namespace, as its user and group, or as root (in a container with SYS_PTRACE and "
            "DAC_READ_SEARCH), or name it with --pid"
        )
    return _only(f"--port-of {port}", found)


def by_command(pattern: str) -> int:
    """The root of the processes whose command line a regular expression matches somewhere.

    Raises:
        AgentError: There is none, or several; one line.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise AgentError(f"--command: no regular expression ({error})") from error
    return _only(f"--command {pattern!r}", commands_like(wanted))


def _only(option: str, found: Iterable[int]) -> int:
    roots = sorted(roots_of(found, parents_of_all()))
    if not roots:
        raise AbsentError(f"{option}: no process matches; is the service running?")
    if len(roots) > 1:
        shown = "; ".join(map(shown_process, roots[:_MOST_NAMED]))
        more = f" and {len(roots) - _MOST_NAMED} more" if len(roots) > _MOST_NAMED else ""
        raise AgentError(
            f"{option}: {len(roots)} processes match: {shown}{more}: name one of them with --pid"
        )
    return roots[0]
