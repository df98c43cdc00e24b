"""What Locust keeps of a run, kept small however long the run is.

Locust appends to the history of its charts every five seconds for ever, counts the requests of
each second for ever, and has an entry for each name, each error text and each worker that it has
ever met. For an afternoon that is nothing; for a week it is hundreds of megabytes, which its page
loads whole.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import MasterRunner
from locust.stats import PERCENTILES_TO_CHART, RequestStats, StatsEntry, StatsError

INTERVAL_S = 10.0
MOST_POINTS = 2048
"""Points of the charts: the last quarter as they were taken, the older ones further apart."""
MOST_NAMES = 1000
MOST_ERRORS = 1000
OTHER = "other"
"""What stands for the names, and for the error texts, beyond the first thousand."""
KEPT_S = 60
"""So many of the last seconds are kept of which the requests are counted; Locust looks at 12."""

Point = dict[str, Any]


def keep_small(environment: Environment) -> None:
    """Keep the tables of a Locust process small, as long as it lives."""
    while True:
        gevent.sleep(INTERVAL_S)
        tidy(environment)


def tidy(environment: Environment) -> None:
    """Forget what is shown nowhere any more, or nowhere so finely."""
    trim(environment.stats)
    if isinstance(environment.runner, MasterRunner):
        there = environment.runner.clients
        for gone in [one for one in environment.worker_logs if one not in there]:
            del environment.worker_logs[gone]


def trim(stats: RequestStats) -> None:
    """The same of what Locust counts."""
    if len(stats.history) > MOST_POINTS:
        stats.history[:] = thinned(stats.history, MOST_POINTS)
    _fold_names(stats)
    _fold_errors(stats)
    last_s = int(stats.last_request_timestamp or 0)
    for entry in (stats.total, *stats.entries.values()):
        for counts in (entry.num_reqs_per_sec, entry.num_fail_per_sec):
            for second in [one for one in counts if one < last_s - KEPT_S]:
                del counts[second]


def thinned(history: Sequence[Point], most: int) -> list[Point]:
    """The points of the charts, three quarters of so many at most.

    The last ones stay as they are. Of the others one stays of each stretch of time, the one whose
    requests took longest, so that a peak is still there after days. Stretches are as long as it
    takes, and of the same beginnings again the next time: what was chosen once stays.
    """
    recent = most // 4
    older = history[:-recent]
    times_s = [datetime.fromisoformat(point["time"]).timestamp() for point in older]
    width_s = 1
    while (max(times_s) - min(times_s)) / width_s > most // 2 - 1:
        width_s *= 2
    highest: dict[int, Point] = {}
    for time_s, point in zip(times_s, older, strict=True):
        stretch = int(time_s // width_s)
        if stretch not in highest or _height(point) > _height(highest[stretch]):
            highest[stretch] = point
    return [*highest.values(), *history[-recent:]]


def _height(point: Point) -> float:
    """How high the highest curve of the response times is."""
    told = point.get(f"response_time_percentile_{max(PERCENTILES_TO_CHART)}")
    return float(told[1]) if told else 0.0


def _fold_names(stats: RequestStats) -> None:
    """Names with an id in them never end."""
    for key in list(stats.entries)[MOST_NAMES:]:
        if key != (OTHER, ""):
            entry: StatsEntry = stats.entries.pop(key)
            stats.entries[OTHER, ""].extend(entry)


def _fold_errors(stats: RequestStats) -> None:
    """Error texts with a time or an address in them do not either."""
    of_others = StatsError.create_key("", OTHER, OTHER)
    for key in list(stats.errors)[MOST_ERRORS:]:
        if key == of_others:
            continue
        error = stats.errors.pop(key)
        other = stats.errors.setdefault(of_others, StatsError("", OTHER, OTHER))
        other.occurrences += error.occurrences
        other.first_seen = min(filter(None, (other.first_seen, error.first_seen)), default=None)
        other.last_seen = max(filter(None, (other.last_seen, error.last_seen)), default=None)
