"""Pack recorded runs: an archive for each service, with what the verdict on memory reads.

    python -m benchmarks.memory.pack --runs DIR [--into DIR] [--check N]

What is packed is a run directory still, and the same one each time: times are rounded, what says
something of the machine or is not read is left out, and so are runs that failed or have not ended.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import lzma
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.memory.answers import answer
from benchmarks.memory.recorded import (
    ARCHIVES,
    SUFFIX,
    Recorded,
    read_recorded,
    recorded_in,
    unpack,
)
from benchmarks.memory.run import RECORDING
from tidemark.record.events import (
    LimitsRead,
    ProcessContinued,
    ProcessStopped,
    RuntimeSeen,
    TargetExited,
    TargetRestarted,
)
from tidemark.record.layout import EVENTS_JSONL, KERNEL_PID, REQUESTS, RUN_JSON, SAMPLES, Table

TOLD = ("format", "strategy", "started_at", "ended_at", "outcome", "load", "sampling", RECORDING)
"""Keys of run.json that are packed."""
MEMORY = ("rss_bytes", "swap_bytes", "rss_anon_bytes", "rss_file_bytes", "heap_bytes")
SAMPLED = ("pid", "process", *MEMORY, "collections", "threads", "fds", "fds_limit")
COUNTED = ("users", "requests", "failures")
"""Columns that are packed; others are empty, or left out where a table may lack them."""
HAPPENED = frozenset(
    event.NAME
    for event in (
        LimitsRead,
        ProcessContinued,
        ProcessStopped,
        RuntimeSeen,
        TargetExited,
        TargetRestarted,
    )
)
"""Events that are packed."""
DECIMALS = 2
"""Of seconds."""
_LZMA = {
    "id": lzma.FILTER_LZMA2,
    "preset": 9 | lzma.PRESET_EXTREME,
    "dict_size": 16 << 20,  # no archive holds more
    "pb": 0,  # it is text
}


def packed(recorded: Recorded) -> dict[str, bytes]:
    """The files of a run as they are packed; it has come to its end."""
    path = recorded.path
    samples = [row for row in _rows(path, SAMPLES) if int(row["pid"]) != KERNEL_PID]
    return {
        RUN_JSON: _metadata(path),
        EVENTS_JSONL: b"".join(_events(path)),
        REQUESTS.file: _table(REQUESTS, COUNTED, _rows(path, REQUESTS)),
        SAMPLES.file: _table(SAMPLES, SAMPLED, samples),
    }


def _metadata(path: Path) -> bytes:
    told: dict[str, Any] = json.loads((path / RUN_JSON).read_text())
    return _line({key: told[key] for key in TOLD if key in told})


def _events(path: Path) -> Iterator[bytes]:
    for line in (path / EVENTS_JSONL).read_text().splitlines():
        event = json.loads(line)
        if event["event"] in HAPPENED:
            yield _line({**event, **_times(event["elapsed_s"])})


def _line(value: Mapping[str, object]) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, separators=(',', ':'))}\n".encode()


def _times(elapsed_s: float | str) -> dict[str, float]:
    """Nobody reads the time of the day; the run's own has to be there."""
    return {"time_s": 0, "elapsed_s": round(float(elapsed_s), DECIMALS)}


def _rows(path: Path, table: Table) -> list[dict[str, str]]:
    with (path / table.file).open(newline="") as file:
        return list(csv.DictReader(file))


def _table(table: Table, kept: Sequence[str], rows: Iterable[Mapping[str, str]]) -> bytes:
    """A table as CSV: the columns that are kept, and those without which it is none."""
    text = io.StringIO()
    columns = [name for name in table.columns if name in kept or name not in table.added]
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({**{name: row[name] for name in kept}, **_times(row["elapsed_s"])})
    return text.getvalue().encode()


# -- archives --------------------------------------------------------------------------------------


def archive(runs: Mapping[str, Mapping[str, bytes]]) -> bytes:
    """An archive of run directories, which depends on their content alone.

    Args:
        runs: Name of a run -> name of a file -> its content.
    """
    # Files of one name lie together, where they are likest.
    files = sorted((name, run) for run, files in runs.items() for name in files)
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, run in files:
            entry = tarfile.TarInfo(f"{run}/{name}")  # of nobody, 0644, 1970
            entry.size = len(runs[run][name])
            tar.addfile(entry, io.BytesIO(runs[run][name]))
    return lzma.compress(content.getvalue(), filters=[_LZMA])


def pack(runs: Path, into: Path, jobs: int) -> list[tuple[Path, int]]:
    """Write an archive for each service; those of other services are left alone.

    Returns:
        The archives, each with the number of its runs.
    """
    into.mkdir(parents=True, exist_ok=True)
    usable = [found for found in recorded_in(runs) if not found.failed]
    usable.sort(key=lambda found: (found.recording.service, found.recording.name))
    tasks = [list(of) for _, of in groupby(usable, lambda one: one.recording.service)]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(partial(_pack_service, into), tasks))


def _pack_service(into: Path, found: list[Recorded]) -> tuple[Path, int]:
    path = into / f"{found[0].recording.service}{SUFFIX}"
    path.write_bytes(archive({one.recording.name: packed(one) for one in found}))
    return path, len(found)


def differences(runs: Path, archives: Path, most: int) -> Iterator[str]:
    """What is said otherwise of packed runs than of the recorded ones, of so many at most."""
    with tempfile.TemporaryDirectory(prefix="tidemark-memory-") as folder:
        unpack(archives, Path(folder))
        found = list(recorded_in(Path(folder)))
        for one in found[:: max(1, len(found) // most)]:
            raw = read_recorded(runs / one.recording.name)
            if raw is None:
                continue
            told, meant = answer(one), answer(raw)
            if (told.verdict, told.requests) != (meant.verdict, meant.requests):
                yield f"{one.recording.name}: {told.verdict}, but {meant.verdict} as recorded"


# -- command ---------------------------------------------------------------------------------------


def main() -> int:
    """Pack; the exit code says whether the verdicts stay what they are."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, required=True, help="folder of the run directories")
    parser.add_argument("--into", type=Path, default=ARCHIVES, help="folder of the archives")
    parser.add_argument("--check", type=int, default=0, help="judge so many runs, packed and not")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    made = pack(options.runs, options.into, options.jobs)
    for path, count in made:
        print(f"{path.name:48} {count:5} runs {path.stat().st_size:10,} bytes")
    total = sum(path.stat().st_size for path, _ in made)
    print(f"{'all':48} {sum(count for _, count in made):5} runs {total:10,} bytes")
    wrong = list(differences(options.runs, options.into, options.check)) if options.check else []
    print("".join(f"{line}\n" for line in wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
