"""Whether somebody answers at a URL, and whether that is the process that is to be watched."""

import itertools
import os
import socket
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from urllib.parse import urlsplit

from tidemark.record.errors import TidemarkError
from tidemark.run.errors import OtherListenerError
from tidemark.sampler import procfs
from tidemark.sampler.brokers import IPAddress, unmapped
from tidemark.sampler.errors import SamplerError
from tidemark.sampler.listeners import (
    Listener,
    all_listeners,
    ancestors,
    holders_of_sockets,
    is_readable,
    listeners_on,
    parents_of_all,
    shown_process,
    sockets_of,
)
from tidemark.sampler.tree import descendants, identify

CONNECT_TIMEOUT_S = 5.0
PORTS = {"http": 80, "https": 443}
FRONTS = frozenset(
    {
        "apache2",
        "caddy",
        "conmon",
        "docker-proxy",
        "envoy",
        "haproxy",
        "httpd",
        "init",
        "kubectl",
        "lighttpd",
        "nginx",
        "pasta",
        "rootlessport",
        "slirp4netns",
        "socat",
        "ssh",
        "sshd",
        "systemd",
        "systemd-socket-proxyd",
        "traefik",
        "varnishd",
    }
)
"""Programs that pass on what they take: who answers behind them cannot be seen from here."""


