"""What there is to say of a run now, in plain values: for whoever draws it."""

import math
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tidemark.analysis import units
from tidemark.analysis.verdict.model import Forecast, ResourceVerdict
from tidemark.live import words
from tidemark.live.buckets import Buckets
from tidemark.live.follower import Follower
from tidemark.live.judging import Judge, Judged
from tidemark.live.words import Moment


@dataclass(frozen=True, slots=True)
class Level:
    """What a target holds now; None is unknown.

    Attributes:
        target: Its id.
        fds: Descriptors of the process that is nearest to its limit, ...
        fds_limit: ... and that limit.
        pid: That process.
        connections: Held by all of its processes.
        time_wait: In TIME_WAIT.
        threads: Of all of its processes.
        rss_bytes: Of all of its processes.
        processes: How many there are.
    """

    target: str
    fds: float | None
    fds_limit: float | None
    pid: float | None
    connections: float | None
    time_wait: float | None
    threads: float | None
    rss_bytes: float | None
    processes: float | None

    @property
    def share(self) -> float:
        """How much of the limit of descriptors is used; 0 where unknown."""
        return self.fds / self.fds_limit if self.fds and self.fds_limit else 0.0

    @property
    def descriptors(self) -> str:
        """The descriptors, and their limit, in words."""
        if not self.fds_limit or self.fds is None:
            return units.count(self.fds)
        return f"{units.count(self.fds)} of {units.count(self.fds_limit)} ({self.share:.0%})"


@dataclass(frozen=True, slots=True)
class Facts:
    """A run as it is now.

    Attributes:
        name: That of its directory.
        strategy: What is run; empty where nobody said.
        moment: Now.
        state: How it is getting on, in words.
        levels: Of each target that is followed.
        untold_targets: How many others there are.
        requests: So far; None where nobody counts them, as below.
        failures: So far.
        rates: Requests and failures a second.
        p99_ms: Of the last tick.
        load_s: Seconds of load so far; None before it began, and where nobody sends any.
        planned_s: How many seconds of load are planned; None where nobody said.
        is_final: Whether the verdict is on the whole of a run that has ended.
        result: The verdict so far as a program reads it; empty for none.
        verdict: The same in a word or two, ...
        severity: ... how grave that is: a name of `Severity`, or `none`.
        reason: Why.
        outlook: When it dies; empty where that is not known.
        outlook_in_short: The same in a few words.
        resources: What is said of each resource: its title, the verdict, how it grows.
        trouble: What is wrong with the run's files, or with its writer; empty if nothing is.
        unforeseen: The targets of which no forecast holds any more.
    """

    name: str
    strategy: str
    moment: Moment
    state: str
    levels: tuple[Level, ...]
    untold_targets: int
    requests: float | None
    failures: float | None
    rates: tuple[float, float] | None
    p99_ms: float | None
    load_s: float | None
    planned_s: float | None
    is_final: bool
    result: str
    verdict: str
    severity: str
    reason: str
    outlook: str
    outlook_in_short: str
    resources: tuple[dict[str, Any], ...]
    trouble: str
    unforeseen: frozenset[str] = frozenset()

    @property
    def foremost(self) -> list[Level]:
        """The targets, those first that are nearest to their limits."""
        return sorted(self.levels, key=lambda level: level.share, reverse=True)

    def to_json(self) -> dict[str, Any]:
        """As the page gets it."""
        withheld = ("levels", "unforeseen")
        return {name: value for name, value in asdict(self).items() if name not in withheld} | {
            "levels": {one.target: asdict(one) for one in self.levels}
        }


