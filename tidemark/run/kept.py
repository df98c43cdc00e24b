"""A command of somebody else's as a child: started by a keeper, and waited for until it is up."""

import http.client
import json
import re
import socket
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

from tidemark.record.objects import shown_text
from tidemark.run.children import Child, python_module
from tidemark.run.errors import ChildError
from tidemark.run.listening import PORTS, own_listeners
from tidemark.services.starting import CommandLine

KEEPER = "tidemark.services.keeper"
POLL_S = 0.05
LONGEST_QUOTE = 300
"""Characters of a line of a log that are quoted."""
PROBE_TIMEOUT_S = 2.0
SETTLED_S = 0.5
"""So long a set of ports stays the same before it is believed: a service may open several."""
UNDECIDED_S = 5.0
"""After so long with the same several it is given up."""
_LAST_LINES = 60
# What a line has that says why: the last one of a crash may be of its stack, or a version.
_TROUBLE = re.compile(
    r"error|exception|panic|fatal|cannot|can't|could not|fail|refused|denied|not found|no such|"
    r"in use|invalid|usage:",
    re.IGNORECASE,
)
_OF_A_STACK = re.compile(r"\s|at |\.\.\.|goroutine |exit status |File \"")


class KeptChild(Child):
    """A command of somebody else's, with everything that it starts.

    Args:
        name: What messages call it.
        command: What to start.
        log: File that its output is appended to.
        redacted: Takes secrets out of what is quoted of the log.
    """

    def __init__(
        self, name: str, command: CommandLine, log: Path, redacted: Callable[[str], str]
    ) -> None:
        self._redacted = redacted
        self._kept_pid: int | None = None
        super().__init__(name, python_module(KEEPER), log, listens=True)
        order = {**asdict(command), "directory": str(command.directory)}
        assert self._process.stdin is not None, "it listens"  # noqa: S101
        try:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:  # it is gone already
            self.stop()
            raise ChildError(self.last_words()) from error

    @property
    def pid(self) -> int:
        """Process id of the command; of the keeper until it has been started."""
        return self._kept_pid or super().pid

    def wait_started(self, timeout_s: float) -> None:
        """Wait until the command runs.

        Raises:
            ChildError: It cannot be run; the message says why.
        """
        self._kept_pid = self.wait_ready(timeout_s)["pid"]

    def wait_ended(self, timeout_s: float) -> None:
        """Wait for a command that has to end by itself, such as one that builds something.

        Raises:
            ChildError: It failed, or takes too long.
        """
        deadline = time.monotonic() + timeout_s
        while self.returncode is None:
            if time.monotonic() > deadline:
                self.stop()
                raise ChildError(f"the {self.name} took more than {timeout_s:g} s; see {self.log}")
            time.sleep(POLL_S)
        if self.returncode:
            raise ChildError(self.told(self.how_it_ended()))

    def told(self, what: str) -> str:
        """A sentence on it, with the line of its log that says most, and where the log is."""
        line = self._last_line()
        return f"the {self.name} {what}{f': {line}' if line else ''}; see {self.log}"

    def told_late(self, what: str) -> str:
        """The same of one that runs on: what it said last need not be why."""
        line = self._last_line()
        return f"the {self.name} {what}{f'; it said: {line}' if line else ''}; see {self.log}"

    def _last_line(self) -> str:
        return shown_text(self._redacted(super()._last_line()), LONGEST_QUOTE)

    def _telling(self, lines: Sequence[str]) -> str:
        return telling_line(lines).removeprefix("keeper: error: ")


def telling_line(lines: Sequence[str]) -> str:
    """Of the last lines of a log, the last that speaks of trouble; the last of all if none does."""
    last = [line for line in lines[-_LAST_LINES:] if line.strip()]
    troubles = [line for line in last if _TROUBLE.search(line) and not _OF_A_STACK.match(line)]
    return (troubles or last or [""])[-1].strip()


def wait_until_up(child: KeptChild, url: str | None, ready: str, timeout_s: float) -> str:
    """Wait until a service answers; return where requests go.

    Args:
        child: The service, started.
        url: Where it is told to listen; None to find that out.
        ready: The path that answers below 400 when it is up; empty: its port accepts.
        timeout_s: How long that may take.

    Raises:
        ChildError: It has ended, or is not up in time; the message has its last words.
    """
    deadline = time.monotonic() + timeout_s
    ports = _Ports(child.pid)
    while True:
        if child.returncode is not None:
            child.stop()
            raise ChildError(child.told(f"{child.how_it_ended()} before it was up"))
        trouble = "it listens nowhere"
        for candidate in [url] if url else ports.urls():
            trouble = _trouble(candidate, ready) or ""
            if not trouble and (url or ready or len(ports.numbers) == 1):
                return candidate
        if time.monotonic() > deadline or (ports.stay_many and not ready):
            break
        time.sleep(POLL_S)
    late = f"was not up within {timeout_s:g} s: {trouble}{_instead(child, url)}"
    if len(ports.numbers) > 1 and not ready:
        listed = ", ".join(map(str, sorted(ports.numbers)))
        late = f"listens on {listed}: say which, with {{port}}, a url, --port, or ready"
    told = child.told_late(late)
    child.stop()
    raise ChildError(told)


class _Ports:
    """Where a service listens that was not told so.

    Args:
        pid: The root of its processes.

    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._found: set[tuple[str, int]] = set()
        self._since_s = time.monotonic()

    def urls(self) -> list[str]:
        """Where that is, once it has been the same for a moment."""
        found = own_listeners(self._pid)
        if found != self._found:
            self._found, self._since_s = found, time.monotonic()
        settled = time.monotonic() - self._since_s >= SETTLED_S
        return [f"http://{host}:{port}" for host, port in sorted(found)] if settled else []

    @property
    def numbers(self) -> set[int]:
        """The ports themselves, at the last look."""
        return {port for _, port in self._found}

    @property
    def stay_many(self) -> bool:
        """Whether it has listened on several ports for so long that it will not be one."""
        return len(self.numbers) > 1 and time.monotonic() - self._since_s >= UNDECIDED_S


def _instead(child: KeptChild, url: str | None) -> str:
    """Where it listens instead of where it was told to."""
    others = sorted({port for _, port in own_listeners(child.pid)}) if url else []
    if url is None or not others or urlsplit(url).port in others:
        return ""
    return f" (it listens on {', '.join(map(str, others))} instead)"


def _trouble(url: str, ready: str) -> str | None:
    """Why a service is not up yet, in a few words; None when it is."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    try:
        if not ready:
            with socket.create_connection((host, port), PROBE_TIMEOUT_S):
                return None
        status = _status(parts.scheme, host, port, ready)
    except (OSError, http.client.HTTPException) as error:
        what = f"GET {ready}" if ready else "its port"
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return f"{what} at {host} port {port}: {reason}"
    return None if status < http.HTTPStatus.BAD_REQUEST else f"GET {ready} answers {status}"


def _status(scheme: str, host: str, port: int, path: str) -> int:
    connection: http.client.HTTPConnection
    if scheme == "https":
        anybody = ssl.create_default_context()
        anybody.check_hostname = False  # whether it is up is asked, not who it is
        anybody.verify_mode = ssl.CERT_NONE
        connection = http.client.HTTPSConnection(
            host, port, timeout=PROBE_TIMEOUT_S, context=anybody
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()
