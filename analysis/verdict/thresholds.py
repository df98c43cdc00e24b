"""Thresholds on growth: what a gate allows where a verdict alone is too strict or too lax."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidemark.analysis import units
from tidemark.analysis.verdict.model import RESOURCES, Verdict
from tidemark.analysis.verdict.reasons import NAMES, rate
from tidemark.record.errors import UnusableRunError


@dataclass(frozen=True, slots=True)
class Violation:
    """A resource that grows by more than it may, or of which that cannot be said.

    Attributes:
        resource: Its name.
        allowed: Growth per request that is allowed.
        found: Growth per request that was found; None where it is unknown.
        certain: Whether the whole 90 % interval lies above what is allowed.
        reason: A sentence.
    """

    resource: str
    allowed: float
    found: float | None
    certain: bool
    reason: str


def parse_thresholds(texts: Iterable[str]) -> dict[str, float]:
    """Read thresholds such as `fds=0.01`.

    Raises:
        UnusableRunError: One is not RESOURCE=NUMBER; the message names the resources there are.
    """
    return dict(_parse(text) for text in texts)


def _parse(text: str) -> tuple[str, float]:
    name, equals, figure = (part.strip() for part in text.partition("="))
    try:
        allowed = float(figure)
    except ValueError:
        allowed = math.nan
    if name not in RESOURCES or not equals or not math.isfinite(allowed) or allowed < 0:
        raise UnusableRunError(
            "--max-per-request",
            f"{text!r} is not RESOURCE=GROWTH",
            f"name one of {', '.join(RESOURCES)} and a number of at least 0, as in fds=0.01",
        )
    return name, allowed


def apply_thresholds(verdict: Verdict, allowed: Mapping[str, float]) -> list[Violation]:
    """The thresholds that a run violates, in the order of the resources; empty when none.

    A resource violates its threshold when its growth per request is above it. The violation is
    certain when the whole interval is; a growth whose interval reaches above the threshold is
    none as long as its best estimate is below.

    Args:
        verdict: The verdict on the run.
        allowed: Growth per request that is allowed, by resource.
    """
    found = []
    for name in RESOURCES:
        if name in allowed:
            violation = _violation(verdict, name, allowed[name])
            if violation is not None:
                found.append(violation)
    return found


def _violation(verdict: Verdict, name: str, allowed: float) -> Violation | None:
    resource = verdict.resources[name]
    label, noun = NAMES[name]
    limit = f"{units.amount(name, allowed, 3)} {noun} a request"
    growth = resource.per_request
    if growth is None:
        reason = f"{label}: growth per request is unknown, so that at most {limit} cannot be shown"
        return Violation(name, allowed, None, certain=False, reason=reason)
    if growth <= allowed:
        return None
    interval = resource.per_request_interval
    certain = interval is not None and interval.low > allowed
    reason = f"{label}: grow by {rate(resource)}; at most {limit} are allowed"
    return Violation(name, allowed, growth, certain=certain, reason=reason)