def gather(run: Follower, judge: Judge) -> Facts:
    """What there is to say of a run; hold its lock."""
    now = Moment(round(run.now_s, 2), run.origin_s, run.has_ended)
    judged = judge.judged
    unforeseen = frozenset() if judged is None else run.unforeseen(judged.until_s)
    return Facts(
        name=run.name,
        strategy=run.metadata.strategy or "",
        moment=now,
        state=_state(run, now),
        levels=tuple(_levels(run)),
        untold_targets=len(run.untold_targets),
        requests=run.requests.latest("requests"),
        failures=run.requests.latest("failures"),
        rates=run.rates(),
        p99_ms=run.requests.latest("p99_ms"),
        load_s=_load_s(run, now),
        planned_s=_planned_s(run),
        is_final=judged is not None and judged.is_final,
        result="" if judged is None else judged.assessment.result,
        verdict=words.verdict_word(judged),
        severity="none" if judged is None else judged.assessment.gravest.name.lower(),
        reason=words.verdict_reason(judged, judge.why_not),
        outlook=words.outlook(judged, now, unforeseen),
        outlook_in_short=words.outlook(judged, now, unforeseen, in_short=True),
        resources=tuple(_resources(judged, unforeseen)),
        trouble=_trouble(run, judge),
        unforeseen=unforeseen,
    )


def _levels(run: Follower) -> Iterable[Level]:
    """What each target holds; what is gone holds nothing, whatever it held last."""
    gone = run.gone
    for target, one in run.targets.items():
        known = _latest(one.levels)
        if target in gone:
            known = dict.fromkeys(known) | {"time_wait": known["time_wait"], "processes": 0.0}
        yield Level(target, **known)


def _latest(levels: Buckets) -> dict[str, float | None]:
    names = [name for name in Level.__dataclass_fields__ if name != "target"]
    return {name: levels.latest(name) for name in names}


def _state(run: Follower, now: Moment) -> str:
    if run.share_read < 0.99:
        return f"reading what is there: {run.share_read:.0%}"
    lasts = units.duration(round(now.elapsed_s))
    if not run.has_ended:
        return f"under way for {lasts}{_planned(run, now)}"
    because = run.metadata.raw.get("ended_because")
    why = f": {units.shortened(because, 200)}" if isinstance(because, str) and because else ""
    return f"{run.metadata.outcome} after {lasts}{why}"


def _load_s(run: Follower, now: Moment) -> float | None:
    return None if run.load_began_s is None else max(round(now.elapsed_s - run.load_began_s, 2), 0)


def _planned_s(run: Follower) -> float | None:
    told = run.metadata.load.get("run_time_s")
    if isinstance(told, bool) or not isinstance(told, int | float):
        return None
    return _finite(told)


def _planned(run: Follower, now: Moment) -> str:
    """How much there has been of the load that is planned."""
    load_s, planned_s = _load_s(run, now), _planned_s(run)
    if load_s is None or not planned_s:
        return ""
    if load_s > planned_s:
        return ", finishing"
    return f", {units.duration(round(load_s))} of {units.duration(planned_s)} of load"


def _trouble(run: Follower, judge: Judge) -> str:
    if run.trouble:
        return run.trouble
    if silent_s := run.silent_s:
        return f"nothing was written for {units.duration(round(silent_s))}: its writer may be gone"
    return f"not judged again: {judge.why_not}" if judge.judged and judge.why_not else ""


def _resources(judged: Judged | None, unforeseen: Collection[str]) -> Iterable[dict[str, Any]]:
    if judged is not None:
        ahead = words.forecasts(judged, unforeseen)
        for name, found in judged.assessment.verdict.resources.items():
            yield _told(found, ahead.get(name))


def _told(found: ResourceVerdict, forecast: Forecast | None) -> dict[str, Any]:
    return {
        "resource": found.resource,
        "title": found.metric.title,
        "verdict": found.verdict,
        "growth": words.growth(found),
        "reason": found.reason,
        "limit": found.limit,
        "forecast": forecast
        and {
            "made_at_s": round(forecast.made_at_elapsed_s, 2),
            "level": round(forecast.level, 2),
            "limit": forecast.limit,
            "at_s": _finite(forecast.elapsed_s),
            "low_s": _finite(forecast.interval_s.low),
            "high_s": _finite(forecast.interval_s.high),
        },
    }


def _finite(value: float) -> float | None:
    return round(value, 2) if math.isfinite(value) else None
