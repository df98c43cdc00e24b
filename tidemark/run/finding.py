"""The process of a service that runs already: by its port, command, PID file, unit or container.

What is looked for is the root of a service: of a process that matches and descends from another
one that does, the other. Where several remain, nobody can say which is meant, and all are named.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tidemark.record.errors import TidemarkError
from tidemark.run.listening import holders_of, holders_of_port
from tidemark.run.options import RunOptions
from tidemark.sampler import procfs
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.listeners import commands_like, parents_of_all, roots_of, shown_process

MOST_NAMED = 5
"""So many processes an error names."""
UNIT_SUFFIXES = (".service", ".scope")
LEAST_CONTAINER_ID = 12
"""Characters of a container's id: what its tools show of it."""


CLUES = ("target_pid", "target_command", "target_unit", "target_container", "pid_file")
"""The options that say which process of somebody else is to be watched."""


@dataclass(frozen=True, slots=True)
class Clue:
    """One way to say which process is meant.

    Attributes:
        option: The option that says it, for messages.
        find: All processes that match.
    """

    option: str
    find: Callable[[], Iterable[int]]

    def process(self) -> int:
        """The one process that is meant.

        Raises:
            TidemarkError: There is none, or there are several; one line.
        """
        parents = parents_of_all()
        roots = roots_of(self.find(), parents)
        if not roots:
            raise TidemarkError(f"{self.option}: no process matches; is the service running?")
        if len(roots) > 1:
            shown = "; ".join(shown_process(pid) for pid in sorted(roots)[:MOST_NAMED])
            more = f" and {len(roots) - MOST_NAMED} more" if len(roots) > MOST_NAMED else ""
            raise TidemarkError(
                f"{self.option}: {len(roots)} processes match: {shown}{more}: "
                "name one of them with --target-pid"
            )
        return roots.pop()


def watched_process(options: RunOptions, host: str) -> int:
    """The process to watch: the one that options name, else the one that listens at the host.

    Raises:
        TidemarkError: it is not there, or cannot be told from others; one line.
    """
    return options.target_pid or clue(options, host).process()


def clue(options: RunOptions, host: str) -> Clue:
    """What tells the process to watch, now and after a restart: at least who listens there."""
    if options.target_port:
        return by_port(options.target_port)
    if options.target_command:
        return by_command(options.target_command)
    if options.target_unit:
        return by_unit(options.target_unit)
    if options.target_container:
        return by_container(options.target_container)
    if options.pid_file:
        return by_pid_file(Path(options.pid_file))
    return by_url(host)


def by_url(url: str) -> Clue:
    """Who listens where a URL of this machine leads to."""
    return Clue("--host", lambda: holders_of(url))


def by_port(port: int) -> Clue:
    """Who listens on a TCP port, on whichever address."""
    return Clue(f"--target-port {port}", lambda: holders_of_port(port))


def by_command(pattern: str) -> Clue:
    """Whose command line a regular expression matches somewhere; Tidemark itself excepted.

    Raises:
        TidemarkError: It is no regular expression.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise TidemarkError(f"--target-command: no regular expression ({error})") from error
    return Clue(f"--target-command {pattern!r}", lambda: commands_like(wanted))


def by_pid_file(path: Path) -> Clue:
    """The process whose id stands in a file."""
    return Clue(f"--pid-file {path}", lambda: [_read_pid(path)])


def _read_pid(path: Path) -> int:
    try:
        text = path.read_text(errors="replace").strip()
    except OSError as error:
        raise TidemarkError(f"--pid-file: cannot read {path} ({error.strerror})") from error
    if not (text.isdecimal() and text.isascii()) or int(text) not in procfs.list_pids():
        what = f"process {text[:20]} is not there" if text.isdecimal() else "it holds no process id"
        raise TidemarkError(f"--pid-file {path}: {what}; is the service running?")
    return int(text)


def by_unit(name: str) -> Clue:
    """All processes of a systemd unit, `ingest` or `ingest.service`, told from their cgroups."""
    names = {name, *(name + suffix for suffix in UNIT_SUFFIXES)}
    return Clue(f"--target-unit {name}", lambda: _in_cgroup(lambda part: part in names))


def by_container(identifier: str) -> Clue:
    """All processes of a container, told from their cgroups by its id or how that begins.

    Raises:
        TidemarkError: It is no id.
    """
    if not re.fullmatch(rf"[0-9a-f]{{{LEAST_CONTAINER_ID},64}}", identifier):
        raise TidemarkError(
            f"--target-container {identifier}: must be the id of a container, its first "
            f"{LEAST_CONTAINER_ID} hexadecimal digits at least: docker ps, podman ps or crictl ps "
            "shows them"
        )
    pattern = re.compile(rf"(?:^|-){identifier}[0-9a-f]*(?:\.scope)?$")
    return Clue(
        f"--target-container {identifier}",
        lambda: _in_cgroup(lambda part: bool(pattern.search(part))),
    )


def _in_cgroup(is_wanted: Callable[[str], bool]) -> Iterable[int]:
    """The processes of which a part of the path of a cgroup is wanted.

    Source: cgroups(7), /proc/PID/cgroup: one `hierarchy:controllers:path` a line.
    """
    for pid in procfs.list_pids():
        try:
            lines = procfs.read_text(pid, "cgroup").splitlines()
        except SamplerError:
            continue  # it has ended, or is hidden
        paths = (line.split(":", 2)[-1] for line in lines)
        if any(is_wanted(part) for path in paths for part in path.split("/")):
            yield pid
