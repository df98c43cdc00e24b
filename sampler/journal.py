"""The sampler's side of a run directory: its files, kept open, and what to do on a full disk."""

import contextlib
from collections.abc import Iterable, Mapping

from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory, event_line
from tidemark.record.errors import DiskFullError

_RESERVE = ".reserve"
_RESERVE_BYTES = 65536


class Journal:
    """Writes samples, composition, endpoints and events of one run.

    Some room on the disk is reserved, so that when it fills up the event that says so, and
    the end of the run, can still be written. Samples go on being tried.

    Args:
        directory: The run directory, which exists.

    Attributes:
        lost_samples: Samples in a row that found no room.
        lost_in_all: The same over the whole run.

    Raises:
        RunDirectoryError: The files cannot be made.
    """

    def __init__(self, directory: RunDirectory) -> None:
        self.lost_samples = 0
        self.lost_in_all = 0
        self._directory = directory
        self._events = directory.events_writer()  # kept open: descriptors can run out
        self._samples = directory.samples_writer()
        self._composition = directory.composition_writer()
        self._endpoints = directory.endpoints_writer()
        self._reserve()

    def _reserve(self) -> None:
        path = self._directory.file(_RESERVE)
        with contextlib.suppress(OSError):  # a reserve that cannot be had is no reason to stop
            path.write_bytes(bytes(_RESERVE_BYTES))

    def _release(self) -> None:
        with contextlib.suppress(OSError):
            self._directory.file(_RESERVE).unlink(missing_ok=True)

    def event(self, instant: Instant, name: str, **fields: object) -> None:
        """Append an event; on a full disk it is lost, as the samples are.

        Raises:
            RunDirectoryError: It cannot be written for another reason.
        """
        with contextlib.suppress(DiskFullError):
            self._events.append(event_line(instant, name, **fields))

    def write(
        self,
        instant: Instant,
        samples: Iterable[Mapping[str, object]],
        composition: Iterable[Mapping[str, object]],
        endpoints: Iterable[Mapping[str, object]],
    ) -> None:
        """Append one tick: all its rows in one write a file, the samples first.

        Raises:
            DiskFullError: There is no room; `lost_samples` counts. Every file still ends
                with a whole line.
            RunDirectoryError: A file cannot be written for another reason.
        """
        when = {"time_s": instant.time_s, "elapsed_s": instant.elapsed_s}
        try:
            for writer, rows in (
                (self._samples, samples),
                (self._composition, composition),
                (self._endpoints, endpoints),
            ):
                writer.append_all({**when, **row} for row in rows)
        except DiskFullError as error:
            self._lost(instant, str(error))
            raise
        if self.lost_samples:
            self.event(instant, "disk_has_room", lost_samples=self.lost_samples)
            self.lost_samples = 0
            self._reserve()

    def _lost(self, instant: Instant, reason: str) -> None:
        self.lost_samples += 1
        self.lost_in_all += 1
        if self.lost_samples == 1:
            self._release()
            self.event(instant, "disk_full", reason=reason)

    def close(self) -> None:
        """Close the files and give the reserve back."""
        self._release()
        for writer in (self._events, self._samples, self._composition, self._endpoints):
            writer.close()
