"""The client settings of a user's own: `--kafka-config FILE` and `--kafka-option KEY=VALUE`.

Both take librdkafka's properties by their own names (acks, linger.ms, security.protocol,
sasl.mechanism, ...). Secrets go into the file only: everybody on the host can read a command
line. What is wrong with a setting is said without repeating its value.

Some properties make librdkafka load a library or run a command. A properties file may be somebody
else's, so these need a switch of their own, `--allow-kafka-plugins`, wherever they stand.

Source: https://github.com/confluentinc/librdkafka/blob/master/CONFIGURATION.md
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tidemark.record.options import Option, file, flag, pairs
from tidemark.targets.errors import ClientError

_SECRET = re.compile(r"password|passphrase|secret|key\.pem|jaas|oauthbearer\.config|kinit\.cmd")

# Taken by the Python binding for its own objects, or contrary to what the strategies rely on.
_OURS = re.compile(r".*_cb|logger|opaque|on_delivery|default\.topic\.config|delivery\.report\..*")

_RUNS_CODE = frozenset(
    {
        "plugin.library.paths",
        "sasl.kerberos.kinit.cmd",
        "ssl.engine.id",
        "ssl.engine.location",
        "ssl.providers",
    }
)

# librdkafka puts these into the shell command of sasl.kerberos.kinit.cmd as they are.
_IN_COMMAND = re.compile(r"sasl\.kerberos\.(keytab|principal|service\.name)")
_PLAIN = re.compile(r"[\w@./:-]*")

# What names files, libraries, commands or addresses, under names yet to come too.
_OF_THE_HOST = re.compile(
    r"(https|sasl|ssl)\.|command|cmd|file|librar|location|path|plugin|uri|url", re.IGNORECASE
)

_BROKERS = frozenset({"bootstrap.servers", "metadata.broker.list"})


def kafka_options(value: Any) -> tuple[str, ...]:
    """KEY=VALUE pairs that are properties of a Kafka client, none of them a secret."""
    texts = pairs(value)
    for text in texts:
        key = _split(text)[0]
        _check_key(key, key)
        if is_secret(key):
            raise ClientError(
                f"{key}: a secret does not belong in a command line, which everybody can read: "
                "put it into a file and name that with --kafka-config"
            )
    return texts


KAFKA_CONFIG = Option(
    "kafka_config",
    file,
    "",
    "file of librdkafka properties for the clients (TLS, SASL, acks, ...), a key=value a line",
    "FILE",
    in_form=False,
)
KAFKA_OPTION = Option(
    "kafka_option",
    kafka_options,
    (),
    "one such property, no secret (a command line is public); repeatable, wins over the file",
    "KEY=VALUE",
    is_repeatable=True,
)
ALLOW_KAFKA_PLUGINS = Option(
    "allow_kafka_plugins",
    flag,
    False,
    "let these properties load libraries and run commands (plugin.library.paths, "
    "ssl.engine.location, ssl.providers, sasl.kerberos.kinit.cmd)",
    is_flag=True,
    in_form=False,
)
CLIENT_OPTIONS: tuple[Option, ...] = (KAFKA_CONFIG, KAFKA_OPTION, ALLOW_KAFKA_PLUGINS)
"""The options for every command that makes clients."""


def client_options(values: Mapping[str, Any]) -> Mapping[str, str]:
    """All client settings, for `KafkaConfig.options`; the last one of a name wins.

    Args:
        values: The values of `CLIENT_OPTIONS`.

    Raises:
        ClientError: The file cannot be read, or something does not belong there, or runs code
            and nobody has allowed that. Whether librdkafka knows a property, and likes its
            value, is seen when it starts.
    """
    path = values["kafka_config"]
    settings = _read_file(Path(path)) if path else {}
    settings |= dict(map(_split, kafka_options(values["kafka_option"])))
    for key, value in settings.items():
        if runs_code(key, value) and not values["allow_kafka_plugins"]:
            raise ClientError(
                f"{key}: as it is set, librdkafka would load a library or run a command: "
                "allow that with --allow-kafka-plugins, or leave it out",
                about=["kafka_option"],
            )
    return MappingProxyType(settings)


def runs_code(key: str, value: str) -> bool:
    """Whether this makes librdkafka load a library or run a command that somebody chose."""
    in_command = _IN_COMMAND.fullmatch(key) and not _PLAIN.fullmatch(value)
    return key in _RUNS_CODE or bool(in_command)


def check_from_form(value: Any) -> None:
    """Refuse the KEY=VALUE pairs that a web form may not set.

    Raises:
        ClientError: One names a file, a library, a command or a host, or is about security.
    """
    for key, _ in map(_split, pairs(value)):
        if _OF_THE_HOST.search(key):
            raise ClientError(
                f"--kafka-option {key}: can be set on the command line only, not in the form",
                about=["kafka_option"],
            )


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


def _split(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key.strip(), value.strip()


def _read_file(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ClientError(f"--kafka-config {path} cannot be read: {reason}") from error
    return parse_properties(text, str(path))


def _check_key(key: str, where: str) -> None:
    if key in _BROKERS:
        raise ClientError(f"{where}: {key} has no place here: name the brokers with --bootstrap")
    if _OURS.fullmatch(key):
        raise ClientError(f"{where}: {key} cannot be set from outside: leave it out")
