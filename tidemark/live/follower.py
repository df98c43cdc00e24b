"""A run directory that somebody writes, followed: what there is to show of it at any moment."""

import math
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

import numpy as np
import pandas as pd

from tidemark.live.buckets import Buckets, Floats
from tidemark.live.happened import Happened
from tidemark.live.names import Names
from tidemark.live.tail import MOST_BYTES, FileTail, TableTail
from tidemark.live.threads import ThreadCounts
from tidemark.live.ticks import TIME_WAIT, by_name, levels, of_each_target
from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.metadata import RunMetadata
from tidemark.record.metrics import HELD_STATES

MOST_TARGETS = 16
"""So many targets have charts; the verdict is on all of them."""
SILENT_S = 30.0
"""A run of which nothing was written for so long may have lost its writer."""
_PARTS = 16
"""What is there at first is read in so many parts, so that all charts grow together."""
_RATE_S = 10.0

_SAMPLED = ("time_s", "elapsed_s", "target", "pid", "fds", "fds_limit", "threads", "rss_bytes")
_SAMPLES = (*_SAMPLED, *HELD_STATES, TIME_WAIT)
_COUNTED = ("requests", "failures", "users", "p50_ms", "p99_ms")


@dataclass
class TargetPicture:
    """What is drawn of one target.

    Attributes:
        levels: What its processes hold: see `tidemark.live.ticks.levels`.
        threads: Its threads by name.
        endpoints: Its connections by remote end.
    """

    levels: Buckets = field(default_factory=Buckets)
    threads: Buckets = field(default_factory=Buckets)
    endpoints: Buckets = field(default_factory=Buckets)
    counts: ThreadCounts = field(default_factory=ThreadCounts)
    ends: Names = field(default_factory=Names)
    _met: set[str] = field(default_factory=set)

    def remote_ends(self, found: dict[str, Floats], readings: int) -> dict[str, Floats]:
        """Series of connections to ends that are no brokers, from what some readings have.

        An end counts nothing before there was a connection to it, and 0 when there is none any
        more.
        """
        folded = self.ends.folded(found)
        folded |= {name: np.zeros(readings) for name in self._met if name not in folded}
        for name in folded.keys() - self._met:
            there = np.flatnonzero(folded[name])
            folded[name][: there[0] if len(there) else readings] = np.nan
            self._met |= {name} if len(there) else set()
        return folded

    def changed_since(self, revision: int) -> dict[str, Any]:
        """What a reader of that revision lacks."""
        return {
            "levels": self.levels.changed_since(revision),
            "threads": self.threads.changed_since(revision),
            "endpoints": self.endpoints.changed_since(revision),
        }