def who_answers(url: str) -> IPAddress:
    """Connect to the service at `url`, and give the address that took the connection.

    Raises:
        TidemarkError: nobody does; one line.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        with socket.create_connection((host, port), CONNECT_TIMEOUT_S) as connection:
            return unmapped(ip_address(connection.getpeername()[0].partition("%")[0]))
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        unnamed = isinstance(error, socket.gaierror | UnicodeError)
        advice = (
            "check the name, and who resolves it here"
            if unnamed
            else "start the service first, or name the port that it listens on"
        )
        raise TidemarkError(
            f"--host: nobody answers at {host} port {port} ({reason}): {advice}",
            about=["host"],
        ) from error


def expect_process(pid: int) -> None:
    """Make sure that there is a process `pid`.

    Raises:
        TidemarkError: there is none, or it is a thread of another one.
    """
    try:
        status = procfs.read_text(pid, "status")
        identify(pid)
    except SamplerError as error:
        raise TidemarkError(
            f"--target-pid: there is no process {pid}; check the PID", about=["target_pid"]
        ) from error
    leader = next(line.split()[1] for line in status.splitlines() if line.startswith("Tgid:"))
    if leader != str(pid):
        raise TidemarkError(
            f"--target-pid: {pid} is a thread of process {leader}: name that one",
            about=["target_pid"],
        )


def doubt_of(url: str, pid: int) -> str | None:
    """Why it cannot be known whether `pid` answers at `url`; None when it does.

    Raises:
        TidemarkError: nobody answers, there is no such process, or surely another one answers.
    """
    expect_process(pid)
    address = who_answers(url)
    parts = urlsplit(url)
    port = parts.port or PORTS[parts.scheme]
    try:
        return _doubt(address, port, pid)
    except SamplerError as error:
        return str(error)
    except OSError as error:
        return f"who listens on port {port} cannot be read ({error.strerror})"


def doubts_of(url: str, pids: Sequence[int]) -> dict[int, str]:
    """The same of several processes: of which of them that cannot be known, and why.

    Who serves the port may be what hands requests on to several; of a single one it is not
    believed.

    Raises:
        TidemarkError: nobody answers, one is not there, or surely another one than the only one
            answers.
    """
    doubts = {}
    for pid in pids:
        try:
            doubt = doubt_of(url, pid)
        except OtherListenerError as error:
            if len(pids) == 1:
                raise
            doubt = _may_pass_on(error.who, pid)
        if doubt is not None:
            doubts[pid] = doubt
    return doubts


def _may_pass_on(who: str, pid: int) -> str:
    return f"{who}, which may pass requests on to process {pid}"


def taken_by(url: str) -> str | None:
    """Who answers at `url` already, in a few words; None while nobody does."""
    parts = urlsplit(url)
    port = parts.port or PORTS[parts.scheme]
    try:
        address = who_answers(url)
    except TidemarkError:
        return None
    try:
        holders = holders_of_sockets(_listening(os.getpid(), address, port), parents_of_all())
    except (SamplerError, OSError):
        holders = []
    return shown_process(min(holders)) if holders else "somebody else"


def own_listeners(pid: int) -> set[tuple[str, int]]:
    """Where a process and everything below it listen: hosts that one can connect to, and ports."""
    try:
        family = descendants(parents_of_all(), {pid})
        inodes = set().union(*map(sockets_of, family))
        return {
            (host, port)
            for table in ("net/tcp", "net/tcp6")
            for listener, port in all_listeners(procfs.read_file(pid, table).splitlines())
            if listener.inode in inodes
            for host in _hosts_of(listener)
        }
    except SamplerError:
        return set()  # it has ended


def _hosts_of(listener: Listener) -> tuple[str, ...]:
    """What one may connect to; one of all IPv6 addresses takes IPv4 as well, or does not."""
    if listener.address is None:
        return ("127.0.0.1", "[::1]") if listener.is_ipv6 else ("127.0.0.1",)
    is_ipv6 = listener.address.version == 6
    return (f"[{listener.address}]" if is_ipv6 else str(listener.address),)


def holders_of(url: str) -> list[int]:
    """The processes that answer at `url`, as far as this one may see them.

    Raises:
        TidemarkError: nobody answers, or it is not known who; one line.
    """
    address = who_answers(url)
    parts = urlsplit(url)
    port = parts.port or PORTS[parts.scheme]
    if _namespace_of(address, os.getpid()) is None:
        raise TidemarkError(
            f"--host: {address} is not an address of this machine: say --no-target to drive it "
            "without watching a process",
            about=["no_target"],
        )
    return _seen_holding(_listening(os.getpid(), address, port), port)


def holders_of_port(port: int) -> list[int]:
    """The processes that listen on a TCP port of this machine, on whichever address.

    Raises:
        TidemarkError: nobody does, or it is not known who; one line.
    """
    found = {
        listener.inode
        for table in ("net/tcp", "net/tcp6")
        for listener in listeners_on(procfs.read_file(os.getpid(), table).splitlines(), port)
    }
    return _seen_holding(found, port)


def _seen_holding(inodes: set[int], port: int) -> list[int]:
    """The processes that hold a listening socket, which must not all be hidden or fronts."""
    if not inodes:
        raise TidemarkError(
            f"nobody listens on port {port} here: start the service first", about=["target_port"]
        )
    found = holders_of_sockets(inodes, parents_of_all())
    if not found:
        raise TidemarkError(
            f"which process listens on port {port} cannot be seen: run as its owner or root, "
            "or name it with --target-pid",
            about=["target_pid"],
        )
    front = next((pid for pid in found if _is_front(pid)), None)
    if front is not None:
        raise TidemarkError(
            f"port {port} is served by {shown_process(front)}, which may pass requests on: "
            "name the process of the service with --target-pid",
            about=["target_pid"],
        )
    return found


def _is_front(pid: int) -> bool:
    return identify(pid).name in FRONTS or procfs.read_stat(pid).name in FRONTS


def _doubt(address: IPAddress, port: int, pid: int) -> str | None:
    parents = parents_of_all()
    family = descendants(parents, {pid})
    namespace = _namespace_of(address, pid)
    if namespace is None:
        return f"{address} is not an address of this machine"
    wanted = _listening(namespace, address, port)
    if any(wanted & sockets_of(member) for member in family if is_readable(member)):
        return None
    unread = [member for member in family if not is_readable(member)]
    if unread:
        return f"the descriptors of process {unread[0]} may not be read: run as its owner or root"
    if not _shares_namespace(pid):
        return f"process {pid} is in a network namespace of its own, to which port {port} may lead"
    return _doubt_about_others(wanted, port, pid, parents)


def _doubt_about_others(
    wanted: set[int], port: int, pid: int, parents: dict[int, int]
) -> str | None:
    holders = holders_of_sockets(wanted, parents)
    if not holders:
        return f"which process listens on port {port} cannot be seen: another namespace or user"
    listener = min(holders)
    who = f"port {port} is served by {shown_process(listener)}"
    if _is_front(listener):
        return _may_pass_on(who, pid)
    if any(_are_related(pid, holder, parents) for holder in holders):
        return f"{who}, which belongs together with process {pid}"
    raise OtherListenerError(who, shown_process(pid))


def _are_related(pid: int, other: int, parents: dict[int, int]) -> bool:
    """Whether one descends from the other, or both from one program that is not above us too.

    A master hands connections to its workers; a shell in which two services were started makes
    them no one service.
    """
    ours = set(ancestors(os.getpid(), parents))
    above = ancestors(pid, parents)
    common = [one for one in ancestors(other, parents) if one in above]
    if not common or common[0] in ours:
        return bool(common) and common[0] == other
    return common[0] == other or _program(common[0]) in {_program(pid), _program(other)}


def _program(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return procfs.read_stat(pid).name


def _shares_namespace(pid: int) -> bool:
    return procfs.network_namespace(pid) == procfs.network_namespace(os.getpid())


def _namespace_of(address: IPAddress, pid: int) -> int | None:
    """The process in whose network namespace the address is local: this one, or `pid`."""
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return pid if not _shares_namespace(pid) and _is_local_to(pid, address) else None
    return os.getpid()


def _is_local_to(pid: int, address: IPAddress) -> bool:
    """Whether an address is one of those of the network namespace of a process."""
    if isinstance(address, IPv6Address):
        wanted = address.packed.hex()
        return any(
            line.split()[0].decode() == wanted
            for line in procfs.read_file(pid, "net/if_inet6").splitlines()
        )
    lines = [line.strip() for line in procfs.read_file(pid, "net/fib_trie").splitlines()]
    leaf = f"|-- {address}".encode()
    return any(line == leaf and b"host LOCAL" in after for line, after in itertools.pairwise(lines))


def _listening(namespace: int, address: IPAddress, port: int) -> set[int]:
    """The inodes of the sockets that take what goes to an address: the closest match wins."""
    found = [
        listener
        for table in ("net/tcp", "net/tcp6")
        for listener in listeners_on(procfs.read_file(namespace, table).splitlines(), port)
    ]
    is_ipv6 = address.version == 6
    ranks = (
        {one.inode for one in found if one.address == address},
        {one.inode for one in found if one.address is None and one.is_ipv6 == is_ipv6},
        {one.inode for one in found if one.address is None and one.is_ipv6},
    )
    return next((inodes for inodes in ranks if inodes), set())
