"""The client settings of a user's own: `--kafka-config FILE` and `--kafka-option KEY=VALUE`.

Both take librdkafka's properties by their own names (acks, linger.ms, security.protocol,
sasl.mechanism, ...). Secrets go into the file only: everybody on the host can read a command
line. What is wrong with a setting is said without repeating its value.

Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from tidemark.targets.command_line import key_and_value
from tidemark.targets.errors import ClientError

_SECRET = re.compile(r"password|passphrase|secret|key\.pem|jaas|oauthbearer\.config|kinit\.cmd")

# Taken by the Python binding for its own objects, or contrary to what the strategies rely on.
_OURS = re.compile(r".*_cb|logger|opaque|on_delivery|default\.topic\.config|delivery\.report\..*")

_BROKERS = frozenset({"bootstrap.servers", "metadata.broker.list"})


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """Add the two options to a command."""
    parser.add_argument(
        "--kafka-config",
        type=Path,
        metavar="FILE",
        help="a file of librdkafka properties, a key=value a line (TLS, SASL, acks, linger.ms)",
    )
    parser.add_argument(
        "--kafka-option",
        action="append",
        default=[],
        type=key_and_value,
        metavar="KEY=VALUE",
        help="one such property, no secret (a command line is public); repeatable, "
        "wins over the file",
    )


def read_client_options(
    file: Path | None, options: Iterable[tuple[str, str]] = ()
) -> Mapping[str, str]:
    """All client settings, for `KafkaConfig.options`.

    Args:
        file: What `--kafka-config` names, or None.
        options: What the `--kafka-option`s say, in their order; the last one of a name wins.

    Raises:
        ClientError: The file cannot be read, or something does not belong there. Whether
            librdkafka knows a property, and likes its value, is seen when it starts.
    """
    settings: dict[str, str] = {} if file is None else _read_file(file)
    for key, value in options:
        _check_key(key, "--kafka-option")
        if is_secret(key):
            raise ClientError(
                f"--kafka-option {key}: a secret does not belong in a command line, which "
                "everybody can read: put it into a file and name that with --kafka-config"
            )
        settings[key] = value
    return MappingProxyType(settings)


def is_secret(key: str) -> bool:
    """Whether the value of this property must not be shown to anybody."""
    return _SECRET.search(key) is not None


def parse_properties(text: str, source: str) -> dict[str, str]:
    """The settings in the text of a properties file.

    A `key=value` on each line; spaces around both do not count; a line that begins with `#`
    or `!` is a comment. Nothing else of Java's format is known: no line continues on the next.

    Args:
        text: The whole file.
        source: What to call it in an error.

    Raises:
        ClientError: A line is something else, or names a property a second time.
    """
    settings: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        where = f"{source}, line {number}"
        key, separator, value = (part.strip() for part in line.partition("="))
        if not separator or not key:
            raise ClientError(f"{where}: a line is key=value, or a comment after #")
        if key in settings:
            raise ClientError(f"{where}: {key!r} is there a second time: remove one of them")
        _check_key(key, where)
        settings[key] = value
    return settings


def _read_file(file: Path) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ClientError(f"--kafka-config {file} cannot be read: {reason}") from error
    return parse_properties(text, str(file))


def _check_key(key: str, where: str) -> None:
    if key in _BROKERS:
        raise ClientError(f"{where}: {key} has no place here: name the brokers with --bootstrap")
    if _OURS.fullmatch(key):
        raise ClientError(f"{where}: {key} cannot be set from outside: leave it out")
