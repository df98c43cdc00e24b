"""The process of a service that runs already: by its port, command, PID file, unit or container.

What is looked for is the root of a service: of a process that matches and descends from another
one that does, the other. Where several remain, nobody can say which is meant, and all are named.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tidemark.record.errors import TidemarkError
from tidemark.record.roots import Root, named
from tidemark.run.listening import holders_of, holders_of_port
from tidemark.run.options import RunOptions
from tidemark.sampler import procfs
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.listeners import commands_like, parents_of_all, roots_of, shown_process
from tidemark.sampler.root import fingerprint

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

    @property
    def name(self) -> str:
        """The option's name, of which `option` is the flag, and maybe the value."""
        return self.option.partition(" ")[0].removeprefix("--").replace("-", "_")

    def processes(self) -> list[int]:
        """All that are meant, and descend from no other one; in the order of their ids.

        Raises:
            TidemarkError: There is none; one line.
        """
        roots = roots_of(self.find(), parents_of_all())
        if not roots:
            raise TidemarkError(
                f"{self.option}: no process matches; is the service running?", about=[self.name]
            )
        return sorted(roots)

    def process(self) -> int:
        """The one process that is meant.

        Raises:
            TidemarkError: There is none, or there are several; one line.
        """
        roots = self.processes()
        if len(roots) > 1:
            shown = "; ".join(shown_process(pid) for pid in roots[:MOST_NAMED])
            more = f" and {len(roots) - MOST_NAMED} more" if len(roots) > MOST_NAMED else ""
            raise TidemarkError(
                f"{self.option}: {len(roots)} processes match: {shown}{more}: "
                "name one of them with --target-pid, or watch each with --all-targets",
                about=["target_pid", "all_targets"],
            )
        return roots[0]


@dataclass(frozen=True, slots=True)
class Watched:
    """A process of somebody else's that is a target of the run.

    Attributes:
        target: The target's id.
        pid: Its process id.
        clue: What tells the process that takes its place.
        is_only: Whether there is but one such process: where several match, none is meant.
    """

    target: str
    pid: int
    clue: Clue
    is_only: bool = True

    def successors(self) -> list[int]:
        """What may have taken its place: all that match now; none where that cannot be told."""
        try:
            return [self.clue.process()] if self.is_only else self.clue.processes()
        except TidemarkError:
            return []  # not yet


def watched_processes(options: RunOptions, host: str) -> tuple[Watched, ...]:
    """The processes to watch: those that options name, else the one that listens at the host.

    Raises:
        TidemarkError: one is not there, or cannot be told from others; one line.
    """
    found = _named(options, host) if options.target_pid else _found(options, host)
    try:
        roots = named([root for root, _ in found])
    except ValueError as error:
        raise TidemarkError(f"--target-pid: {error}", about=["target_pid"]) from error
    are_alike = options.all_targets or len(options.target_pid) > 1
    return tuple(
        Watched(root.target, root.pid, its_clue, is_only=not are_alike)
        for root, (_, its_clue) in zip(roots, found, strict=True)
    )


def _named(options: RunOptions, host: str) -> list[tuple[Root, Clue]]:
    roots = options.target_pid
    if len(roots) == 1:
        return [(roots[0], clue(options, host))]
    parents = parents_of_all()
    apart = roots_of((root.pid for root in roots), parents)
    for root in roots:
        if root.pid not in apart:
            raise TidemarkError(
                f"--target-pid: process {root.pid} descends from another one of them, with which "
                "it is watched: leave it out",
                about=["target_pid"],
            )
    return [(root, by_likeness(root.pid)) for root in roots]


def _found(options: RunOptions, host: str) -> list[tuple[Root, Clue]]:
    ports = options.target_port
    clues = [by_port(port) for port in ports] if ports else [clue(options, host)]
    found: dict[int, Clue] = {}
    for one in clues:
        for pid in one.processes() if options.all_targets else [one.process()]:
            found.setdefault(pid, one)
    return [(Root(pid), one) for pid, one in found.items()]


def clue(options: RunOptions, host: str) -> Clue:
    """What tells the process to watch, now and after a restart: at least who listens there."""
    if options.target_port:
        return by_port(options.port)
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


def by_likeness(pid: int) -> Clue:
    """What is like a process that is there now: its command line, user and working directory."""
    wanted = fingerprint(pid)

    def find() -> Iterable[int]:
        alike = (other for other in procfs.list_pids() if fingerprint(other) == wanted)
        return alike if wanted else ()

    return Clue("--target-pid", find)


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
