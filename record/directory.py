"""The run directory, format 1: where everything that is recorded about a run lies."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from tidemark.record import layout as schema
from tidemark.record.appender import CsvAppender, LineAppender
from tidemark.record.clock import Instant
from tidemark.sampler.errors import RunDirectoryError

_RUN_FILES = (
    schema.RUN_JSON,
    schema.SAMPLES_CSV,
    schema.COMPOSITION_CSV,
    schema.REQUESTS_CSV,
    schema.ENDPOINTS_CSV,
    schema.EVENTS_JSONL,
)


def whole_lines(path: Path) -> list[str]:
    """The lines of a file; a torn last one (its writer was killed) is dropped.

    Raises:
        RunDirectoryError: The file cannot be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunDirectoryError(f"{path}: {error.strerror}") from error
    text = data[: data.rfind(b"\n") + 1].decode("utf-8", "replace")
    return text.split("\n")[:-1]


def event_line(instant: Instant, event: str, **fields: object) -> bytes:
    """One line of `events.jsonl`, without its newline."""
    record = {
        "time_s": round(instant.time_s, 6),
        "elapsed_s": round(instant.elapsed_s, 6),
        "event": event,
        **fields,
    }
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "replace")


class RunDirectory:
    """One run's folder.

    Args:
        path: The folder. It need not exist for the object to be made; `create` makes it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @classmethod
    def create(cls, path: Path | str) -> "RunDirectory":
        """Make the folder for a new run; an empty or unrelated one is taken as it is.

        Raises:
            RunDirectoryError: It holds a run already, or cannot be made or written.
        """
        folder = Path(path)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunDirectoryError(
                f"{folder}: cannot be made ({error.strerror}): choose another folder"
            ) from error
        for name in _RUN_FILES:
            if (folder / name).exists():
                raise RunDirectoryError(
                    f"{folder}: holds a run already ({name}): choose another folder"
                )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunDirectoryError(f"{folder}: cannot be written: choose another folder")
        return cls(folder)

    def file(self, name: str) -> Path:
        """The path of one of the run's files (names in `sampler.schema`)."""
        return self.path / name

    def write_metadata(self, metadata: Mapping[str, object]) -> None:
        """Write `run.json` anew, as a whole; `format` is added.

        Readers see the old one or the new one, never a part.

        Raises:
            RunDirectoryError: It cannot be written.
        """
        target = self.file(schema.RUN_JSON)
        fresh = self.file(f".{schema.RUN_JSON}.{os.getpid()}")
        text = json.dumps({"format": schema.FORMAT, **metadata}, indent=2, ensure_ascii=False)
        try:
            fresh.write_text(text + "\n", encoding="utf-8")
            fresh.replace(target)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise RunDirectoryError(
                f"{target}: {error.strerror}: check the folder and the free space"
            ) from error

    def read_metadata(self) -> dict[str, object]:
        """What `run.json` says.

        Raises:
            RunDirectoryError: It is missing, is not JSON, or has a format this version does
                not know.
        """
        path = self.file(schema.RUN_JSON)
        try:
            metadata = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise RunDirectoryError(
                f"{path}: {error.strerror}: is this a run directory?"
            ) from error
        except ValueError as error:
            raise RunDirectoryError(f"{path}: is not JSON: {error}") from error
        if not isinstance(metadata, dict) or metadata.get("format") != schema.FORMAT:
            found = metadata.get("format") if isinstance(metadata, dict) else None
            raise RunDirectoryError(
                f"{path}: format {found!r} is unknown; this version reads {schema.FORMAT}"
            )
        return metadata

    def append_event(self, instant: Instant, event: str, **fields: object) -> None:
        """Append one line to `events.jsonl`; several processes may do so at once.

        Raises:
            DiskFullError: There is no room for it.
            RunDirectoryError: It cannot be written.
        """
        writer = self.events_writer()
        try:
            writer.append(event_line(instant, event, **fields))
        finally:
            writer.close()

    def read_events(self) -> list[dict[str, object]]:
        """The events so far, in the order of the file; torn lines are dropped.

        Raises:
            RunDirectoryError: The file is there, but cannot be read.
        """
        path = self.file(schema.EVENTS_JSONL)
        if not path.exists():
            return []
        return [event for line in whole_lines(path) if (event := _parse_event(line)) is not None]

    def events_writer(self) -> LineAppender:
        """Opens `events.jsonl` for appending lines made by `event_line`."""
        return LineAppender(self.file(schema.EVENTS_JSONL))

    def samples_writer(self) -> CsvAppender:
        """Opens `samples.csv` for appending."""
        return CsvAppender(self.file(schema.SAMPLES_CSV), schema.SAMPLES_COLUMNS)

    def composition_writer(self) -> CsvAppender:
        """Opens `composition.csv` for appending."""
        return CsvAppender(self.file(schema.COMPOSITION_CSV), schema.COMPOSITION_COLUMNS)

    def requests_writer(self) -> CsvAppender:
        """Opens `requests.csv` for appending."""
        return CsvAppender(self.file(schema.REQUESTS_CSV), schema.REQUESTS_COLUMNS)

    def endpoints_writer(self) -> CsvAppender:
        """Opens `endpoints.csv` for appending."""
        return CsvAppender(self.file(schema.ENDPOINTS_CSV), schema.ENDPOINTS_COLUMNS)


def _parse_event(line: str) -> dict[str, object] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
