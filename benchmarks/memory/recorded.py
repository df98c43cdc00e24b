"""The recordings that there are: run directories, lying in a folder or packed in archives."""

from __future__ import annotations

import contextlib
import json
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.memory.plan import Recording
from benchmarks.memory.run import FAILED, RECORDING
from tidemark.record.layout import RUN_JSON

ARCHIVES = Path(__file__).parent / "recorded"
SUFFIX = ".tar.xz"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A run that came to its end.

    Attributes:
        recording: What was recorded.
        half: "development" or "judged".
        runtime: One of `RUNTIMES`.
        failed: Why it is of no use; empty where it is.
        path: Its run directory.
    """

    recording: Recording
    half: str
    runtime: str
    failed: str
    path: Path


def recorded_in(folder: Path) -> Iterator[Recorded]:
    """Every run of a folder that came to its end, by name; the failed ones among them."""
    for path in sorted(folder.glob(f"*/{RUN_JSON}")):
        if found := read_recorded(path.parent):
            yield found


def read_recorded(path: Path) -> Recorded | None:
    """What a run directory holds; None where its run has not come to its end, or is none."""
    try:
        told: dict[str, Any] = json.loads((path / RUN_JSON).read_text())
        about = told[RECORDING]
        recording = Recording.from_json(about)
    except (OSError, ValueError, LookupError):
        return None
    if not told.get("outcome"):
        return None
    return Recorded(recording, about["half"], about["runtime"], about.get(FAILED, ""), path)


@contextlib.contextmanager
def recordings(half: str = "", runs: Path | None = None) -> Iterator[list[Recorded]]:
    """The usable recordings of a half (of both by default), unpacked for as long as it takes.

    Args:
        half: "development" or "judged".
        runs: A folder of run directories; the packed archives by default.
    """
    with contextlib.ExitStack() as stack:
        if runs is None:
            runs = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidemark-memory-")))
            unpack(ARCHIVES, runs)
        yield [
            found for found in recorded_in(runs) if not found.failed and half in {"", found.half}
        ]


def unpack(archives: Path, into: Path) -> None:
    """Unpack every archive of a folder: each holds one folder for each run."""
    for archive in sorted(archives.glob(f"*{SUFFIX}")):
        with tarfile.open(archive, "r:xz") as packed:
            packed.extractall(into, filter="data")
