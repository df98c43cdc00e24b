"""Two versions of a service: did this one get worse than that one?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.control import difference
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import RESOURCES, Interval, ResourceVerdict, Verdict
from tidemark.analysis.verdict.reasons import NAMES

Change = Literal["worse", "same", "better", "cannot tell"]

TRIFLE = {"fds": 0.01, "connections": 0.01, "threads": 0.01, "rss_bytes": 1024.0}
"""A difference per request below this is none that anybody would act on, ..."""
TRIFLE_SHARE = 0.05
"""... nor is one below this share of the larger of the two."""


@dataclass(frozen=True, slots=True)
class ResourceChange:
    """How the growth of one resource differs between two runs.

    Attributes:
        resource: Its name.
        change: `worse` or `better` when the interval of the difference lies on one side of zero
            and the difference is no trifle; `same` when it is a trifle, or when neither run
            leaks and the interval holds zero; else `cannot tell`.
        current: Growth in the current run.
        baseline: Growth in the baseline run.
        difference: Current minus baseline; None where either is unknown.
        interval: 90 % interval of it.
        per_request: Whether growth is per request; if not, it is per hour.
        reason: A sentence.
    """

    resource: str
    change: Change
    current: float | None
    baseline: float | None
    difference: float | None
    interval: Interval | None
    per_request: bool
    reason: str

    def to_json(self) -> dict[str, object]:
        """The change as JSON."""
        return {
            "change": self.change,
            "reason": self.reason,
            "current": self.current,
            "baseline": self.baseline,
            "difference": self.difference,
            "difference_interval": None if self.interval is None else self.interval.to_json(),
            "unit": "per_request" if self.per_request else "per_hour",
        }


def compare_runs(current: Run, baseline: Run) -> dict[str, ResourceChange]:
    """Judge two runs and compare them resource by resource.

    Raises:
        UnusableRunError: A run holds no sample of any process of the target.
    """
    return compare_verdicts(judge(current), judge(baseline))


def compare_verdicts(current: Verdict, baseline: Verdict) -> dict[str, ResourceChange]:
    """Compare two verdicts resource by resource, in the order of `RESOURCES`."""
    return {name: _compare(current.resources[name], baseline.resources[name]) for name in RESOURCES}


def _compare(current: ResourceVerdict, baseline: ResourceVerdict) -> ResourceChange:
    name = current.resource
    per_request = current.per_request is not None and baseline.per_request is not None
    now, now_interval = _growth(current, per_request=per_request)
    then, then_interval = _growth(baseline, per_request=per_request)
    if now is None or then is None or now_interval is None or then_interval is None:
        reason = f"{NAMES[name][0]}: growth is unknown in one of the runs"
        return ResourceChange(name, "cannot tell", now, then, None, None, per_request, reason)
    interval = difference(now, now_interval, then, then_interval)
    trifle = max(TRIFLE[name] if per_request else 0.0, TRIFLE_SHARE * max(abs(now), abs(then)))
    both_clean = current.verdict == baseline.verdict == "clean"
    change = _change(now - then, interval, trifle, both_clean=both_clean)
    reason = _sentence(name, change, now - then, interval, per_request=per_request)
    return ResourceChange(name, change, now, then, now - then, interval, per_request, reason)


def _growth(found: ResourceVerdict, *, per_request: bool) -> tuple[float | None, Interval | None]:
    if per_request:
        return found.per_request, found.per_request_interval
    return found.per_hour, found.per_hour_interval


def _change(moved: float, interval: Interval, trifle: float, *, both_clean: bool) -> Change:
    if not interval.contains(0.0):
        if abs(moved) <= trifle:
            return "same"
        return "worse" if moved > 0 else "better"
    within = -trifle <= interval.low and interval.high <= trifle
    return "same" if within or both_clean else "cannot tell"


def _sentence(
    name: str, change: Change, moved: float, interval: Interval, *, per_request: bool
) -> str:
    label, noun = NAMES[name]
    figures = [units.amount(name, value, 3) for value in (moved, interval.low, interval.high)]
    per = "a request" if per_request else "an hour"
    told = {"worse": "grow faster", "better": "grow more slowly", "same": "grow as before"}
    verb = told.get(change, "cannot be told apart")
    return f"{label}: {verb}, by {figures[0]} ({figures[1]} to {figures[2]}) {noun} {per}"
