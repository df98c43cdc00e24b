"""How densely the rows of a long run are kept as they grow old."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.record.options import Option, duration

LEAST_AGE_S = 60.0
"""What is younger is left as it was written: those who follow a run read it then."""


@dataclass(frozen=True, slots=True)
class Tier:
    """One step of a retention, such as `6h@1s`.

    Attributes:
        age_s: Up to which age it holds, seconds.
        spacing_s: How far apart ticks are kept, seconds.
        text: As it was given.
    """

    age_s: float
    spacing_s: float
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Retention:
    """What is kept of a run, from its youngest rows to its oldest.

    Rows up to the age of the first tier stay as they were written. The last tier holds for all that
    is older, too: nothing is ever lost whole.

    Attributes:
        tiers: Two at least, ages and spacings rising.
    """

    tiers: tuple[Tier, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.tiers))

    def period_s(self, now_s: float) -> float:
        """How long it is worth while to wait before thinning again, seconds.

        A table is copied each time, so that a long one waits longer; it has a hundredth more rows
        than it must, at most, or a sixth more of the young ones.
        """
        return max(self.tiers[0].age_s / 6, now_s / 100)

    def cuts(self, now_s: float) -> tuple[tuple[float, float], ...]:
        """What holds at a moment of the run.

        Args:
            now_s: `elapsed_s` of the moment.

        Returns:
            From young to old: before which `elapsed_s`, and how far apart ticks are kept there,
            seconds. Each is a whole multiple of its spacing, so that what was thinned once stays as
            it is.
        """
        return tuple(
            (math.floor((now_s - younger.age_s) / tier.spacing_s) * tier.spacing_s, tier.spacing_s)
            for younger, tier in zip(self.tiers, self.tiers[1:], strict=False)
        )

    def check(self, interval_s: float) -> None:
        """Refuse what would thin what is recorded now.

        Raises:
            OptionError: The first tier asks for less than what is recorded.
        """
        first = self.tiers[0]
        if first.spacing_s > interval_s:
            raise OptionError(
                f"--retain: {first} keeps less than every tick of {interval_s:g} s: "
                f"record less often with --interval {first.spacing_s:g}",
                about=["retain", "interval"],
            )


def retention(value: Any) -> Retention | None:
    """`6h@1s,7d@10s`: every second for six hours, then every ten seconds."""
    if isinstance(value, Retention) or value is None or not str(value).strip():
        return value or None
    tiers = tuple(_tier(part.strip()) for part in str(value).split(","))
    if len(tiers) < 2:
        raise ValueError("must name two steps at least, such as 6h@1s,7d@10s")
    _check_order(tiers)
    return Retention(tiers)


def _tier(text: str) -> Tier:
    age, at, spacing = text.partition("@")
    if not at:
        raise ValueError(f"must be steps of an age and a spacing, such as 6h@1s, not {text!r}")
    return Tier(duration(age), duration(spacing), text)


def _check_order(tiers: Sequence[Tier]) -> None:
    older_ones = tiers[1:]
    for younger, older in zip(tiers, older_ones, strict=False):
        if older.age_s <= younger.age_s or older.spacing_s <= younger.spacing_s:
            raise ValueError(f"must go from young and dense to old and thin: {younger}, {older}")
    if tiers[0].age_s < LEAST_AGE_S:
        raise ValueError(f"must leave the first {LEAST_AGE_S:g} s at least, not {tiers[0]}")


RETAIN = Option(
    "retain",
    retention,
    None,
    "thin a long run as it ages: 6h@1s,7d@10s keeps every tick of the last six hours, and one in "
    "ten seconds of what is older; none: keep all",
    "STEPS",
)
"""The option, of whoever writes tables."""
