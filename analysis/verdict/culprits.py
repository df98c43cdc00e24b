"""What of a resource grows: which files, remote ends or threads make up its growth.

composition.csv and endpoints.csv count by name, less often than samples.csv. A name's growth over
the judged part is the Theil-Sen slope of its counts, as that of the resource itself; the names are
told whose part of the resource's growth is worth telling.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.disturbances import within
from tidemark.analysis.verdict.model import Culprit, Floats, ResourceVerdict
from tidemark.analysis.verdict.series import ProcessSeries
from tidemark.analysis.verdict.trend import theil_sen
from tidemark.analysis.verdict.window import Window
from tidemark.record.layout import BROKER, OTHER_ENDPOINTS, REMOTE

KINDS = {"fds": "fd", "threads": "thread"}
"""Resource -> `kind` of the rows of composition.csv that say what it is made of."""
LEAST_SHARE = 0.1
"""A name is told that makes up at least this share of the growth."""
LEAST_GROWTH = 1.5
"""A count that has grown by less in the judged part says nothing."""
MOST_TOLD = 3
MOST_READINGS = 64
FEWEST_READINGS = 3
LONGEST_NAME = 80

_WORDS = {
    "file": "files of many names",
    "tcp": "TCP sockets",
    "tcp listening": "listening sockets",
    "udp": "UDP sockets",
    "unix": "Unix sockets",
    "netlink": "netlink sockets",
    "socket": "sockets",
    "pipe": "pipes",
    "eventfd": "eventfds",
    "eventpoll": "epoll instances",
    "inotify": "inotify instances",
    "timerfd": "timers (timerfd)",
    "signalfd": "signalfds",
    "memfd": "files in memory (memfd)",
    "device": "devices",
}
ACCEPTED = "connections accepted on port"
"""What begins the phrase of connections that others have made to a process."""
_ACCEPTED = "tcp accepted :"
_DELETED = " (deleted)"


@dataclass(frozen=True, slots=True)
class Names:
    """What a resource is made of. All arrays have one shape `(readings,)`.

    Attributes:
        key: Target and pid of the process; a pid of None for all of a target's.
        elapsed_s: When its names were read, seconds since the run began.
        counts: Name -> how many there were.
    """

    key: tuple[str, int | None]
    elapsed_s: Floats
    counts: Mapping[str, Floats]


def names_of(run: Run, resource: str) -> list[Names]:
    """What a resource of a run is made of, as far as that was recorded."""
    if resource == "connections":
        kind = BROKER if run.metadata.brokers or not run.counts_all_remotes else REMOTE
        rows = run.endpoints_of(kind).dropna(subset=["held"])
        rows = rows.assign(pid=np.nan, name=rows["endpoint"], count=rows["held"])
    elif resource in KINDS:
        rows = run.composition[run.composition["kind"] == KINDS[resource]]
    else:
        return []
    groups = rows.groupby(["target", "pid"], observed=True, dropna=False)
    return [_names(*cast("tuple[str, float]", key), each) for key, each in groups]


def _names(target: str, pid: float, rows: pd.DataFrame) -> Names:
    each = rows.groupby(["elapsed_s", "name"], observed=True)["count"].sum()
    counts = each.unstack(fill_value=0)
    return Names(
        (str(target), None if np.isnan(pid) else int(pid)),
        counts.index.to_numpy(dtype=float),
        {str(name): counts[name].to_numpy(dtype=float) for name in counts},
    )


def find_culprits(
    found: ResourceVerdict,
    names: Sequence[Names],
    window: Window,
    processes: Sequence[ProcessSeries],
) -> tuple[Culprit, ...]:
    """Find what makes up the growth of a resource that leaks, the most first.

    Args:
        found: What was found on the resource.
        names: What it is made of.
        window: What is judged of the run.
        processes: Its processes.
    """
    if found.per_hour is None or not found.per_hour > 0 or not window.hourly:
        return ()
    whole = found.per_hour / window.hourly
    begin_s = window.begin_s if found.warmup_end_s is None else found.warmup_end_s
    stretch = _Stretch(window, begin_s, found.judged_until_s or window.end_s)
    slopes: dict[str, float] = {}
    for one in names:
        share = stretch.share_of(_life(one, processes))
        for name, slope in stretch.slopes(one):
            slopes[name] = slopes.get(name, 0.0) + slope * share
    grown = [
        (slope, name)
        for name, slope in slopes.items()
        if slope >= LEAST_SHARE * whole and slope * stretch.span_x >= LEAST_GROWTH
    ]
    return tuple(
        Culprit(
            name=name,
            phrase=phrase(found.resource, name),
            per_request=slope if found.per_request is not None else None,
            per_hour=slope * window.hourly,
            share=slope / whole,
        )
        for slope, name in sorted(grown, reverse=True)
    )


def _life(names: Names, processes: Sequence[ProcessSeries]) -> tuple[float, float]:
    """From when to when a process was seen; all processes of a target are there throughout."""
    seen = [one for one in processes if (one.target, one.pid) == names.key]
    return (seen[0].first_s, seen[0].last_s) if seen else (-np.inf, np.inf)


class _Stretch:
    """The judged part of a run, in which counts grow."""

    def __init__(self, window: Window, begin_s: float, end_s: float) -> None:
        self._window = window
        self._begin_s, self._end_s = begin_s, end_s
        known = np.isfinite(window.x) & np.isfinite(window.bins.elapsed_s)
        self._at, self._x = window.bins.elapsed_s[known], window.x[known]
        self.span_x = self._span(begin_s, end_s)

    def _span(self, begin_s: float, end_s: float) -> float:
        ends = self.x_at(np.array([begin_s, max(begin_s, end_s)]))
        return float(ends[1] - ends[0])

    def x_at(self, elapsed_s: Floats) -> Floats:
        """What growth is counted in, at some moments."""
        return np.interp(elapsed_s, self._at, self._x)

    def share_of(self, life: tuple[float, float]) -> float:
        """For what share of it a process was there: what it grows by counts as often."""
        lived = self._span(max(self._begin_s, life[0]), min(self._end_s, life[1]))
        return lived / self.span_x if self.span_x > 0 else 0.0

    def slopes(self, names: Names) -> Iterator[tuple[str, float]]:
        """The growth of each name."""
        at = np.flatnonzero(self._judged(names.elapsed_s))
        if len(at) < FEWEST_READINGS:
            return
        if len(at) > MOST_READINGS:
            at = at[np.linspace(0, len(at) - 1, MOST_READINGS).round().astype(np.intp)]
        x = self.x_at(names.elapsed_s[at])
        for name, counts in names.counts.items():
            if np.ptp(counts[at]) > 0:
                yield name, theil_sen(x, counts[at])

    def _judged(self, at: Floats) -> NDArray[np.bool_]:
        inside = (at >= self._begin_s) & (at <= self._end_s)
        return inside & ~within(self._window.disturbed, at)


def phrase(resource: str, name: str) -> str:
    """What a sentence calls a name: "files /tmp/upload-*.tmp", "to 10.0.0.7:5432"."""
    shown = name if len(name) <= LONGEST_NAME else f"…{name[1 - LONGEST_NAME :]}"
    if resource == "threads":
        return f"named {shown}"
    if resource == "connections":
        return "to other ends" if name == OTHER_ENDPOINTS else f"to {shown}"
    if name.startswith("/"):
        kind = "deleted files" if name.endswith(_DELETED) else "files"
        return f"{kind} {shown.removesuffix(_DELETED)}"
    if name.startswith(_ACCEPTED):
        return f"{ACCEPTED} {shown.removeprefix(_ACCEPTED)}"
    if name in _WORDS:
        return _WORDS[name]
    return f"sockets to {shown.removeprefix('tcp ')}" if name.startswith("tcp ") else shown


def told(found: ResourceVerdict) -> str:
    """What of the growth is whose: ", of which 1 a request are files /tmp/upload-*.tmp"."""
    parts: list[str] = []
    for one in found.culprits[:MOST_TOLD]:
        per_request = one.per_request is not None
        per = "" if parts else (" a request are" if per_request else " an hour are")
        figure = units.number(one.per_request if per_request else one.per_hour, 3)
        parts.append(f"{figure}{per} {one.phrase}")
    more = len(found.culprits) - MOST_TOLD
    if more > 0:
        parts.append(f"more of {units.several(more, 'other name')}")
    if not parts:
        return ""
    return ", of which " + " and ".join([", ".join(parts[:-1]), parts[-1]] if parts[1:] else parts)


def with_culprits(
    found: ResourceVerdict,
    names: Callable[[str], Sequence[Names]],
    window: Window,
    processes: Sequence[ProcessSeries],
) -> ResourceVerdict:
    """The verdict on a resource with what makes up its growth, if it leaks.

    Args:
        found: The verdict.
        names: Tells what a resource is made of, by its name.
        window: What is judged of the run.
        processes: Its processes.
    """
    if found.verdict != "leak":
        return found
    made_of = names(found.resource)
    return replace(found, culprits=find_culprits(found, made_of, window, processes))
