"""From measured growth to a decision on one track."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial

from tidemark.analysis.verdict.first_growth import FirstGrowth
from tidemark.analysis.verdict.growth import Growth, later_parts, measure
from tidemark.analysis.verdict.model import Decision
from tidemark.analysis.verdict.tracks import Track
from tidemark.record.metrics import Measure

SURE = 0.002
"""A leak is called when the probability that there is no growth is below this."""
SUSPECT = 0.03
"""Below this, growth cannot be dismissed either."""
SURE_LATE = 0.1
"""The same for the second half alone, which has half of the data."""
SURE_MONOTONIC = 0.05
"""Level of the rank test that must agree."""
LATEST_START = 0.65
"""A growth that is judged on less than a third of the run is too recent to be called a leak, ..."""
LATEST_START_AFTER_SLOWING = 0.55
"""... and one that slowed down before needs more of the run than that."""
LEAST_WARM_SHARE = 0.35
"""A run of which less than this share comes after the first growth is judged as that."""
CLEAN_STEPS = 8.0
"""Growth over the run that may go unseen in a clean resource, in steps of its resolution, ..."""
CLEAN_LEVEL_SHARE = 0.2
"""... or as a share of its level, ..."""
CLEAN_SPREADS = 3.0
"""... or in standard deviations of its noise, ..."""
FLAT_CHANCE = 0.05
"""A later part is flat only if not even this much speaks for growth."""
SLOWER_SHARE = 0.6
"""A later part is flat only if it surely grows by less than this share of the whole's rate."""
CLEAN_LIMIT_SHARE = 0.05
"""... or as a share of the room that is left below its limit, whichever is most, ..."""
CLEAN_LIMIT_STEPS = 100.0
"""... that share being no more than so many steps."""


