"""What the agent can be told: all that the sampler can, how to find the process, and to serve."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.record.endpoints import is_loopback, parse_endpoint, shown_endpoint
from tidemark.record.errors import OptionError
from tidemark.record.options import Option, integer, line, number, path
from tidemark.sampler import options as of_sampler

_NOT_OURS = ("started_monotonic", "join", "retain")
"""Options by which a run tells its own sampler; and what moves rows, which are fetched by place."""


def _address(value: Any) -> str:
    return shown_endpoint(*parse_endpoint(str(value)))


_CLUES = (
    Option("port_of", integer(1, 65535), None, "watch what listens on this TCP port", "PORT"),
    Option("command", line, None, "watch what a regular expression matches", "PATTERN"),
)
_WAIT = Option(
    "wait",
    number(0.0, 86_400.0),
    0.0,
    "wait so long for --port-of or --command to find it",
    "SECONDS",
)
_OF_SERVING = (
    Option(
        "serve",
        _address,
        None,
        "serve what is recorded, for a run elsewhere or Prometheus, on this address",
        "HOST:PORT",
    ),
    Option("token_file", path, None, "a file whose one line a request must show", "FILE"),
    Option("cert", path, None, "the certificate for HTTPS, PEM", "FILE"),
    Option("key", path, None, "its private key, PEM", "FILE"),
    Option("client_ca", path, None, "let in only who has a certificate of these, PEM", "FILE"),
)
OPTIONS: tuple[Option, ...] = (
    *_CLUES,
    _WAIT,
    *(option for option in of_sampler.OPTIONS if option.name not in _NOT_OURS),
    *_OF_SERVING,
)


@dataclass(frozen=True, slots=True)
class Serving:
    """How to serve; see `OPTIONS`.

    Attributes:
        host: The address to listen on.
        port: The port.
        token_file: Where the token is; None for none.
        cert: The certificate; None for plain HTTP.
        key: Its key.
        client_ca: Who signs the certificates of clients; None where they need none.
    """

    host: str
    port: int
    token_file: Path | None = None
    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what others could read along, or read at all.

        Raises:
            OptionError: One line that says what is missing.
        """
        if (self.cert is None) != (self.key is None):
            raise OptionError("--cert and --key go together: the certificate and its private key")
        if self.client_ca is not None and self.cert is None:
            raise OptionError("--client-ca needs --cert and --key: it is part of HTTPS")
        is_closed = self.token_file is not None and self.cert is not None
        if not is_loopback(self.host) and not is_closed:
            raise OptionError(
                f"--serve {self.host}: anybody can reach that address, so it needs --token-file, "
                "and --cert and --key for HTTPS; or serve on 127.0.0.1 behind ssh -L"
            )


def serving(values: Mapping[str, Any]) -> Serving | None:
    """How to serve; None where nothing is served.

    Raises:
        OptionError: One line that says what does not go together.
    """
    given = {option.name: values[option.name] for option in _OF_SERVING if values[option.name]}
    address = given.pop("serve", None)
    if address is None:
        if given:
            flag = next(option.flag for option in _OF_SERVING if option.name in given)
            raise OptionError(f"{flag} does not apply without --serve")
        return None
    return Serving(*parse_endpoint(address), **given)


def clue(values: Mapping[str, Any]) -> tuple[str, Any]:
    """The one option that says which process is meant, and its value; an empty name if none does.

    Raises:
        OptionError: Several do.
    """
    given = [name for name in ("pid", "port_of", "command") if values[name]]
    if len(given) > 1:
        raise OptionError("--pid, --port-of and --command: one of them says which process is meant")
    if values["wait"] and given not in (["port_of"], ["command"]):
        raise OptionError("--wait has no effect without --port-of or --command: leave it out")
    return (given[0], values[given[0]]) if given else ("", None)
