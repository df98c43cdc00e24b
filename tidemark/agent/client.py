"""Asking an agent. No proxy is used, and no redirect followed."""

import contextlib
import http.client
import json
import math
import ssl
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidemark.agent.clocks import Exchange
from tidemark.agent.errors import AgentError
from tidemark.agent.routes import PROTOCOL
from tidemark.agent.shelf import APPENDED, MOST_BYTES
from tidemark.record.errors import OptionError
from tidemark.record.objects import parse_object
from tidemark.record.secrets import without_secrets

TIMEOUT_S = 5.0
_MOST_RUN_BYTES = 1 << 20
_LONGEST_REASON = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}


class UnreachableError(AgentError):
    """The agent does not answer now: it may do so later."""


@dataclass(frozen=True, slots=True)
class Look:
    """What an agent says of itself.

    Attributes:
        agent: The id of its recording.
        began_monotonic_s: Where `elapsed_s` there counts from, on its own clock.
        sizes: Bytes of each file that only grows.
        targets: The ids that its rows have.
        run: run.json there.
        missing_rights: What may not be read there.
        exchange: The times of question and answer.
    """

    agent: str
    began_monotonic_s: float
    sizes: dict[str, int]
    targets: tuple[str, ...]
    run: dict[str, Any]
    missing_rights: tuple[str, ...]
    exchange: Exchange


def client_tls(
    ca: Path | None, cert: Path | None = None, key: Path | None = None
) -> ssl.SSLContext:
    """Whom to believe, and what to be recognised by.

    Args:
        ca: The authorities that are believed; None for those of this system.
        cert: The certificate that is shown to who asks for one; None for none.
        key: Its key.

    Raises:
        OptionError: A file cannot be used.
    """
    try:
        tls = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        raise OptionError(f"--agent-ca: {ca} holds no certificates ({error})") from error
    if cert is not None:
        try:
            # A passphrase would be asked for on the terminal, by nobody knows whom.
            tls.load_cert_chain(cert, key, password="")
        except (OSError, ValueError) as error:
            raise OptionError(
                f"--agent-cert {cert}, --agent-key {key}: no certificate and its key ({error})"
            ) from error
    return tls


class Client:
    """One agent, asked over one connection for as long as that lasts.

    Args:
        url: Where it serves.
        token: What it wants to be shown; None for nothing.
        tls: What https is spoken with; None is that of `client_tls` without any file.
    """

    def __init__(self, url: str, token: bytes | None, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]
        self.shown = without_secrets(url)
        self._connection = (
            http.client.HTTPSConnection(
                host, port, timeout=TIMEOUT_S, context=tls or client_tls(None)
            )
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
        )
        self._headers = {} if token is None else {"Authorization": f"Bearer {token.decode()}"}

    def look(self) -> Look:
        """What it says of itself now.

        Raises:
            UnreachableError: It does not answer.
            AgentError: It answers that it will not, or what is no agent's answer.
        """
        self._connect()
        asked_s = time.monotonic()
        _, body = self._get("/v1/run", _MOST_RUN_BYTES)
        answered_s = time.monotonic()
        wall_s = time.time() - (answered_s - asked_s) / 2
        told = parse_object(body)
        try:
            return _look(told or {}, asked_s, answered_s, wall_s)
        except (KeyError, TypeError, ValueError) as error:
            raise AgentError(f"{self.shown}: is no agent of this version; check the URL") from error

    def piece(self, name: str, offset: int, agent: str) -> tuple[bytes, int]:
        """Whole lines of a file, and where the next begin. Raises as `look` does.

        Args:
            name: The file.
            offset: Where to begin.
            agent: The recording that it must be of.
        """
        headers, body = self._get(f"/v1/files/{name}?offset={offset}", MOST_BYTES)
        if headers.get("Tidemark-Agent") != agent:
            raise UnreachableError(f"{self.shown}: another recording has begun there")
        if body and not body.endswith(b"\n"):
            raise UnreachableError(f"{self.shown}: its answer was cut off")
        return body, offset + len(body)

    def _connect(self) -> None:
        """Before the time is taken: handshakes are not part of a round trip."""
        try:
            if self._connection.sock is None:
                self._connection.connect()
        except OSError as error:
            self.close()
            raise self._unreachable(error) from error

    def _get(self, path: str, most_bytes: int) -> tuple[http.client.HTTPMessage, bytes]:
        try:
            self._connection.request("GET", path, headers=self._headers)
            answer = self._connection.getresponse()
            body = answer.read(most_bytes + 1)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise self._unreachable(error) from error
        if answer.status == 200 and len(body) <= most_bytes and answer.isclosed():
            return answer.headers, body
        self.close()
        reason = body.decode("utf-8", "replace").strip().partition("\n")[0][:_LONGEST_REASON]
        refusal = f"{self.shown}: answers {answer.status} ({reason})"
        if answer.status == 401:
            raise AgentError(f"{self.shown}: wants its own token; check --agent-token-file")
        if answer.status == 429 or answer.status >= 500:
            raise UnreachableError(refusal)
        raise AgentError(refusal)

    def _unreachable(self, error: Exception) -> UnreachableError:
        reason = str(error) or type(error).__name__
        if isinstance(error, ssl.SSLCertVerificationError):
            reason = f"{error.verify_message}; name who signed its certificate with --agent-ca"
        elif isinstance(error, ssl.SSLError) and "ALERT" in (error.reason or ""):
            reason = _refused_certificate(error.reason)
        return UnreachableError(f"{self.shown}: does not answer ({reason})")

    def close(self) -> None:
        """Give the connection up; the next question makes another."""
        with contextlib.suppress(OSError):
            self._connection.close()


def _refused_certificate(alert: str) -> str:
    """What an alert of TLS means to who has, or has not, a certificate (RFC 8446, 6.2)."""
    said = alert.partition("ALERT_")[2].replace("_", " ").lower()
    if "CERTIFICATE_REQUIRED" in alert or "HANDSHAKE_FAILURE" in alert:
        return f"it lets in only who has a certificate: name one with --agent-cert: {said}"
    if "CERTIFICATE" in alert or "UNKNOWN_CA" in alert:
        return f"it does not accept the certificate of --agent-cert: {said}"
    return said


def _look(told: dict[str, Any], asked_s: float, answered_s: float, wall_s: float) -> Look:
    clock, run = told["clock"], told["run"] or {}
    if told["protocol"] != PROTOCOL:
        raise ValueError(told["protocol"])
    there_s, unix_s = float(clock["monotonic_s"]), float(clock["unix_s"])
    began_s = float(told["began_monotonic_s"])
    if not all(map(math.isfinite, (there_s, unix_s, began_s))):
        raise ValueError(json.dumps(clock))
    return Look(
        agent=str(told["agent"]),
        began_monotonic_s=began_s,
        sizes={name: int(told["files"].get(name, 0)) for name in APPENDED},
        targets=tuple(str(one["id"]) for one in run.get("targets", ())),
        run=run,
        missing_rights=tuple(map(str, told["missing_rights"])),
        exchange=Exchange(asked_s, answered_s, there_s, unix_s - wall_s),
    )
