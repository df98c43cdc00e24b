"""A run under way as metrics of Prometheus: what it holds, what is said of it so far.

What is not known is absent, never 0; before the first verdict there is none of its metrics.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from tidemark.analysis.verdict.findings import Severity
from tidemark.analysis.verdict.model import Decision, Interval, ResourceVerdict, Verdict
from tidemark.live.facts import Facts, Level
from tidemark.live.judging import Judged
from tidemark.live.watching import Watched
from tidemark.live.words import near_forecast
from tidemark.record.exposition import family, labels, number

VERDICTS: tuple[str, ...] = get_args(Decision)
SEVERITIES = tuple(one.name.lower() for one in Severity)

Labels = dict[str, str]
Told = Iterable[tuple[Labels, float | None]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a page is made of.

    Attributes:
        facts: The run now.
        judged: The verdict so far; None before the first.
        sampled_s: Unix time of the last row; None before it.
    """

    facts: Facts
    judged: Judged | None
    sampled_s: float | None

    @property
    def verdicts(self) -> Iterator[tuple[str, Verdict]]:
        """The verdict on each target, by its id."""
        if self.judged is None:
            return
        assessment = self.judged.assessment
        for one in assessment.targets:
            yield one.id, one.found
        if not assessment.targets:
            yield next(iter(assessment.run.target_ids), ""), assessment.verdict

    @property
    def resources(self) -> Iterator[tuple[Labels, ResourceVerdict]]:
        """What is said of each resource of each target."""
        for target, verdict in self.verdicts:
            for name, found in verdict.resources.items():
                yield {"target": target, "resource": name}, found


@dataclass(frozen=True, slots=True)
class Exported:
    """One metric.

    Attributes:
        name: Its name, with the unit in it.
        help: What it is.
        read: Labels and values; None is unknown, and left out.
        kind: `gauge` or `counter`.
    """

    name: str
    help: str
    read: Callable[[Snapshot], Told]
    kind: str = "gauge"

    def known(self, now: Snapshot) -> Iterator[tuple[Labels, float]]:
        """Labels and values, of what is known."""
        for about, value in self.read(now):
            if value is not None and math.isfinite(value):
                yield about, value

    def lines(self, now: Snapshot) -> Iterator[str]:
        """As they stand on the page."""
        told = [f"{labels(about)} {number(value)}" for about, value in self.known(now)]
        return family(self.name, self.help, self.kind, told)


def snapshot(watched: Watched) -> Snapshot:
    """What there is to tell in this moment."""
    with watched.run.lock:
        run = watched.run
        sampled_s = None if run.origin_s is None else run.origin_s + run.elapsed_s
        return Snapshot(watched.facts(), watched.judge.judged, sampled_s)


def metrics_page(watched: Watched) -> str:
    """The page, of this moment."""
    now = snapshot(watched)
    return "".join(f"{line}\n" for metric in EXPORTED for line in metric.lines(now))


# -- how they are read ---------------------------------------------------------------------------


def _of_run(read: Callable[[Facts], float | None]) -> Callable[[Snapshot], Told]:
    return lambda now: [({}, read(now.facts))]


def _of_target(read: Callable[[Level], float | None]) -> Callable[[Snapshot], Told]:
    return lambda now: [({"target": one.target}, read(one)) for one in now.facts.levels]


def _of_resource(
    read: Callable[[ResourceVerdict], float | None],
) -> Callable[[Snapshot], Told]:
    return lambda now: [(about, read(found)) for about, found in now.resources]


def _left(read: Callable[[ResourceVerdict], float | None]) -> Callable[[Snapshot], Told]:
    """Seconds until a moment of the run; none of what has ended, for that dies no more."""

    def left(now: Snapshot) -> Told:
        if now.facts.moment.has_ended:
            return
        for about, found in now.resources:
            at_s = None if about["target"] in now.facts.unforeseen else read(found)
            yield about, None if at_s is None else max(at_s - now.facts.moment.elapsed_s, 0.0)

    return left


def _low(interval: Interval | None) -> float | None:
    return None if interval is None else interval.low


def _high(interval: Interval | None) -> float | None:
    return None if interval is None else interval.high


def _at_s(found: ResourceVerdict) -> float | None:
    forecast = near_forecast(found)
    return None if forecast is None else forecast.elapsed_s


def _interval_s(found: ResourceVerdict) -> Interval | None:
    forecast = near_forecast(found)
    return None if forecast is None else forecast.interval_s


def _info(now: Snapshot) -> Told:
    yield {"run": now.facts.name, "strategy": now.facts.strategy}, 1.0


def _states(about: Labels, label: str, states: Iterable[str], holds: str) -> Told:
    return [({**about, label: one}, float(one == holds)) for one in states]