class Pattern(Enum):
    """What a track looks like."""

    FLAT = "flat"
    STEADY = "steady growth"
    SLOWING = "growth that slows down"
    RECENT = "recent growth"
    NOISY = "too noisy"
    SUSPECT = "a hint of growth"
    THIN = "too few samples"
    SHORT = "too short"
    EARLY = "within the first growth"
    FILLING = "as a pool that fills"
    FEW_COLLECTIONS = "too few collections"
    UNCOLLECTED = "not collected yet"
    NOT_SEEN = "none was ever seen"
    UNREAD = "cannot have been read"
    NOT_READ = "was not read"
    EXHAUSTED = "reached its limit"
    AS_CONTROL = "as the control"
    BEYOND_CONTROL = "beyond the control"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision on one track.

    Attributes:
        decision: `leak`, `clean` or `inconclusive`.
        pattern: Why.
        growth: What was measured; None where there was too little.
        hidden: By how much it may have grown over the judged part without showing.
    """

    decision: Decision
    pattern: Pattern
    growth: Growth | None
    hidden: float = 0.0

    @property
    def excluded(self) -> float | None:
        """Growth per unit of x above which there is none, with 95 %; None where unknown."""
        if self.growth is None:
            return None
        return self.growth.upper + self.hidden / self.growth.longest_span


def decide(
    track: Track,
    scale: Measure,
    room: float | None,
    tests: int = 1,
    first: FirstGrowth | None = None,
) -> Judgement:
    """Decide on one track.

    Args:
        track: The track.
        scale: What counts for this resource.
        room: What is left below the limit; None without a limit.
        tests: How many tracks of the resource are judged: each must be surer than one alone.
        first: What the service does before it is warm; None where that is not known to matter.
    """
    if first is None:
        return _decide(track, scale, room, tests)
    is_early = first.share_after(track) < LEAST_WARM_SHARE
    found = _decide(track, scale, room, tests, first.tolerated if is_early else math.inf)
    growth = found.growth
    if growth is None:
        return found
    if found.decision == "leak" and growth.total <= first.allowed(growth):
        found = _after(first, track, found, partial(_decide, scale=scale, room=room, tests=tests))
    elif found.decision == "clean" and is_early and _grows(growth, first.shown, tests):
        found = replace(found, decision="inconclusive", pattern=Pattern.EARLY)
    return replace(found, hidden=first.hidden)


def _after(
    first: FirstGrowth, track: Track, found: Judgement, judge: Callable[[Track], Judgement]
) -> Judgement:
    """The judgement on what comes after the first growth, where that explains what was found.

    What surely goes on growing there, if too little for a leak, is not called level.
    """
    early = replace(found, decision="inconclusive", pattern=Pattern.EARLY)
    warm = track.where(first.is_over(track))
    later = judge(warm) if len(warm) else early
    if later.growth is None:
        return early
    if later.decision == "clean":
        return early if _grows(later.growth, first.shown, 1) else later
    return later if later.growth.total > first.wander else early


def _grows(growth: Growth, least: float, tests: int) -> bool:
    """Whether there surely is growth, if little."""
    is_sure = growth.chance < SURE / tests and growth.chance_late < SURE_LATE
    return is_sure and growth.total > least


def _decide(
    track: Track, scale: Measure, room: float | None, tests: int, most: float = math.inf
) -> Judgement:
    growth = measure(track, scale.resolution)
    if growth is None:
        return Judgement("inconclusive", Pattern.THIN, None)
    tolerated = partial(_tolerated, scale=scale, room=room, most=most)
    found = _judge(growth, scale, tolerated, tests)
    if found.decision != "inconclusive":
        return found
    for later in later_parts(track, scale.resolution, growth.start):
        if _is_flat(later, tolerated) and _is_slower(later, growth, CLEAN_STEPS * scale.resolution):
            return Judgement("clean", Pattern.FLAT, later)
    return found


def _judge(
    growth: Growth, scale: Measure, tolerated: Callable[[Growth], float], tests: int
) -> Judgement:
    least = max(scale.least_growth, scale.least_share * float(growth.points.y.mean()))
    matters = growth.total >= least
    goes_on = growth.chance_late < SURE_LATE and growth.monotonic_chance < SURE_MONOTONIC
    if growth.slowing and growth.chance_late < SURE_LATE and matters:
        return Judgement("inconclusive", Pattern.SLOWING, growth)
    if growth.chance < SURE / tests and matters and goes_on and not growth.slowing:
        latest = LATEST_START_AFTER_SLOWING if growth.slowed else LATEST_START
        if growth.start > latest:
            return Judgement("inconclusive", Pattern.RECENT, growth)
        return Judgement("leak", Pattern.STEADY, growth)
    if growth.chance < SUSPECT / tests and matters:
        return Judgement("inconclusive", Pattern.SUSPECT, growth)
    if _unseen(growth) > tolerated(growth):
        return Judgement("inconclusive", Pattern.NOISY, growth)
    return Judgement("clean", Pattern.FLAT, growth)


def _is_flat(growth: Growth, tolerated: Callable[[Growth], float]) -> bool:
    return (
        not growth.slowing and growth.chance > FLAT_CHANCE and _unseen(growth) <= tolerated(growth)
    )


def _is_slower(later: Growth, whole: Growth, trifle: float) -> bool:
    """Whether the later part surely grows less than the whole did, if that was no trifle."""
    rate = max(whole.slope, whole.mean_slope)
    return later.upper < SLOWER_SHARE * rate or rate * whole.longest_span < trifle


def _unseen(growth: Growth) -> float:
    """Growth over the judged part that is not excluded."""
    return growth.upper * growth.longest_span


def _tolerated(growth: Growth, scale: Measure, room: float | None, most: float) -> float:
    """Growth over the judged part that may go unseen in what is called clean, `most` at most."""
    level = float(growth.points.y.mean())
    least = CLEAN_STEPS * scale.resolution
    limit = min(CLEAN_LIMIT_SHARE * (room or 0.0), CLEAN_LIMIT_STEPS * scale.resolution)
    usual = max(CLEAN_LEVEL_SHARE * level, CLEAN_SPREADS * growth.spread, limit)
    return max(least, min(usual, most))
