"""The sampler's side of a run directory: its files, kept open, and what to do on a full disk."""

import contextlib
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tidemark.record.appender import CsvAppender
from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import DiskFullError
from tidemark.record.event_lines import encode
from tidemark.record.events import DiskFull, DiskHasRoom, Event
from tidemark.record.files import reserve
from tidemark.record.layout import COMPOSITION, ENDPOINTS, REQUESTS, SAMPLES, TIME_COLUMNS
from tidemark.record.retention import Retention
from tidemark.record.thinning import Thinner
from tidemark.sampler.source import Row

_TABLES = (SAMPLES, COMPOSITION, ENDPOINTS)
"""In the order in which a tick is written."""
_RESERVE = ".reserve"
_RESERVE_BYTES = 65536
_TAIL_BYTES = 4096


def _last_instant(path: Path) -> Instant | None:
    """When the last row of a table was written; None if there is none that can be read."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _TAIL_BYTES, 0))
        _, _, row = file.read().rstrip(b"\n").rpartition(b"\n")
    try:
        time_s, elapsed_s = map(float, row.split(b",")[: len(TIME_COLUMNS)])
    except ValueError:  # only the header is there
        return None
    return Instant(time_s, elapsed_s)


class Journal:
    """Writes samples, composition, endpoints and events of one run.

    Some room on the disk is reserved, so that when it fills up the event that says so, and
    the end of the run, can still be written. Samples go on being tried.

    Args:
        directory: The run directory, which exists.
        retain: How densely the tables are kept as they age; None: as they are written.

    Attributes:
        lost_samples: Samples of the run that found no room.
        last: When a former sampler wrote its last row; None if there was none.

    Raises:
        RunDirectoryError: The files cannot be made.
    """

    def __init__(self, directory: RunDirectory, retain: Retention | None = None) -> None:
        self.lost_samples = 0
        self._lost_in_a_row = 0
        self._directory = directory
        self._events = directory.events_writer()  # kept open: descriptors can run out
        self._tables = tuple(directory.writer(table) for table in _TABLES)
        self._retain = retain
        self._thinners = [Thinner(table, retain) for table in self._tables] if retain else []
        self._requests: CsvAppender | None = None
        self.last = _last_instant(directory.file(SAMPLES.file))
        self._reserve()

    def began_monotonic_s(self) -> float:
        """When the run began, `time.monotonic()`: now, or what a former sampler's rows say."""
        if self.last is None:
            return time.monotonic()
        since_s = max(time.time() - self.last.time_s, 0.0)
        return time.monotonic() - self.last.elapsed_s - since_s

    def _reserve(self) -> None:
        reserve(self._directory.file(_RESERVE), _RESERVE_BYTES)

    def _release(self) -> None:
        with contextlib.suppress(OSError):
            self._directory.file(_RESERVE).unlink(missing_ok=True)

    def event(self, instant: Instant, event: Event) -> None:
        """Append an event; on a full disk it is lost, as the samples are.

        Raises:
            RunDirectoryError: It cannot be written for another reason.
        """
        with contextlib.suppress(DiskFullError):
            self._events.append(encode(instant, event))

    def write(self, instant: Instant, *tables: Iterable[Row], requests: Row | None = None) -> None:
        """Append one tick, all its rows in one write a file, or count it as lost on a full disk.

        Every file ends with a whole line all the same.

        Args:
            instant: When.
            tables: Rows of samples.csv, composition.csv and endpoints.csv, of all targets.
            requests: The row of requests.csv, where the sampler is the one that counts them.

        Raises:
            RunDirectoryError: A file cannot be written for another reason.
        """
        times = {"time_s": instant.time_s, "elapsed_s": instant.elapsed_s}
        try:
            for writer, rows in zip(self._tables, tables, strict=True):
                writer.append_all({**times, **row} for row in rows)
            if requests is not None:
                self._count(instant, requests)
        except DiskFullError as error:
            self._lose(instant, str(error))
        else:
            self._recover(instant)
            for thinner in self._thinners:
                thinner.step(instant.elapsed_s)

    def _count(self, instant: Instant, requests: Row) -> None:
        if self._requests is None:
            self._requests = self._directory.writer(REQUESTS)
            if self._retain:
                self._thinners.append(Thinner(self._requests, self._retain))
        times = {"time_s": instant.time_s, "elapsed_s": instant.elapsed_s}
        self._requests.append({**times, **requests})

    def _lose(self, instant: Instant, reason: str) -> None:
        self._lost_in_a_row += 1
        self.lost_samples += 1
        if self._lost_in_a_row == 1:
            self._release()
            self.event(instant, DiskFull(reason))
            with contextlib.suppress(OSError):  # its log may stand on the same disk
                sys.stderr.write(f"sampler: {reason}\n")

    def _recover(self, instant: Instant) -> None:
        if self._lost_in_a_row:
            self.event(instant, DiskHasRoom(self._lost_in_a_row))
            self._lost_in_a_row = 0
            self._reserve()

    def close(self) -> None:
        """Close the files and give the reserve back."""
        self._release()
        self._events.close()
        for thinner in self._thinners:
            thinner.close()
        for writer in (*self._tables, *([self._requests] if self._requests else [])):
            writer.close()