def _verdict(now: Snapshot) -> Told:
    if now.judged is None:
        return ()
    return _states({}, "verdict", VERDICTS, now.judged.assessment.verdict.verdict)


def _severity(now: Snapshot) -> Told:
    return () if now.judged is None else _states({}, "severity", SEVERITIES, now.facts.severity)


def _resource_verdicts(now: Snapshot) -> Told:
    for about, found in now.resources:
        yield from _states(about, "verdict", VERDICTS, found.verdict)


def _milliseconds(value: float | None) -> float | None:
    return None if value is None else value / 1000


EXPORTED = (
    Exported("tidemark_run_info", "What is run: its folder and its strategy.", _info),
    Exported(
        "tidemark_run_under_way",
        "1 while the run goes on, 0 once it has ended.",
        _of_run(lambda facts: float(not facts.moment.has_ended)),
    ),
    Exported(
        "tidemark_run_elapsed_seconds",
        "Since the run began.",
        _of_run(lambda facts: facts.moment.elapsed_s),
    ),
    Exported(
        "tidemark_last_sample_timestamp_seconds",
        "Unix time of the last tick.",
        lambda now: [({}, now.sampled_s)],
    ),
    Exported(
        "tidemark_requests_total",
        "Requests that were answered or failed.",
        _of_run(lambda facts: facts.requests),
        "counter",
    ),
    Exported(
        "tidemark_failures_total",
        "Requests that failed.",
        _of_run(lambda facts: facts.failures),
        "counter",
    ),
    Exported(
        "tidemark_request_p99_seconds",
        "99th percentile of the response times of the last tick.",
        _of_run(lambda facts: _milliseconds(facts.p99_ms)),
    ),
    Exported(
        "tidemark_target_open_fds",
        "File descriptors of the process that is nearest to its limit.",
        _of_target(lambda level: level.fds),
    ),
    Exported(
        "tidemark_target_max_fds",
        "Limit of file descriptors of that process.",
        _of_target(lambda level: level.fds_limit),
    ),
    Exported(
        "tidemark_target_connections",
        "TCP connections held by all processes of the target.",
        _of_target(lambda level: level.connections),
    ),
    Exported(
        "tidemark_target_time_wait_connections",
        "TCP connections in TIME_WAIT.",
        _of_target(lambda level: level.time_wait),
    ),
    Exported(
        "tidemark_target_threads",
        "Threads of all processes of the target.",
        _of_target(lambda level: level.threads),
    ),
    Exported(
        "tidemark_target_resident_memory_bytes",
        "Resident set size of all processes of the target.",
        _of_target(lambda level: level.rss_bytes),
    ),
    Exported(
        "tidemark_target_processes",
        "Processes of the target.",
        _of_target(lambda level: level.processes),
    ),
    Exported("tidemark_verdict", "The verdict so far: 1 for the one that holds.", _verdict),
    Exported(
        "tidemark_severity",
        "How grave the gravest finding so far is: 1 for the one that holds.",
        _severity,
    ),
    Exported(
        "tidemark_resource_verdict",
        "The verdict so far on each resource: 1 for the one that holds.",
        _resource_verdicts,
    ),
    Exported(
        "tidemark_resource_growth_per_request",
        "Growth with each answered request, in the unit of the resource.",
        _of_resource(lambda found: found.per_request),
    ),
    Exported(
        "tidemark_resource_growth_per_request_low",
        "Lower end of its 90 % interval.",
        _of_resource(lambda found: _low(found.per_request_interval)),
    ),
    Exported(
        "tidemark_resource_growth_per_request_high",
        "Upper end of its 90 % interval.",
        _of_resource(lambda found: _high(found.per_request_interval)),
    ),
    Exported(
        "tidemark_resource_growth_per_hour",
        "Growth in an hour at the load of the run, in the unit of the resource.",
        _of_resource(lambda found: found.per_hour),
    ),
    Exported(
        "tidemark_resource_growth_per_hour_low",
        "Lower end of its 90 % interval.",
        _of_resource(lambda found: _low(found.per_hour_interval)),
    ),
    Exported(
        "tidemark_resource_growth_per_hour_high",
        "Upper end of its 90 % interval.",
        _of_resource(lambda found: _high(found.per_hour_interval)),
    ),
    Exported(
        "tidemark_exhaustion_seconds",
        "Until the resource reaches its limit, by what it grows by.",
        _left(_at_s),
    ),
    Exported(
        "tidemark_exhaustion_low_seconds",
        "Lower end of its 90 % interval.",
        _left(lambda found: _low(_interval_s(found))),
    ),
    Exported(
        "tidemark_exhaustion_high_seconds",
        "Upper end of its 90 % interval.",
        _left(lambda found: _high(_interval_s(found))),
    ),
)
"""All that the page has, in its order; docs/dashboards.md lists the same."""
