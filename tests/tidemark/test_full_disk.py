"""A disk that fills up in the middle costs rows and events; the run ends whole all the same."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tidemark.record.clock import Instant
from tidemark.record.errors import DiskFullError
from tidemark.record.events import DiskFull, DiskHasRoom, RunEnded, Stalled
from tidemark.record.metadata import COMPLETED
from tidemark.run.journal import Ending, Journal
from tidemark.run.options import RunOptions
from tidemark.run.plan import Plan
from tidemark.run.requests_record import RequestRecord, RequestTables

DONE = Ending(COMPLETED, "the load came to its end")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, small."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", tmp_path],
        check=False,
        capture_output=True,
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount")
    yield tmp_path
    subprocess.run(["umount", "-l", tmp_path], check=True)


def fill(disk: Path) -> Path:
    """Leave no room, not even at the end of the files that are there."""
    ballast = disk / "ballast"
    with ballast.open("ab", buffering=0) as file:
        for size in (4096, 1):
            while True:
                try:
                    file.write(bytes(size))
                except OSError:
                    break
    return ballast


class Written:
    """A run's files, as the run side writes them."""

    def __init__(self, disk: Path) -> None:
        plan = Plan.of(RunOptions.parse({"results": disk, "run_name": "run"}), None)
        self.journal = Journal(plan, plan.make_directory())
        self.record = RequestRecord()
        self.tables = RequestTables(self.journal, self.record)
        self.now_s = 0.0

    def tick(self) -> None:
        for number in range(60):  # long enough to need another page of the disk
            self.record.on_request("POST", f"/a/long/route/of/this/service/{number}")
        self.now_s += 1
        self.tables.write(Instant(1000.0 + self.now_s, self.now_s), users=1)

    def say(self) -> None:
        self.journal.event(Stalled(silent_s=1.0))

    def begin(self) -> None:
        self.journal.load_began(users=1, run_time_s=None)

    def found(self) -> list[str]:
        return [one.event.name for one in self.journal.directory.read_events()]


@pytest.mark.parametrize("first", [Written.tick, Written.say, Written.begin])
def test_whichever_file_is_hit_first_the_run_ends_whole(
    disk: Path, first: Callable[[Written], None], capsys: pytest.CaptureFixture[str]
) -> None:
    run = Written(disk)
    run.tick()
    fill(disk)
    for _ in range(100):
        first(run)
        run.tick()
        run.say()
        fill(disk)  # whatever is given back, others take
    run.tables.close()
    run.journal.end(DONE, messages=None)
    metadata = run.journal.directory.read_metadata()
    assert metadata.outcome == COMPLETED
    assert metadata.ended_at is not None
    assert run.found().count(DiskFull.NAME) == 1
    assert capsys.readouterr().err.count("the run goes on") == 1
    for name in ("requests.csv", "routes.csv", "events.jsonl"):
        assert run.journal.directory.file(name).read_bytes().endswith(b"\n")
    assert not [path for path in run.journal.directory.path.iterdir() if path.name[0] == "."]


def test_room_that_comes_back_is_used_and_told(disk: Path) -> None:
    run = Written(disk)
    ballast = fill(disk)
    for _ in range(5):
        run.tick()
    ballast.unlink()
    run.tick()
    run.tables.close()
    run.journal.end(DONE)
    events = run.found()
    assert [events.count(kind.NAME) for kind in (DiskFull, DiskHasRoom, RunEnded)] == [1, 1, 1]


def test_a_disk_that_is_full_at_the_start_is_one_error(disk: Path) -> None:
    fill(disk)
    with pytest.raises(DiskFullError, match="No space left"):
        Written(disk)
    assert list((disk / "run").iterdir()) == []
