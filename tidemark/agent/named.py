"""Which agents a run fetches from, as its options name them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidemark.record.endpoints import is_loopback
from tidemark.record.errors import OptionError
from tidemark.record.options import one_word, url


@dataclass(frozen=True, slots=True)
class NamedAgent:
    """An agent, and what its target is called in the run.

    Attributes:
        id: The target's id.
        url: Where the agent serves.
    """

    id: str
    url: str

    @property
    def host(self) -> str:
        """The host that it is asked at."""
        return urlsplit(self.url).hostname or ""

    def __str__(self) -> str:
        """As it is given, the id always said."""
        return f"{self.id}={self.url}"


def read_agent(value: Any) -> NamedAgent:
    """`URL`, or `ID=URL`; without an id it is called as its host and port."""
    if isinstance(value, NamedAgent):
        return value
    text = str(value).strip()
    name, equals, where = text.partition("=")
    if not equals or "://" in name:
        name, where = "", text
    found = url(where)
    parts = urlsplit(found)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must hold no credentials: a token stands in --agent-token-file")
    if parts.path.strip("/"):
        raise ValueError("must be http://HOST:PORT or https://HOST:PORT without a path")
    return NamedAgent(one_word(name) or parts.netloc, found.rstrip("/"))


def read_agents(given: Any) -> tuple[NamedAgent, ...]:
    """Several, with an id of its own each."""
    values = given if isinstance(given, list | tuple) else str(given or "").split()
    found = tuple(map(read_agent, values))
    if len({agent.id for agent in found}) < len(found):
        raise ValueError("two are called the same: give each an id of its own, ID=URL")
    return found


def check_pair(cert: Path | str | None, key: Path | str | None) -> None:
    """Make sure that a certificate has its key.

    Raises:
        OptionError: One of them is missing.
    """
    if bool(cert) != bool(key):
        raise OptionError(
            "--agent-cert and --agent-key go together: the certificate and its private key"
        )


def check_agents(agents: Sequence[NamedAgent], token_file: Path | str | None) -> None:
    """Make sure that a token is not shown to everybody on the way.

    Raises:
        OptionError: It would be.
    """
    for agent in agents:
        parts = urlsplit(agent.url)
        if token_file and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
            raise OptionError(
                f"--agent {agent.url}: a token is not sent unencrypted; use https, or ssh -L"
            )