class Follower:
    """Reads what a run writes, a part at each look; see the attributes for what was seen.

    Other threads may look at it with `lock` held.

    Args:
        path: The run directory.

    Raises:
        UnusableRunError: It is no run directory.

    Attributes:
        key: Another one when the run was begun anew.
        revision: Rises when something was read.
        metadata: The content of run.json.
        targets: By id, in the order in which they were met.
        requests: What the load generator counted.
        happened: The events.
        elapsed_s: Of the last row.
        origin_s: Unix time at which the run began, by its last row.
        load_began_s: When its load began; None before that.
        trouble: What could not be read at the last look; empty where all could.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = RLock()
        self._directory = RunDirectory(path)
        self.metadata: RunMetadata = self._directory.read_metadata()
        self._seen_metadata: tuple[int, int, int] = (0, 0, 0)
        self._begin()

    def _begin(self) -> None:
        self.key = uuid.uuid4().hex[:8]
        self.revision = 1
        self.targets: dict[str, TargetPicture] = {}
        self.untold_targets: set[str] = set()
        self.requests = Buckets()
        self.happened = Happened(FileTail(self.path / layout.EVENTS_JSONL))
        self.elapsed_s = 0.0
        self.origin_s: float | None = None
        self.load_began_s: float | None = None
        self.trouble = ""
        self._rates: deque[tuple[float, float, float]] = deque(maxlen=600)
        times = ("elapsed_s", "target")
        self._samples = TableTail(self.path, layout.SAMPLES, _SAMPLES)
        self._requests = TableTail(self.path, layout.REQUESTS, ("elapsed_s", *_COUNTED))
        self._threads = TableTail(
            self.path, layout.COMPOSITION, (*times, "pid", "kind", "name", "count")
        )
        self._ends = TableTail(self.path, layout.ENDPOINTS, (*times, "kind", "endpoint", "held"))
        self._part: dict[TableTail, int] = {}

    # -- what was seen ------------------------------------------------------------------------

    @property
    def has_ended(self) -> bool:
        """Whether the run says that it has ended."""
        return self.metadata.ended_at is not None

    @property
    def name(self) -> str:
        """What the run is called."""
        return self.path.resolve().name

    @property
    def now_s(self) -> float:
        """Seconds since the run began, by this machine's clock while it goes on."""
        if self.has_ended or self.origin_s is None:
            return self.elapsed_s
        ahead = time.time() - self.origin_s - self.elapsed_s
        return self.elapsed_s + (ahead if 0 < ahead < SILENT_S else 0.0)

    @property
    def silent_s(self) -> float:
        """Seconds since the last row of a run that has not ended; 0 where that is no news."""
        if self.has_ended or self.origin_s is None:
            return 0.0
        silent = time.time() - self.origin_s - self.elapsed_s
        return silent if silent > SILENT_S else 0.0

    @property
    def share_read(self) -> float:
        """How much was read of what is there."""
        files = [tail.file for tail in self._tails]
        size = sum(file.size for file in files)
        return sum(file.offset for file in files) / size if size else 1.0

    @property
    def gone(self) -> frozenset[str]:
        """The targets of which no process is left, while the run or another one goes on."""
        found = frozenset(filter(self._is_empty, self.targets))
        return frozenset() if self.has_ended and len(found) == len(self.targets) else found

    def unforeseen(self, judged_s: float) -> frozenset[str]:
        """The targets of which a forecast that was made at a moment says nothing any more.

        They are gone, or have ended since: what took their place begins anew.
        """
        if self.has_ended:
            return self.gone
        return self.gone | {one for one in self.targets if self._ended_s(one) > judged_s}

    def _is_empty(self, target: str) -> bool:
        levels = self.targets[target].levels
        if levels.latest("processes") == 0:
            return True
        return len(levels) > 0 and self._ended_s(target) > float(levels.time_s[-1])

    def _ended_s(self, target: str) -> float:
        """When a target has last ended."""
        return max(self.happened.exits.get(target, {}).values(), default=-math.inf)

    def rates(self) -> tuple[float, float] | None:
        """Requests and failures a second of late; None where nobody counts."""
        if len(self._rates) < 2:
            return None
        last = self._rates[-1]
        first = next(one for one in self._rates if one[0] >= last[0] - _RATE_S)
        if first[0] >= last[0]:
            first = self._rates[-2]
        span = last[0] - first[0]
        return ((last[1] - first[1]) / span, (last[2] - first[2]) / span) if span > 0 else None

    # -- looking ------------------------------------------------------------------------------

    @property
    def _tails(self) -> tuple[TableTail, ...]:
        return self._samples, self._requests, self._threads, self._ends

    def look(self) -> bool:
        """Read a part of what was added; whether there is more."""
        with self.lock:
            if any(file.times_begun for file in self._files):
                self._begin()
            self.revision += 1
            try:
                self._look_at_metadata()
                self.happened.look(self.revision)
                for tail in self._tails:
                    self._look_at(tail)
            except UnusableRunError as error:
                self.trouble = str(error)
                return False
            self.trouble = ""
            return any(file.is_behind for file in self._files)

    @property
    def _files(self) -> list[FileTail]:
        return [self.happened.file, *(tail.file for tail in self._tails)]

    def _look_at_metadata(self) -> None:
        file = self.path / layout.RUN_JSON
        try:
            found = file.stat()
        except OSError:
            return  # it is being written anew, or was removed: what it said still stands
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen_metadata:
            self.metadata = self._directory.read_metadata()
            self._seen_metadata = seen

    def _look_at(self, tail: TableTail) -> None:
        rows = tail.read(self._part.get(tail, MOST_BYTES // _PARTS))
        self._part.setdefault(tail, min(max(MOST_BYTES, tail.file.size) // _PARTS, 4 * MOST_BYTES))
        if rows is None:
            return
        self.elapsed_s = max(self.elapsed_s, float(rows["elapsed_s"].iloc[-1]))
        if tail is self._requests:
            self._add_requests(rows)
        else:
            for target, of_it in of_each_target(rows).items():
                if picture := self._picture(target):
                    self._add(tail, target, picture, of_it)

    def _add(
        self, tail: TableTail, target: str, picture: TargetPicture, rows: pd.DataFrame
    ) -> None:
        if tail is self._samples:
            self._add_samples(picture, rows)
        elif tail is self._threads:
            exits = self.happened.exits.get(target)
            picture.threads.add(*picture.counts.add(rows, exits), self.revision)
        else:
            self._add_endpoints(picture, rows)

    def _picture(self, target: str) -> TargetPicture | None:
        if target not in self.targets:
            if len(self.targets) >= MOST_TARGETS:
                self.untold_targets.add(target)
                return None
            self.targets[target] = TargetPicture()
        return self.targets[target]

    def _add_samples(self, picture: TargetPicture, rows: pd.DataFrame) -> None:
        picture.levels.add(*levels(rows), self.revision)
        last = rows.iloc[-1]
        if np.isfinite(last["time_s"]):
            self.origin_s = float(last["time_s"] - last["elapsed_s"])

    def _add_endpoints(self, picture: TargetPicture, rows: pd.DataFrame) -> None:
        is_remote = (rows["kind"] == layout.REMOTE).to_numpy()
        if not is_remote.all():
            time_s, found = by_name(rows[~is_remote], "endpoint", "held", absent=np.nan)
            picture.endpoints.add(time_s, picture.ends.folded(found), self.revision)
        if is_remote.any():
            time_s, found = by_name(rows[is_remote], "endpoint", "held", absent=0.0)
            picture.endpoints.add(time_s, picture.remote_ends(found, len(time_s)), self.revision)

    def _add_requests(self, rows: pd.DataFrame) -> None:
        time_s = rows["elapsed_s"].to_numpy(dtype=float)
        columns = {name: rows[name].to_numpy(dtype=float) for name in _COUNTED}
        self.requests.add(time_s, columns, self.revision)
        if self.load_began_s is None:
            self.load_began_s = float(time_s[0])
        known = np.isfinite(columns["requests"])
        failures = np.nan_to_num(columns["failures"])
        recent = zip(time_s[known], columns["requests"][known], failures[known], strict=True)
        self._rates.extend(tuple(map(float, one)) for one in recent)  # type: ignore[misc]
