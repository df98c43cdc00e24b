"""A run that somebody writes, as slowly as a test wants."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.analysis.rundirs import write_run
from tests.eventually import eventually
from tidemark.live.watching import Watched

TABLES = ("samples.csv", "composition.csv", "endpoints.csv", "requests.csv", "events.jsonl")


@dataclass
class Writer:
    """Writes the files of a finished run again, up to a moment of it."""

    source: Path
    path: Path
    _written: dict[str, int] = field(default_factory=dict)

    def begin(self) -> None:
        """Make the run directory: a run under way, with nothing in it."""
        self.path.mkdir(exist_ok=True)
        raw = json.loads((self.source / "run.json").read_text())
        for name in ("ended_at", "outcome"):
            raw.pop(name, None)
        (self.path / "run.json").write_text(json.dumps(raw))

    def write_until(self, until_s: float) -> None:
        """Append all rows up to a moment of the run."""
        for name in TABLES:
            lines = (self.source / name).read_text().splitlines(keepends=True)
            lines.sort(key=lambda line, name=name: self._at(name, line))  # type: ignore[misc]
            done = self._written.get(name, 0)
            new = [one for one in lines[done:] if self._at(name, one) <= until_s]
            with (self.path / name).open("a") as file:
                file.writelines(new)
            self._written[name] = done + len(new)

    def end(self) -> None:
        """Write what is left, and that the run has ended."""
        self.write_until(float("inf"))
        (self.path / "run.json").write_text((self.source / "run.json").read_text())

    @staticmethod
    def _at(name: str, line: str) -> float:
        if name.endswith(".jsonl"):
            return float(json.loads(line)["elapsed_s"])
        return -1.0 if line.startswith("time_s") else float(line.split(",")[1])


@pytest.fixture
def writer(tmp_path: Path) -> Writer:
    """Writes a run that leaks: 1,024 descriptors are used up within a minute."""
    source = write_run(tmp_path / "source", strategy="per-request-leaked", outcome="completed")
    return Writer(source, tmp_path / "run")


@contextmanager
def judged_so_far(writer: Writer) -> Iterator[Watched]:
    """The run of a writer, under way and followed, with a verdict on its first 12 s."""
    writer.begin()
    writer.write_until(12)
    watched = Watched(writer.path)
    with watched.followed():
        eventually(lambda: watched.judge.judged, "a verdict", timeout_s=90)
        yield watched


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A run under way, followed and judged."""
    source = write_run(tmp_path_factory.mktemp("source"), strategy="per-request-leaked")
    with judged_so_far(Writer(source, source.parent / "run")) as watched:
        yield watched


@pytest.fixture
def judged(writer):
    """The same of a run that the test goes on to write."""
    with judged_so_far(writer) as watched:
        yield watched
