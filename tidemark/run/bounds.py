"""Levels of a resource at which a run is to end: `--stop-at fds=90%`."""

import re
from dataclasses import dataclass
from typing import Any, Self

from tidemark.record import options as value
from tidemark.record.metrics import RESOURCES, Metric, metric
from tidemark.record.options import Option

NAMES = {"memory" if name == "rss_bytes" else name: name for name in RESOURCES}
"""What each resource is called here -> its name in the registry."""
_SIZES = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


@dataclass(frozen=True, slots=True)
class Bound:
    """One of them.

    Attributes:
        text: as it was given.
        metric: what is bounded.
        level: how much of it; a share of its limit if `is_share`.
        is_share: whether it is measured by the limit.
    """

    text: str
    metric: Metric
    level: float
    is_share: bool

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `fds=90%`, `connections=5000` or `memory=2GiB`.

        Raises:
            ValueError: It is none; says what there is.
        """
        name, equals, amount = (part.strip() for part in text.partition("="))
        if name not in NAMES or not equals:
            known = ", ".join(NAMES)
            raise ValueError(
                f"must be RESOURCE=LEVEL such as fds=90%, of {known}, not {value.shown(text)}"
            )
        found = metric(NAMES[name])
        try:
            return cls(f"{name}={amount}", found, _level(found, amount), amount.endswith("%"))
        except ValueError as error:
            raise ValueError(f"{name} {error}") from error

    def __str__(self) -> str:
        """As it was given."""
        return self.text


def _level(found: Metric, text: str) -> float:
    if text.endswith("%"):
        if found.limit is None:
            raise ValueError(f"has no limit that could be a part of: name a number, not {text}")
        if share := value.share(text):
            return share
        raise ValueError("must be more than 0%")
    return _bytes(text) if found.unit == "bytes" else value.integer(1)(text)


def _bytes(text: str) -> float:
    parts = re.fullmatch(r"(\d+(?:\.\d+)?) ?([A-Za-z]*)", text, re.ASCII)
    size = _SIZES.get(parts[2] or "B") if parts else None
    if parts is None or size is None or not float(parts[1]):
        raise ValueError(f"must be a size such as 512MiB, 2GiB or 90%, not {value.shown(text)}")
    return float(parts[1]) * size


def _bounds(given: Any) -> tuple[Bound, ...]:
    each = given if isinstance(given, tuple) else value.several(given)
    return tuple(one if isinstance(one, Bound) else Bound.read(str(one)) for one in each)


STOP_AT = Option(
    "stop_at",
    _bounds,
    (),
    "end the run, as failed, once a target has so much of a resource: fds=90% of its limit, "
    f"memory=2GiB, threads=500; of {', '.join(NAMES)}; repeatable",
    "RESOURCE=LEVEL",
    is_repeatable=True,
)
"""At which levels a run ends."""
