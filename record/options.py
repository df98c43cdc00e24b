"""An option, once, for every command line, for the environment, for Locust and its web form.

All of them hand over text (or values that already have their type); `Option.read` is the one
place that checks a value. What makes a command line of options stands in `command_line.py`
(argparse, for Locust and what needs the standard library alone) and in
`tidemark/commands/options.py` (click).
"""

import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidemark.record.endpoints import parse_endpoint
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.objects import shown_text
from tidemark.record.secrets import without_secrets

REQUIRED = object()
"""The default of an option that must be given."""


class Unsaid(str):
    """The text of a default: what stands for an option that nobody gave."""

    __slots__ = ()


_LARGEST_INTEGER = 2**31 - 1
_MOST_SHOWN = 60
_LONGEST_NAME = 200
"""Characters of the name of a run's folder: file systems take 255 bytes, and files beside it."""
_LONGEST_PATH_BYTES = 4000
_LONGEST_LINE = 1000
LONGEST_MESSAGE = 300
"""Characters of what is wrong with a value, the value as it was given included."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option.

    Attributes:
        name: Its key; the flag is `--name-with-dashes`.
        parse: Turns a text or an already typed value into the value; raises ValueError with
            what is wanted ("a number greater than 0").
        default: The value when nobody says anything; `REQUIRED` if somebody must.
        help: One line; units included.
        metavar: What stands for the value in the help.
        choices: The only values there are, for a drop-down in the web form.
        is_flag: A switch without a value.
        is_repeatable: May be given several times; in the environment and in the web form its
            values stand side by side with spaces between.
        holds_spaces: Its values may hold spaces; in the environment they stand on lines of their
            own then, which `parse` takes apart.
        is_positional: Stands without its name.
        are_numbers: A whole number, or several with commas between; in a file they may be a list.
        in_form: May be set in the web form too; not what names files, libraries or programs,
            for whatever a browser shows may try to post to the form.
        alias: A further flag of our own commands, which Locust has for something else.
        suggested: What the web form lets choose from, where a command line takes more.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    help: str
    metavar: str = "N"
    choices: tuple[str, ...] | None = None
    is_flag: bool = False
    is_repeatable: bool = False
    holds_spaces: bool = False
    is_positional: bool = False
    are_numbers: bool = False
    in_form: bool = True
    alias: str = ""
    suggested: tuple[str, ...] = ()

    @property
    def flag(self) -> str:
        """The option on a command line, `--fds-limit`."""
        return "--" + self.name.replace("_", "-")

    @property
    def shown(self) -> str:
        """What an error calls it: the flag, or what stands for a value without one."""
        return self.metavar if self.is_positional else self.flag

    @property
    def environment_variable(self) -> str:
        """The environment variable that sets it, `TIDEMARK_FDS_LIMIT`."""
        return "TIDEMARK_" + self.name.upper().removeprefix("TIDEMARK_")

    @property
    def explained(self) -> str:
        """The help, with the default where there is one to tell."""
        if self.is_flag or self.default is REQUIRED:
            return self.help
        return f"{self.help}  [default: {self.as_text(self.default) or 'none'}]"

    @property
    def default_value(self) -> Any:
        """The default, checked: what an option is that nobody gives."""
        return None if self.default in (None, REQUIRED) else self.read(self.default)

    def read(self, value: Any) -> Any:
        """The checked value.

        Raises:
            OptionError: One line that names the option.
        """
        try:
            return self.parse(value)
        except (ValueError, TypeError, TidemarkError) as error:
            message = shown_text(f"{self.shown}: {error}", LONGEST_MESSAGE)
            raise OptionError(message, about=[self.name]) from error

    def as_text(self, value: Any) -> str:
        """A value as it stands in a form or on a command line."""
        if value is None:
            return ""
        return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

    def as_given(self, value: Any) -> Any:
        """A value as a command line that keeps texts hands it over."""
        if self.is_flag:
            return bool(value)
        return list(map(str, value)) if self.is_repeatable else self.as_text(value)

    def as_arguments(self, value: Any) -> list[str]:
        """The command-line arguments that give this value."""
        if self.is_flag:
            return [self.flag] if value else []
        if self.is_repeatable:
            return [f"{self.flag}={one}" for one in value]
        return [f"{self.flag}={self.as_text(value)}"]


def was_given(value: Any) -> bool:
    """Whether somebody gave this value of an option, as a command line hands it over."""
    is_empty = value is None or value is False or value in ("", (), [])
    return not is_empty and not isinstance(value, Unsaid)


def read_all(options: Sequence[Option], values: Mapping[str, Any]) -> dict[str, Any]:
    """Check the values of options; what is missing, None or repeated no times takes its default.

    Raises:
        OptionError: One line that names the option and what it wants.
    """
    found: dict[str, Any] = {}
    for option in options:
        value = values.get(option.name)
        if value is None or (option.is_repeatable and not value):
            value = option.default
        if value is REQUIRED:
            raise OptionError(f"{option.shown} must be given", about=[option.name])
        found[option.name] = None if value is None else option.read(value)
    return found


def check_flags_of_environment(table: Sequence[Option]) -> None:
    """Check the switches that the environment sets, also those that a command does not have.

    Raises:
        OptionError: One is neither on nor off; one line that names its variable.
    """
    for option in table:
        text = os.environ.get(option.environment_variable)
        if option.is_flag and text is not None:
            try:
                option.parse(text)
            except ValueError as error:
                raise OptionError(f"{option.environment_variable}: {error}") from error


def shown(value: Any) -> str:
    """A value as an error repeats it: quoted, and no longer than a line can bear."""
    text = str(value)
    more = len(text) - _MOST_SHOWN
    return repr(text) if more <= 0 else f"{text[:_MOST_SHOWN]!r}... ({len(text):,} characters)"


def integer(low: int, high: int = _LARGEST_INTEGER) -> Callable[[Any], int]:
    """A whole number between two bounds."""
    bounds = f"of at least {low:,}" if high == _LARGEST_INTEGER else f"from {low:,} to {high:,}"
    wanted = f"a whole number {bounds}"

    def parse(value: Any) -> int:
        try:
            found = int(_plain(value))
        except ValueError:
            raise ValueError(f"must be {wanted}, not {shown(value)}") from None
        if found > _LARGEST_INTEGER:
            raise ValueError(f"must be at most {_LARGEST_INTEGER:,}, not {found:,}")
        if not low <= found <= high:
            raise ValueError(f"must be {wanted}, not {found:,}")
        return found

    return parse


def number(
    low: float, high: float = math.inf, *, exclusive: bool = False, endless: bool = False
) -> Callable[[Any], float]:
    """A number of at least (or greater than) a bound, up to another; inf only if `endless`."""
    wanted = f"a number greater than {low:g}" if exclusive else f"a number of at least {low:g}"
    wanted += "" if high == math.inf else f", {high:,.0f} at most"

    def parse(value: Any) -> float:
        try:
            found = float(_plain(value))
        except ValueError:
            raise ValueError(f"must be {wanted}, not {shown(value)}") from None
        bounded = math.isfinite(found) or (endless and found == math.inf)
        if not bounded or not low <= found <= high or (exclusive and found == low):
            raise ValueError(f"must be {wanted}, not {found:g}")
        return found

    return parse


def _plain(value: Any) -> str:
    """The text of a number: Python also reads digits of other scripts, and 1_000."""
    text = str(value).strip()
    if not text.isascii() or "_" in text:
        raise ValueError(text)
    return text


_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def duration(value: Any) -> float:
    """A time in seconds, or with units: 90, 90s, 1m30s, 2h; at most a year."""
    text = str(value).strip()
    parts = re.fullmatch(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?", text, re.ASCII)
    if not text or parts is None:
        raise ValueError(f"must be a time such as 90s, 10m or 1h30m, not {shown(value)}")
    sizes = (_UNITS_S[unit] for unit in "dhms")
    found = sum(float(part or 0) * size for part, size in zip(parts.groups(), sizes, strict=True))
    if not 0 < found <= 365 * 86_400:
        raise ValueError(f"must be longer than 0 s and at most a year, not {shown(value)}")
    return found


def share(value: Any) -> float:
    """A percentage, such as 90%, as a share of 1."""
    text = str(value).strip()
    if not re.fullmatch(r"\d{1,3}(\.\d+)?%", text, re.ASCII) or float(text[:-1]) > 100:
        raise ValueError(f"must be a percentage from 0% to 100%, not {shown(value)}")
    return float(text[:-1]) / 100


def duration_text(seconds: float) -> str:
    """A time as `duration` reads it: 1h30m."""
    text = ""
    for unit, size in reversed(_UNITS_S.items()):
        count = seconds if unit == "s" else seconds // size
        seconds -= count * size
        text += f"{count:g}{unit}" if count else ""
    return text


def choice(*choices: str) -> Callable[[Any], str]:
    """One of some words."""

    def parse(value: Any) -> str:
        if str(value) not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {shown(value)}")
        return str(value)

    return parse


def flag(value: Any) -> bool:
    """A switch: on or off; a web form leaves one that is off empty."""
    if isinstance(value, bool):
        return value
    if str(value).lower() in {"true", "1", "yes", "on"}:
        return True
    if str(value).lower() in {"", "false", "0", "no", "off"}:
        return False
    raise ValueError(f"must be true or false, not {shown(value)}")


def endpoints(value: Any) -> tuple[str, ...]:
    """`host:port` separated by commas, maybe none; doubles are dropped."""
    parts = value if isinstance(value, tuple | list) else str(value or "").split(",")
    found = tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))
    for one in found:
        parse_endpoint(one)
    return found


def some_endpoints(value: Any) -> tuple[str, ...]:
    """The same, but at least one."""
    found = endpoints(value)
    if not found:
        raise ValueError("must be host:port, separated by commas")
    return found


def several(value: Any) -> tuple[str, ...]:
    """Words with spaces between, or a list of them."""
    return tuple(str(value).split()) if isinstance(value, str) else tuple(map(str, value))


def pairs(value: Any) -> tuple[str, ...]:
    """KEY=VALUE pairs; what is wrong is said without repeating a value, which may be a secret."""
    texts = several(value)
    if not all("=" in text[1:] and text[0] != "=" for text in texts):
        raise ValueError("must be KEY=VALUE")
    return texts


def path(value: Any) -> Path:
    """A path, whether or not there is anything."""
    text = str(value)
    if not text.strip():
        raise ValueError("must be a path, not empty; . is here")
    if "\0" in text or len(text.encode(errors="replace")) > _LONGEST_PATH_BYTES:
        raise ValueError(f"must be a path, not {shown(value)}")
    return Path(text)


def file(value: Any) -> str:
    """The path of a file that is there; empty for none."""
    found = str(value or "")
    if found and not path(found).is_file():
        raise ValueError(f"there is no file {shown(found)}")
    return found


def one_word(value: Any) -> str:
    """The plain name of a file or folder; empty for none."""
    word = str(value or "")
    if any(c in word for c in "/\\\0\n\r") or word in {".", ".."}:
        raise ValueError(f"must be a plain name without slashes, not {shown(word)}")
    if len(word.encode(errors="replace")) > _LONGEST_NAME:
        raise ValueError(f"must be {_LONGEST_NAME} bytes at most, not {shown(word)}")
    return word


def line(value: Any) -> str:
    """A line of text; empty for none."""
    text = str(value or "")
    if not text.isprintable() or len(text) > _LONGEST_LINE:
        raise ValueError(f"must be a line of {_LONGEST_LINE} characters at most, not {shown(text)}")
    return text


def topic(value: Any) -> str:
    """The name of a Kafka topic; empty for none.

    Source: Kafka's `org.apache.kafka.common.internals.Topic.validate`.
    """
    name = str(value or "")
    if not re.fullmatch(r"[A-Za-z0-9._-]{0,249}", name) or name in {".", ".."}:
        raise ValueError(f"must be up to 249 letters, digits, '.', '_' or '-', not {shown(name)}")
    return name


def url(value: Any) -> str:
    """Where a service is: `http://HOST:PORT`, `https://...`, maybe with a path."""
    text = str(value)
    wanted = "must be http://HOST:PORT or https://HOST:PORT"
    try:
        parts = urlsplit(text)
        is_good = (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.port != 0  # raises where it is no port
            and not (parts.query or parts.fragment)
            and text.isprintable()
            and not any(c in text for c in ' \\<>"')
        )
    except ValueError as error:
        raise ValueError(f"{wanted}, not {shown(without_secrets(text))} ({error})") from None
    if not is_good:
        raise ValueError(f"{wanted}, not {shown(without_secrets(text))}")
    return text


def url_without_login(value: Any) -> str:
    """The same of what gets requests with headers of one's own: they may hold a login, it must not.

    A command line is read by every user of the machine, and a URL stands in many logs.
    """
    found = url(value)
    if "@" in urlsplit(found).netloc:
        raise ValueError(
            "must not hold a login, NAME:PASSWORD@: send it with --header 'Authorization: ${NAME}' "
            "out of a variable of the environment"
        )
    return found


SHARE_FILES = Option(
    "share_files",
    flag,
    False,
    "let others read the run's files, as far as the umask allows; they are yours alone if not",
    is_flag=True,
    in_form=False,
)
"""Of every command that makes a run directory."""
