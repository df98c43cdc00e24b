"""What the analysis has found: plain immutable values.

Nothing here computes. Everything that a picture or a table needs is carried along, so that
whoever draws never has to judge again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tidemark.record.metrics import OUTGOING, Metric, metric

LOCAL_PORTS = "local_ports"
"""The name under which local ports appear where resources are named (`first_to_exhaust`)."""

FAR = 100.0
"""What a run says of the time after so many of its lengths is arithmetic, not a forecast."""

Decision = Literal["leak", "clean", "inconclusive"]
RouteDecision = Literal["leaks", "excluded", "cannot tell"]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A 90 % interval. Either end may be infinite where the data do not bound it."""

    low: float
    high: float

    @property
    def width(self) -> float:
        """High minus low."""
        return self.high - self.low

    def contains(self, value: float) -> bool:
        """Whether the value lies within, ends included."""
        return self.low <= value <= self.high

    def scaled(self, factor: float) -> "Interval":
        """Both ends times a factor that is not negative."""
        return Interval(self.low * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Line:
    """A fitted line, `value = intercept + slope * x`, and the range of x it was fitted on."""

    slope: float
    intercept: float
    x_from: float
    x_to: float

    def at(self, x: float) -> float:
        """The value of the line at x."""
        return self.intercept + self.slope * x


@dataclass(frozen=True, slots=True)
class Fit:
    """The steady growth that was found, against both of the axes it can be drawn on.

    Attributes:
        against_elapsed_s: Value against seconds since the run began.
        against_requests: Value against requests answered; None where requests are unknown.
    """

    against_elapsed_s: Line
    against_requests: Line | None


@dataclass(frozen=True, slots=True)
class Series:
    """The binned series a verdict was found on. All arrays have one shape `(bins,)`.

    Attributes:
        elapsed_s: Mean of the real times of the samples in each bin, seconds.
        requests: Cumulative requests at that time; None where requests are unknown.
        value: Median of the resource in each bin, in the unit of the resource.
        floor: Minimum of the resource in each bin.
    """

    elapsed_s: Floats
    requests: Floats | None
    value: Floats
    floor: Floats


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a resource reaches its limit, as seen from one moment of the run.

    To draw it: a line from (`made_at_elapsed_s`, `level`) to (`elapsed_s`, `limit`), and the
    band between that point and the two ends of `interval_s` on the limit.

    Attributes:
        made_at_elapsed_s: The moment the forecast was made with, seconds since the run began.
        made_at_requests: Requests answered by then; None where requests are unknown.
        level: Fitted value of the resource at that moment.
        limit: The limit it grows toward.
        requests: Requests since the run began by which the limit is reached; None as above.
        requests_interval: 90 % interval of `requests`.
        elapsed_s: Seconds since the run began by which the limit is reached at the load of then.
        interval_s: 90 % interval of `elapsed_s`; `high` may be infinite.
    """

    made_at_elapsed_s: float
    made_at_requests: float | None
    level: float
    limit: float
    requests: float | None
    requests_interval: Interval | None
    elapsed_s: float
    interval_s: Interval

    @property
    def is_far(self) -> bool:
        """Whether it lies too far beyond what was seen to rest a finding on."""
        return is_far(self.elapsed_s, self.made_at_elapsed_s)


def is_far(elapsed_s: float, seen_s: float) -> bool:
    """Whether a moment lies too far beyond what was seen of a run by another one."""
    return elapsed_s > FAR * seen_s


@dataclass(frozen=True, slots=True)
class ForecastCheck:
    """The forecast made from the first quarter of the run, against what happened.

    Attributes:
        forecast: What the first quarter said.
        subject: `exhaustion` (the limit was reached) or `level` (it was not: the forecast value
            at the end of the run is compared with the value that was seen).
        predicted: Requests until exhaustion (seconds where requests are unknown), or the level.
        interval: 90 % interval of `predicted`.
        actual: What happened, in the same unit.
        unit: `requests`, `s`, or the resource's name.
        relative_error: (predicted - actual) / actual.
        covered: Whether the interval holds what happened.
    """

    forecast: Forecast | None
    subject: Literal["exhaustion", "level"]
    predicted: float
    interval: Interval
    actual: float
    unit: str
    relative_error: float
    covered: bool


@dataclass(frozen=True, slots=True)
class RouteGrowth:
    """What one route has to do with the growth of a resource.

    Attributes:
        verdict: Whether its requests leave something behind.
        requests: How often it was asked for in the judged part; None where unknown.
        per_request: Growth with each of its requests; None where it cannot be told. 0 for a route
            that was not seen to leak beside others that do.
        per_request_interval: 90 % interval of it.
        excluded_per_request: Growth with each of its requests above which there surely is none.
    """

    verdict: RouteDecision
    requests: float | None = None
    per_request: float | None = None
    per_request_interval: Interval | None = None
    excluded_per_request: float | None = None


@dataclass(frozen=True, slots=True)
class Culprit:
    """What makes up a part of a resource's growth.

    Attributes:
        name: As in composition.csv or endpoints.csv.
        phrase: The same in a sentence: "files /tmp/upload-*.tmp".
        per_request: Its growth per answered request; None where requests are unknown.
        per_hour: Its growth per hour at the load of the run.
        share: Its part of the growth of the resource.
    """

    name: str
    phrase: str
    per_request: float | None
    per_hour: float
    share: float


@dataclass(frozen=True, slots=True)
class ResourceVerdict:
    """What is known about one resource of the target.

    Growth (`per_request`, `per_hour`) is that of all processes of the target together.
    `baseline`, `last`, `limit`, the series, the fit and the forecast are those of `scope`: a
    limit that holds for each process alone (descriptors) is reached by one process first, and
    that is the one they describe; other resources are summed over the processes.

    Attributes:
        resource: The name of a judged metric.
        verdict: The decision.
        reason: A sentence that can be checked against the picture.
        per_request: Growth per answered request; None where requests are unknown.
        per_request_interval: 90 % interval of it.
        per_hour: Growth per hour at the load of the run.
        per_hour_interval: 90 % interval of it.
        excluded_per_request: Growth per answered request above which there surely is none; None
            where that, or requests, are unknown.
        baseline: Level when the load began.
        last: Level at the end.
        limit: What it may reach; None where unknown or where there is none.
        requests_to_limit: Requests from the end of the run until the limit; 0 when exhausted.
        exhaustion_elapsed_s: Seconds since the run began until the limit is (or was) reached.
        exhaustion_interval_s: 90 % interval of it.
        scope: `process N` or `all processes`.
        pid: The process of the scope; None for all.
        scope_per_request: Growth of the scope alone, which is what approaches the limit.
        warmup_end_s: Where the judged part begins, seconds since the run began.
        judged_until_s: Where it ends: the end of the run, or where the limit was reached.
        series: The binned series of the scope.
        fit: The growth line of the scope over the judged part; None when there is too little.
        forecast: Forecast from the end of the run; None without growth or without a limit.
        forecast_check: The first quarter's forecast against what happened.
        routes: What each route has to do with the growth, by name; empty where routes, or
            growth per request, are unknown.
        routes_reason: Why some of them cannot be told; None where all can.
        culprits: What makes up the growth of what leaks, the most first; empty where unknown.
        all_remotes: Whether connections to anywhere are counted, not those to brokers.
        run_for_s: For how long a load should last so that it can be told, seconds; None where it
            is told, or where a longer one would tell no more.
    """

    resource: str
    verdict: Decision
    reason: str
    per_request: float | None = None
    per_request_interval: Interval | None = None
    per_hour: float | None = None
    per_hour_interval: Interval | None = None
    excluded_per_request: float | None = None
    baseline: float | None = None
    last: float | None = None
    limit: float | None = None
    requests_to_limit: float | None = None
    exhaustion_elapsed_s: float | None = None
    exhaustion_interval_s: Interval | None = None
    scope: str = "all processes"
    pid: int | None = None
    scope_per_request: float | None = None
    warmup_end_s: float | None = None
    judged_until_s: float | None = None
    series: Series | None = None
    fit: Fit | None = None
    forecast: Forecast | None = None
    forecast_check: ForecastCheck | None = None
    routes: Mapping[str, RouteGrowth] = field(default_factory=dict)
    routes_reason: str | None = None
    culprits: tuple[Culprit, ...] = ()
    all_remotes: bool = False
    run_for_s: float | None = None

    @property
    def metric(self) -> Metric:
        """What is judged."""
        return OUTGOING if self.all_remotes else metric(self.resource)


@dataclass(frozen=True, slots=True)
class Exhaustion:
    """The resource that ran out, and when.

    Attributes:
        resource: Its name.
        elapsed_s: Seconds since the run began.
        requests: Requests answered by then; None where requests are unknown.
    """

    resource: str
    elapsed_s: float
    requests: float | None


@dataclass(frozen=True, slots=True)
class LocalPorts:
    """Local ports in use toward one broker endpoint: held connections and TIME_WAIT.

    Attributes:
        endpoint: `host:port` of the broker.
        used: Median of held plus TIME_WAIT over the last part of the run.
        available: Size of the kernel's range of local ports; None where it was not recorded.
        churn_per_s: Connections closed by the target's side per second (from TIME_WAIT); None
            where it cannot be told.
        churn_ceiling_per_s: The churn at which the ports run out, with what is held counted in.
        exhaustion_elapsed_s: When growth in `held` uses the range up; None without such growth.
        exhaustion_interval_s: 90 % interval of it.
        reason: A sentence.
    """

    endpoint: str
    used: float
    available: float | None
    churn_per_s: float | None
    churn_ceiling_per_s: float | None
    exhaustion_elapsed_s: float | None
    exhaustion_interval_s: Interval | None
    reason: str


@dataclass(frozen=True, slots=True)
class Messages:
    """What became of the messages, as far as the run says; None is unknown."""

    accepted: int | None = None
    delivered: int | None = None
    lost: int | None = None
    duplicated: int | None = None
    undecided: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on a run.

    Attributes:
        run: Name of the run.
        verdict: `leak` if any resource leaks; else `inconclusive` if any that has a limit cannot
            be told; else `clean`.
        reason: A sentence that can be checked against the picture.
        resources: By name, in the order of `METRICS`.
        first_to_exhaust: The resource whose limit is reached first; None when none is.
        exhausted: What ran out in the run; None when nothing did.
        messages: What became of the messages.
        local_ports: Per broker endpoint; empty where they were not recorded.
        warnings: What a reader should know before believing the figures.
    """

    run: str
    verdict: Decision
    reason: str
    resources: Mapping[str, ResourceVerdict]
    first_to_exhaust: str | None = None
    exhausted: Exhaustion | None = None
    messages: Messages = field(default_factory=Messages)
    local_ports: tuple[LocalPorts, ...] = ()
    warnings: tuple[str, ...] = ()
