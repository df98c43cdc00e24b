"""The finding on a run in one line, as it stands above a picture."""

from collections.abc import Mapping, Sequence

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.model import Exhaustion, Interval, ResourceVerdict, Verdict
from tidemark.record.metrics import RESOURCES, Metric

SURVIVAL = 1.2
"""More than so many times the requests of the first death say that the service lived on."""

RARE = 0.1
"""Below so much per request, growth is told as one in so many requests."""

WORDS = {"leak": "leak", "clean": "clean", "inconclusive": "cannot tell"}
"""What each decision is called."""


def span(metric: Metric, interval: Interval | None) -> str:
    """Return an interval of growth: 7.7 to 7.9; nothing where there is none."""
    if interval is None:
        return ""
    return " to ".join(units.amount(metric, end, 3) for end in (interval.low, interval.high))


def moments(interval: Interval | None) -> str:
    """Return an interval of time: 3 min to never; nothing where there is none."""
    if interval is None:
        return ""
    high = units.duration(interval.high)
    return f"{units.duration(interval.low)} to {'never' if high == units.UNKNOWN else high}"


def growth(found: ResourceVerdict) -> str:
    """Return how fast a resource grows: per request where requests are known, else per hour."""
    metric = found.metric
    if found.per_request is None:
        return f"{units.quantity(metric, found.per_hour)} an hour"
    if metric.unit == "count" and 0 < found.per_request < RARE:
        every = units.number(1 / found.per_request, 2)
        return f"1 {metric.noun} every {every} requests"
    return f"{units.quantity(metric, found.per_request)} a request"


def reason(found: ResourceVerdict) -> str:
    """Return the reason of a verdict on a resource, which is named at its beginning."""
    title = found.metric.title
    if found.reason.lower().startswith(title.lower()):
        return title + found.reason[len(title) :]
    return f"{title}: {found.reason}"


def listed(names: Sequence[str]) -> str:
    """Return names as a sentence lists them: threads, connections and resident memory."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)


def leading(verdict: Verdict) -> ResourceVerdict | None:
    """Return the resource a verdict is about: what ran out, what will first, what leaks first."""
    found = verdict.resources
    first = verdict.exhausted.resource if verdict.exhausted else verdict.first_to_exhaust
    if first is not None and _leaks(found, first):
        return found[first]
    return next((found[name] for name in RESOURCES if _leaks(found, name)), None)


def _leaks(found: Mapping[str, ResourceVerdict], name: str) -> bool:
    return name in found and found[name].verdict == "leak"


def requests_seen(run: Run) -> float | None:
    """Return the requests answered or failed by the end of the run; None where unrecorded."""
    return float(run.requests["requests"].iloc[-1]) if len(run.requests) else None


def requests_answered(run: Run) -> float | None:
    """Return the requests answered by the end of the run; None where unrecorded."""
    if not len(run.requests):
        return None
    last = run.requests.iloc[-1]
    return float(last["requests"] - last["failures"])


def statement(run: Run, verdict: Verdict) -> str:
    """Return the finding alone: "7.8 descriptors a request, dead after 129 requests"."""
    found = leading(verdict)
    if found is None:
        return _level(run, verdict) + _cut_short(run, verdict)
    if verdict.exhausted:
        return f"{growth(found)}, {_death(run, verdict)}"
    return growth(found) + _outlook(found) + _cut_short(run, verdict)


def lived_on(run: Run, dead: Exhaustion) -> bool:
    """Return whether the service went on answering after something ran out.

    A limit that holds for each process is met by one of them; the others may go on.
    """
    answered = requests_answered(run) or 0.0
    return dead.requests is not None and answered > SURVIVAL * dead.requests


def _death(run: Run, verdict: Verdict) -> str:
    dead = verdict.exhausted
    if dead is None:
        return ""
    if dead.requests is None:
        return f"dead after {units.duration(dead.elapsed_s)}"
    who = "first process " if lived_on(run, dead) else ""
    return f"{who}dead after {units.count(dead.requests)} requests"


def _outlook(found: ResourceVerdict) -> str:
    if found.limit is None or found.requests_to_limit is None:
        return ""
    limit = units.amount(found.metric, found.limit, 4)
    return f", limit of {limit} in about {units.rounded(found.requests_to_limit)} requests"


def _level(run: Run, verdict: Verdict) -> str:
    word = "flat" if verdict.verdict == "clean" else "cannot tell"
    fds = verdict.resources.get("fds")
    if fds is None or fds.last is None:
        return word
    requests = requests_seen(run)
    after = units.duration(run.duration_s) if not requests else f"{units.count(requests)} requests"
    return f"{word}, {units.quantity(fds.metric, round(fds.last), 4)} after {after}"


def _cut_short(run: Run, verdict: Verdict) -> str:
    return " (run aborted)" if run.outcome == "aborted" and verdict.exhausted is None else ""
