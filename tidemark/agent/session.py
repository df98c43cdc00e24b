"""One recording of the agent, and the process beside it that serves it.

The one that records is the parent: it is in nobody's way, and goes on if the other fails. The one
that serves ends with it, however that is.
"""

import contextlib
import os
import signal
import socket
import ssl
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from tidemark.agent import finding
from tidemark.agent.errors import AgentError
from tidemark.agent.guard import Guard, read_token
from tidemark.agent.options import Serving, clue, serving
from tidemark.agent.rights import missing_rights
from tidemark.agent.routes import Identity, Routes
from tidemark.agent.server import Server
from tidemark.agent.shelf import Shelf
from tidemark.record.directory import RunDirectory
from tidemark.record.endpoints import shown_endpoint
from tidemark.record.errors import OptionError
from tidemark.record.options import read_all
from tidemark.record.process import die_with_parent
from tidemark.sampler import options as of_sampler
from tidemark.sampler.options import Options
from tidemark.sampler.session import watch

_BACKLOG = 64


def run(values: Mapping[str, Any]) -> None:
    """Record until a signal ends it, and serve meanwhile if asked to.

    Args:
        values: A checked value for each of `OPTIONS`, by name.

    Raises:
        TidemarkError: One line that says what is wrong.
    """
    how = serving(values)
    own = _of_sampler(values)
    denied = _told(missing_rights(Options(**own))) if own["pid"] else ()
    if how is None:
        watch(own)
        return
    tls, token = tls_context(how), read_token(how.token_file) if how.token_file else None
    own["started_monotonic"] = time.monotonic()
    identity = Identity(uuid.uuid4().hex, boot_id(), own["started_monotonic"], denied)
    routes = Routes(identity, Shelf(own["out"]), Guard(token))
    with listening(how) as listener:
        # Before anything is served: a folder that holds a run already is not ours to show.
        RunDirectory.create(own["out"], shared=own["share_files"])
        with beside(Server(listener, routes, tls)):
            watch(own)


def _of_sampler(values: Mapping[str, Any]) -> dict[str, Any]:
    """What the sampler is told: one of the clues has become the process that it stands for."""
    known = {option.name: values.get(option.name) for option in of_sampler.OPTIONS}
    name, value = clue(values)
    if name == "port_of":
        known["pid"] = finding.awaited(partial(finding.by_port, value), values["wait"])
    elif name == "command":
        known["pid"] = finding.awaited(partial(finding.by_command, value), values["wait"])
    return read_all(of_sampler.OPTIONS, known)


def _told(denied: tuple[str, ...]) -> tuple[str, ...]:
    for one in denied:
        _say(one)
    return denied


def _say(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal has been closed
        sys.stderr.write(f"tidemark-agent: {line}\n")


def boot_id() -> str:
    """The id of this boot of the host; empty where the kernel does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def tls_context(how: Serving) -> ssl.SSLContext | None:
    """What HTTPS needs; None for plain HTTP.

    Raises:
        OptionError: A certificate or key cannot be used.
    """
    if how.cert is None:
        return None
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A passphrase would be asked for on the terminal, by nobody knows whom.
        tls.load_cert_chain(how.cert, how.key, password="")
        if how.client_ca is not None:
            tls.load_verify_locations(how.client_ca)
            tls.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ValueError) as error:  # SSLError is an OSError
        named = f"--cert {how.cert}, --key {how.key}"
        named += f", --client-ca {how.client_ca}" if how.client_ca else ""
        raise OptionError(f"{named}: cannot be used for HTTPS ({error})") from error
    return tls


@contextlib.contextmanager
def listening(how: Serving) -> Iterator[socket.socket]:
    """A socket that listens on the address.

    Raises:
        AgentError: It cannot be had.
    """
    where = shown_endpoint(how.host, how.port)
    family = socket.AF_INET6 if ":" in how.host else socket.AF_INET
    try:
        listener = socket.create_server((how.host, how.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise AgentError(
            f"--serve: {where} cannot be listened on ({_reason(error)}); "
            "choose another address or port"
        ) from error
    with listener:
        yield listener


def _reason(error: OSError) -> str:
    """Why, without what Python adds; names that do not resolve have numbers of their own."""
    if error.errno is None or isinstance(error, socket.gaierror):
        return str(error)
    return os.strerror(error.errno)


@contextlib.contextmanager
def beside(server: Server) -> Iterator[None]:
    """Serve in a process of its own until this is left.

    Should that end by itself, a line says so, and the recording goes on. Call it in the main
    thread, before there is any other.
    """
    parent_pid = os.getpid()
    pid = os.fork()
    if not pid:
        _serve(server, parent_pid)

    def look(*_: object) -> None:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            signal.signal(signal.SIGCHLD, former)
            _say("what serves the recording has ended; the recording goes on")

    former = signal.signal(signal.SIGCHLD, look)
    try:
        yield
    finally:
        is_there = signal.signal(signal.SIGCHLD, former) is look
        if is_there:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)


def _serve(server: Server, parent_pid: int) -> NoReturn:
    """What the other process does until it is ended."""
    code = 1
    try:
        die_with_parent(parent_pid)
        # Ctrl-C is for the one that records: it takes a last sample, which may still be fetched.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        server.serve()
        code = 0
    finally:
        os._exit(code)
