"""What is judged: one resource of one process, of all of them, or of a line of short lives.

A process that lives through the run is a track of its own, and so is the sum of all of those.
Workers that are recycled are short lives of one track: each has a level of its own, and growth
is what happens within the lives. Their sum would be a sawtooth that says nothing.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tidemark.analysis.verdict.model import Floats
from tidemark.analysis.verdict.regression import Points
from tidemark.analysis.verdict.series import Bins, ProcessSeries

MOST_POINTS = 64
"""Points that a line is fitted to: groups of bins."""
FEWEST_PER_LIFE = 4
"""A life with fewer bins says nothing about growth."""
MOST_LIVES = 24
"""Lives that are looked at; the longest ones are taken."""
SAME_X = 1e-6
"""X has not advanced between bins that are no further apart."""
QUIET_VARIANCE = 0.003
"""Variance of a quiet moment relative to that of the mean one."""
RECYCLED = "recycled "
"""What the scope of a line of short lives begins with."""
LASTING_SHARE = 0.85
"""A process seen over this share of the run lives through it, however seldom it is read."""


@dataclass(frozen=True, slots=True)
class Track:
    """A series to be judged. Arrays have the shape `(n,)` and hold no NaN.

    Attributes:
        scope: `process N`, `all processes` or `recycled NAME`.
        pid: The process; None for several.
        elapsed_s: Seconds since the run began.
        x: What growth is counted in: requests, or seconds where requests are unknown.
        value: Median of the resource in each bin.
        floor: Minimum of the resource in each bin.
        life: Which life each bin belongs to: of a process, or between two disturbances.
        load: What describes the load (users, or the rate), shape `(n, k)`, k is 0, 1 or 2.
        busy: Requests answered around each bin.
        parallel: How many processes of this kind live at a time.
    """

    scope: str
    pid: int | None
    elapsed_s: Floats
    x: Floats
    value: Floats
    floor: Floats
    life: NDArray[np.intp]
    load: Floats
    busy: Floats
    parallel: float = 1.0

    def __len__(self) -> int:
        return len(self.value)

    @property
    def span_x(self) -> float:
        """How far x goes from the first bin to the last."""
        return float(self.x[-1] - self.x[0]) if len(self) else 0.0

    @property
    def is_recycled(self) -> bool:
        """Whether it is a line of processes that come and go."""
        return self.scope.startswith(RECYCLED)

    @property
    def lives(self) -> int:
        """Number of lives."""
        return int(self.life.max()) + 1 if len(self) else 0

    def where(self, keep: NDArray[np.bool_]) -> "Track":
        """The track with only some of its bins."""
        return replace(
            self,
            elapsed_s=self.elapsed_s[keep],
            x=self.x[keep],
            value=self.value[keep],
            floor=self.floor[keep],
            life=_renumbered(self.life[keep]),
            load=self.load[keep],
            busy=self.busy[keep],
        )

    def after(self, share: float) -> "Track":
        """The track without the first share of each life, counted in x."""
        keep = np.zeros(len(self), dtype=bool)
        for life in range(self.lives):
            inside = self.life == life
            x = self.x[inside]
            keep[inside] = x >= x[0] + share * (x[-1] - x[0])
        return self.where(keep)

    def points(self, envelope: str, most: int = MOST_POINTS) -> Points:
        """Groups of bins, as few as can be fitted fast; lives that are too short are left out.

        Args:
            envelope: `value` (medians of groups) or `floor` (minima of groups).
            most: How many groups are wanted; many lives may need more.
        """
        figures = self.floor if envelope == "floor" else self.value
        group = self._groups(most)
        start = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
        start = start[group[start] >= 0]
        size = np.array([np.count_nonzero(group == group[at]) for at in start])
        picked = [figures[at : at + length] for at, length in zip(start, size, strict=True)]
        combine = np.min if envelope == "floor" else np.median
        mean = [_group_mean(array, start, size) for array in (self.elapsed_s, self.x)]
        load = np.array(
            [self.load[a : a + n].mean(axis=0) for a, n in zip(start, size, strict=True)]
        )
        return Points(
            elapsed_s=mean[0],
            x=mean[1],
            y=np.array([float(combine(part)) for part in picked]),
            life=_renumbered(self.life[start]),
            load=_useful(load.reshape(len(start), self.load.shape[1])),
            doubt=_doubt(_group_mean(self.busy, start, size)),
        )

    def _groups(self, most: int) -> NDArray[np.intp]:
        """The group of each bin; -1 in lives that are too short.

        Bins between which x does not advance are one measurement, not several.
        """
        counts = np.bincount(self.life, minlength=self.lives)
        kept = np.flatnonzero(counts >= min(FEWEST_PER_LIFE, counts.max(initial=0)))
        kept = kept[np.argsort(-counts[kept], kind="stable")][:MOST_LIVES]
        total = counts[kept].sum()
        group = np.full(len(self), -1)
        following = 0
        for life in np.sort(kept):
            inside = np.flatnonzero(self.life == life)
            share = max(FEWEST_PER_LIFE, round(most * len(inside) / total))
            step = np.cumsum(np.diff(self.x[inside], prepend=self.x[inside[0]]) > SAME_X)
            different = int(step[-1]) + 1
            parts = min(different, share)
            group[inside] = following + step * parts // different
            following += parts
        return group


def _group_mean(values: Floats, start: NDArray[np.intp], size: NDArray[np.intp]) -> Floats:
    running = np.concatenate([[0.0], np.cumsum(values - values[0])])
    return np.asarray((running[start + size] - running[start]) / size + values[0])


def _renumbered(life: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.unique(life, return_inverse=True)[1].astype(np.intp)


def _useful(load: Floats) -> Floats:
    """The covariates that vary, without the second where it repeats the first."""
    spread = np.asarray(load.std(axis=0)) if len(load) else np.zeros(load.shape[1])
    level = np.abs(np.asarray(load.mean(axis=0))) if len(load) else spread
    load = load[:, spread > 0.02 * level]
    if load.shape[1] == 2 and np.abs(np.corrcoef(load.T)).min() > 0.98:
        load = load[:, :1]
    return np.asarray(load)


def _doubt(busy: Floats) -> Floats:
    """Relative variance of the points by how busy their moments were; mean about 1.

    What a request holds for as long as it lasts, and the requests that a count at one moment and
    a sample at another differ by, both grow with the requests around a sample; a sample of a quiet
    moment is exact. Under a load without quiet moments all points are alike.
    """
    spread = float(busy.std()) if len(busy) else 0.0
    if spread <= 0.3 * float(busy.mean() if len(busy) else 0.0) or spread == 0.0:
        return np.ones(len(busy))
    power = busy**2 / float(np.mean(busy**2))
    return np.asarray((power + QUIET_VARIANCE) / (1.0 + QUIET_VARIANCE))


@dataclass(frozen=True, slots=True)
class View:
    """The bins that are judged, and what they are judged against.

    Attributes:
        bins: The bins of the run.
        x: What growth is counted in, per bin.
        load: The load, shape `(bins, k)`.
        keep: Which bins are judged (the load has begun, no limit has been reached).
        stretch: Which of the stretches between disturbances each bin lies in: levels may differ.
    """

    bins: Bins
    x: Floats
    load: Floats
    keep: NDArray[np.bool_]
    stretch: NDArray[np.intp]

    def track(self, scope: str, pid: int | None, value: Floats, floor: Floats) -> Track:
        """The track of a series over the bins of the run, NaN where it is unknown."""
        where = self.keep & np.isfinite(value)
        return Track(
            scope=scope,
            pid=pid,
            elapsed_s=self.bins.elapsed_s[where],
            x=self.x[where],
            value=value[where],
            floor=floor[where],
            life=_renumbered(self.stretch[where]),
            load=self.load[where],
            busy=self.bins.busy[where],
        )

    def of_process(self, process: ProcessSeries, resource: str) -> Track:
        """The track of one process."""
        scope = f"process {process.pid}"
        return self.track(scope, process.pid, process.value[resource], process.floor[resource])


def tracks_of(resource: str, processes: list[ProcessSeries], view: View) -> list[Track]:
    """The tracks of a resource; the sum of the lasting processes comes first if there are several.

    A process whose series never moves has no track of its own beside the sum.
    """
    lasting, passing = _by_length(processes, view.keep & np.isfinite(view.bins.elapsed_s), resource)
    tracks = [view.of_process(process, resource) for process in lasting]
    if len(tracks) > 1:
        moving = [track for track in tracks if np.ptp(track.value) > 0]
        tracks = [_total(lasting, resource, view), *(moving if len(moving) > 1 else [])]
    return [track for track in tracks if len(track)] + _recycled(passing, resource, view)


def _by_length(
    processes: list[ProcessSeries], keep: NDArray[np.bool_], resource: str
) -> tuple[list[ProcessSeries], list[ProcessSeries]]:
    lasting: list[ProcessSeries] = []
    passing: list[ProcessSeries] = []
    judged = np.flatnonzero(keep)
    for process in processes:
        seen = np.flatnonzero(np.isfinite(process.value[resource]) & keep)
        if len(seen):
            whole = seen[-1] - seen[0] >= LASTING_SHARE * (judged[-1] - judged[0])
            (lasting if whole else passing).append(process)
    return lasting, passing


def _total(lasting: list[ProcessSeries], resource: str, view: View) -> Track:
    value = np.sum([process.value[resource] for process in lasting], axis=0)
    floor = np.sum([process.floor[resource] for process in lasting], axis=0)
    return view.track("all processes", None, value, floor)


def _recycled(passing: list[ProcessSeries], resource: str, view: View) -> list[Track]:
    """One track for each name of process that comes and goes."""
    tracks = []
    for name in sorted({process.name for process in passing}):
        parts = [process for process in passing if process.name == name]
        lives = [view.of_process(process, resource) for process in parts]
        lives = [track for track in lives if len(track) >= FEWEST_PER_LIFE]
        if lives:
            alive = [np.isfinite(process.value[resource]) & view.keep for process in parts]
            tracks.append(_joined(name, lives, np.sum(alive, axis=0)))
    return tracks


def _joined(name: str, lives: list[Track], alive: NDArray[np.intp]) -> Track:
    """Lives one after the other: each process answers its share of the requests."""
    if len(lives) == 1:
        return lives[0]
    parallel = max(1.0, float(np.mean(alive[alive > 0])))
    before = np.cumsum([0, *(track.lives for track in lives)])
    life = [track.life + first for track, first in zip(lives, before, strict=False)]
    return Track(
        scope=f"{RECYCLED}{name}",
        pid=None,
        elapsed_s=np.concatenate([track.elapsed_s for track in lives]),
        x=np.concatenate([track.x for track in lives]) / parallel,
        value=np.concatenate([track.value for track in lives]),
        floor=np.concatenate([track.floor for track in lives]),
        life=np.concatenate(life),
        load=np.concatenate([track.load for track in lives]),
        busy=np.concatenate([track.busy for track in lives]),
        parallel=parallel,
    )
