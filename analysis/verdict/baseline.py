"""Two versions of a service: did this one get worse than that one?"""

from dataclasses import dataclass
from typing import Literal

from tidemark.analysis import units
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.control import difference
from tidemark.analysis.verdict.model import Interval, ResourceVerdict, Verdict
from tidemark.record.metrics import Metric

Change = Literal["worse", "same", "better", "cannot tell"]

TRIFLE_SHARE = 0.05
"""A difference below this share of the larger of the two is none that anybody would act on."""


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


def compare_verdicts(current: Verdict, baseline: Verdict) -> tuple[ResourceChange, ...]:
    """Compare two verdicts resource by resource, in the order of `METRICS`."""
    return tuple(
        _compare(found, baseline.resources[name]) for name, found in current.resources.items()
    )


def _compare(current: ResourceVerdict, baseline: ResourceVerdict) -> ResourceChange:
    name, metric = current.resource, current.metric
    per_request = current.per_request is not None and baseline.per_request is not None
    now, now_interval = _growth(current, per_request=per_request)
    then, then_interval = _growth(baseline, per_request=per_request)
    if now is None or then is None or now_interval is None or then_interval is None:
        reason = f"{metric.phrase}: unknown growth in one of the runs"
        return ResourceChange(name, "cannot tell", now, then, None, None, per_request, reason)
    interval = difference(now, now_interval, then, then_interval)
    least = metric.judged.trifle if metric.judged and per_request else 0.0
    trifle = max(least, TRIFLE_SHARE * max(abs(now), abs(then)))
    both_clean = current.verdict == baseline.verdict == "clean"
    change = _change(now - then, interval, trifle, both_clean=both_clean)
    reason = _sentence(metric, change, now - then, interval, per_request=per_request)
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
    metric: Metric, change: Change, moved: float, interval: Interval, *, per_request: bool
) -> str:
    per = "a request" if per_request else "an hour"
    told = {"worse": "faster growth", "better": "slower growth", "same": "growth as before"}
    what = told.get(change, "growth that cannot be told apart")
    amount = units.quantity(metric, moved, 3)
    return f"{metric.phrase}: {what}, by {amount} {per} ({headline.span(metric, interval)})"
