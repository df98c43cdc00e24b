"""Texts with placeholders, which stand for what differs from one request to the next."""

import datetime as dt
import difflib
import random
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

LARGEST_RANDOM = 1_000_000
"""Characters of a `{random:SIZE}`."""

_PLACEHOLDERS = {"seq": "{seq}", "uuid": "{uuid}", "random": "{random:SIZE}", "now": "{now}",
                 "run_id": "{run_id}"}  # fmt: skip
_TOKEN = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")
_EXACT = re.compile(r"\{(?:seq|uuid|now|run_id|random:[0-9]{1,9})\}")


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


class Values:
    """What the placeholders of one request stand for.

    Args:
        sequence: the number of the request in the run, from 1.
        run_id: the run's id.
        seed: the same seed and number give the same `{uuid}` and `{random:SIZE}`.
        now: the clock of `{now}`.
    """

    def __init__(
        self,
        sequence: int,
        run_id: str,
        seed: int,
        now: Callable[[], dt.datetime] = _utc_now,
    ) -> None:
        self.sequence = sequence
        self.run_id = run_id
        self._seed = seed
        self._clock = now

    @cached_property
    def now(self) -> str:
        """The moment when it is asked for first: ISO 8601, UTC, milliseconds."""
        return self._clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    @cached_property
    def _random(self) -> random.Random:
        # Of the request's own, so that requests may be made in any order.
        return random.Random(f"request-{self._seed}-{self.sequence}")  # noqa: S311 - repeatable

    def of(self, placeholder: "Placeholder") -> str:
        """What a placeholder stands for; a `uuid` and a `random` are new each time."""
        match placeholder.name:
            case "seq":
                return str(self.sequence)
            case "uuid":
                return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            case "random":
                size = placeholder.size
                return self._random.randbytes((size + 1) // 2).hex()[:size]
            case "now":
                return self.now
            case _:
                return self.run_id


@dataclass(frozen=True, slots=True)
class Placeholder:
    """One placeholder.

    Attributes:
        name: `seq`, `uuid`, `random`, `now` or `run_id`.
        size: characters of `random`.
    """

    name: str
    size: int = 0

    def __str__(self) -> str:
        return f"{{{self.name}:{self.size}}}" if self.size else f"{{{self.name}}}"


@dataclass(frozen=True, slots=True)
class Template:
    """A text in pieces: what stays as it is, and placeholders."""

    pieces: tuple[str | Placeholder, ...]

    def render(self, values: Values) -> str:
        """The text of one request."""
        return "".join(
            piece if isinstance(piece, str) else values.of(piece) for piece in self.pieces
        )

    @property
    def constant(self) -> str | None:
        """The text, if it is the same in every request."""
        texts = [piece for piece in self.pieces if isinstance(piece, str)]
        return "".join(texts) if len(texts) == len(self.pieces) else None

    @property
    def text(self) -> str:
        """The text with its placeholders, to be shown."""
        return "".join(piece if isinstance(piece, str) else str(piece) for piece in self.pieces)

    @classmethod
    def plain(cls, text: str) -> "Template":
        """A text without placeholders, whatever is in it."""
        return cls((text,))

    @classmethod
    def joined(cls, templates: Iterable["Template"]) -> "Template":
        """One after the other."""
        return cls(tuple(piece for template in templates for piece in template.pieces))


def parse_template(text: str) -> Template:
    """Read a text whose every brace means something; `{{` and `}}` are braces.

    Raises:
        ValueError: a placeholder is not known, or a brace stands alone.
    """
    pieces: list[str | Placeholder] = []
    for token in _TOKEN.findall(text):
        if token in {"{{", "}}"}:
            pieces.append(token[0])
        elif token in {"{", "}"}:
            raise ValueError(f"a {token} stands alone; write {token * 2} for a brace")
        elif token.startswith("{"):
            pieces.append(_placeholder(token))
        else:
            pieces.append(token)
    return Template(tuple(pieces))


def parse_body_template(text: str) -> Template:
    """Read a text in which just the placeholders themselves are replaced.

    Every other brace stays as it is, for bodies are JSON.

    Raises:
        ValueError: a `{random:SIZE}` is too large.
    """
    pieces: list[str | Placeholder] = []
    at = 0
    for found in _EXACT.finditer(text):
        pieces += [text[at : found.start()], _placeholder(found[0])]
        at = found.end()
    pieces.append(text[at:])
    return Template(tuple(piece for piece in pieces if piece))


def _placeholder(token: str) -> Placeholder:
    name, colon, size = token[1:-1].partition(":")
    if name == "random":
        if not size.isascii() or not size.isdecimal() or not 1 <= int(size[:9]) <= LARGEST_RANDOM:
            raise ValueError(
                f"{token[:40]}: its size must be a whole number from 1 to {LARGEST_RANDOM:,}"
            )
        return Placeholder(name, int(size))
    if name not in _PLACEHOLDERS or colon:
        close = difflib.get_close_matches(name, _PLACEHOLDERS, 1, cutoff=0.5)
        remedy = (
            f"did you mean {_PLACEHOLDERS[close[0]]}?"
            if close
            else f"there are {', '.join(_PLACEHOLDERS.values())}; {{{{ is a brace"
        )
        raise ValueError(f"{token[:40]} is no placeholder; {remedy}")
    return Placeholder(name)
