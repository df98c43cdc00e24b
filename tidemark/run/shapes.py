"""The shapes that a load can have: what they are called, and what can be said of each."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from tidemark.record import options as value
from tidemark.record.options import Option
from tidemark.run.curve import CONSTANT, Curve, Piece

DAY_PIECES = 48
"""A wave is so many straight pieces: at most 0.2 % of its height beside the cosine."""
MOST_STEPS = 1000
MOST_FACTOR = 1000.0


@dataclass(frozen=True, slots=True)
class Parameter:
    """Something that can be said of a shape.

    Attributes:
        parse: turns its text into a figure; raises ValueError with what is wanted.
        default: its text where nobody says anything.
        told: turns the figure into a text again.
    """

    parse: Callable[[str], float]
    default: str
    told: Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Kind:
    """A shape before anything is said of it.

    Attributes:
        curve: makes its curve of its parameters; raises ValueError where they do not go together.
        parameters: what can be said of it.
    """

    curve: Callable[[Mapping[str, float]], Curve]
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class Shape:
    """A shape of a load.

    Attributes:
        text: how it is written, all that can be said of it included.
        curve: the rate over time, in multiples of the load's.
    """

    text: str
    curve: Curve

    @classmethod
    def read(cls, given: str) -> Self:
        """Read `NAME` or `NAME:KEY=VALUE,...`.

        Raises:
            ValueError: It is none; says what there is.
        """
        name, colon, rest = str(given).strip().partition(":")
        if name not in KINDS:
            known = ", ".join(KINDS)
            raise ValueError(f"must be one of {known}, as in {EXAMPLE}, not {value.shown(given)}")
        kind = KINDS[name]
        texts = {key: parameter.default for key, parameter in kind.parameters.items()}
        texts |= _said(name, kind, rest) if colon else {}
        try:
            figures = {key: _figure(kind, key, text) for key, text in texts.items()}
            curve = kind.curve(figures)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        told = [f"{key}={kind.parameters[key].told(figure)}" for key, figure in figures.items()]
        return cls(f"{name}:{','.join(told)}" if told else name, curve)


def _said(name: str, kind: Kind, text: str) -> Iterator[tuple[str, str]]:
    """What is said of a shape, in its parts."""
    for part in text.split(","):
        key, equals, said = (one.strip() for one in part.partition("="))
        if key not in kind.parameters or not equals:
            known = " and ".join(f"{one}=" for one in kind.parameters) or "nothing more"
            raise ValueError(f"{name} takes {known}, not {value.shown(part)}")
        yield key, said


def _figure(kind: Kind, key: str, text: str) -> float:
    try:
        return kind.parameters[key].parse(text)
    except ValueError as error:
        raise ValueError(f"{key} {error}") from error


def read_shape(given: Any) -> str:
    """A shape as it is written, once it has been found good."""
    return Shape.read(given).text


# -- parameters --------------------------------------------------------------------------------


def _time(default: str) -> Parameter:
    return Parameter(value.duration, default, value.duration_text)


# -- curves ------------------------------------------------------------------------------------


def _flat(lasts_s: float, level: float = 1.0) -> Piece:
    return Piece(lasts_s, level, level)


def _ramp(said: Mapping[str, float]) -> Curve:
    return CONSTANT.after_ramp(said["over"])


def _steps(said: Mapping[str, float]) -> Curve:
    count = int(said["count"])
    steps = (_flat(said["each"], step / count) for step in range(1, count))
    return Curve(CONSTANT.cycle, tuple(steps))


def _spikes(said: Mapping[str, float]) -> Curve:
    every_s, lasts_s = said["every"], said["for"]
    if lasts_s >= every_s:
        raise ValueError("for must be shorter than every")
    return Curve((_flat(lasts_s, said["factor"]), _flat(every_s - lasts_s)), (_flat(every_s),))


def _day_and_night(said: Mapping[str, float]) -> Curve:
    """A wave that begins where it is highest."""
    night = said["night"]
    turns = (math.cos(2 * math.pi * step / DAY_PIECES) for step in range(DAY_PIECES + 1))
    levels = (night + (1 - night) * (1 + turn) / 2 for turn in turns)
    lasts_s = said["period"] / DAY_PIECES
    return Curve(tuple(Piece(lasts_s, *ends) for ends in itertools.pairwise(levels)))


KINDS: Mapping[str, Kind] = {
    "constant": Kind(lambda _: CONSTANT, {}),
    "ramp": Kind(_ramp, {"over": _time("10m")}),
    "steps": Kind(
        _steps,
        {
            "count": Parameter(value.integer(2, MOST_STEPS), "5", "{:g}".format),
            "each": _time("10m"),
        },
    ),
    "spikes": Kind(
        _spikes,
        {
            "every": _time("10m"),
            "for": _time("30s"),
            "factor": Parameter(value.number(1, MOST_FACTOR, exclusive=True), "5", "{:g}".format),
        },
    ),
    "day-night": Kind(
        _day_and_night,
        {
            "night": Parameter(value.share, "20%", lambda share: f"{100 * share:g}%"),
            "period": _time("24h"),
        },
    ),
}
"""Every shape by its name."""
NAMES = tuple(KINDS)
EXAMPLE = "spikes:every=10m,for=30s,factor=5"

SHAPE = Option(
    "shape",
    read_shape,
    "constant",
    f"how the rate goes over time, --rate being its measure: {', '.join(NAMES)}; more may be said "
    f"of it, as in {EXAMPLE}",
    "NAME[:KEY=VALUE,...]",
    suggested=NAMES,
)
"""The shape of the load of a run."""
