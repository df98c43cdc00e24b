"""What an import can be told."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tidemark.importing.moments import parse_duration, parse_moment
from tidemark.record.errors import OptionError
from tidemark.record.layout import SAMPLES
from tidemark.record.options import REQUIRED, SHARE_FILES, Option, path, shown, url

_OF_THE_ROW = {*SAMPLES.never_empty, "sample_cost_s"}
KEYS = tuple(name for name in SAMPLES.numbers if name not in _OF_THE_ROW)
"""What a query can tell: the figures of samples.csv."""
MOST_STEPS = 2_000_000
"""No import has more steps: at 15 s they last for a year."""

_VARIABLE = re.compile(r"[A-Za-z_]\w*")


def _server(value: Any) -> str:
    found = url(value)
    if "@" in urlsplit(found).netloc:
        raise ValueError("must not hold a login: --token-env names the variable of a token")
    return found


def _text(value: Any) -> str:
    text = str(value)
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def _queries(value: Any) -> tuple[tuple[str, str], ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    found = [_query(one) if isinstance(one, str) else one for one in texts]
    if len({key for key, _ in found}) < len(found):
        raise ValueError("a KEY is given twice")
    return tuple(found)


def _query(text: str) -> tuple[str, str]:
    key, _, query = (part.strip() for part in text.partition("="))
    if not query:
        raise ValueError("must be KEY=PROMQL, as in fds=sum(process_open_fds)")
    if key not in KEYS:
        raise ValueError(f"KEY must be one of {', '.join(KEYS)}, not {shown(key)}")
    return key, query


def _variable(value: Any) -> str:
    if not _VARIABLE.fullmatch(str(value)):
        raise ValueError("must be the name of an environment variable, not a token")
    return str(value)


OPTIONS: tuple[Option, ...] = (
    Option("url", _server, REQUIRED, "the server, http://HOST:PORT, maybe with a path", "URL"),
    Option("job", _text, None, "the job whose instances are imported", "NAME"),
    Option("instance", _text, None, "only this instance of it", "HOST:PORT"),
    Option(
        "query",
        _queries,
        (),
        "instead of --job: a figure and where it comes from, as in fds=sum(process_open_fds); "
        "repeatable",
        "KEY=PROMQL",
        is_repeatable=True,
    ),
    Option(
        "requests",
        _text,
        None,
        "a counter of requests, in place of those that are known by name",
        "PROMQL",
    ),
    Option(
        "start",
        parse_moment,
        REQUIRED,
        "from when: ISO 8601 (UTC if it does not say), Unix seconds, or -2h",
        "TIME",
    ),
    Option("end", parse_moment, "now", "until when, in the same way", "TIME"),
    Option(
        "step",
        parse_duration,
        None,
        "seconds between rows; none: every scrape of a job, and 15 s of a query",
        "S",
    ),
    Option("token_env", _variable, None, "the environment variable with a bearer token", "NAME"),
    Option("out", path, REQUIRED, "the run directory to make", "DIR"),
    SHARE_FILES,
)


@dataclass(frozen=True, slots=True)
class Options:
    """A checked value for each of `OPTIONS`, which say what it means and in which unit."""

    url: str
    job: str | None
    instance: str | None
    query: tuple[tuple[str, str], ...]
    requests: str | None
    start: float
    end: float
    step: float | None
    token_env: str | None
    out: Path
    share_files: bool

    def __post_init__(self) -> None:
        """Refuse what does not go together.

        Raises:
            OptionError: Something does not.
        """
        if (self.job is None) == (not self.query):
            raise OptionError("--job or --query must be given, one of the two")
        if self.instance is not None and self.job is None:
            raise OptionError("--instance needs --job: name the instance in each query")
        if self.end <= self.start:
            raise OptionError("--end: must be later than --start")
        if self.step and (self.end - self.start) / self.step > MOST_STEPS:
            raise OptionError(f"--step: makes more than {MOST_STEPS:,} rows; name a longer one")
