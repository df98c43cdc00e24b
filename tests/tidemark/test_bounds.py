"""Levels at which a run is to end: how they are told, and when they are reached."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from tidemark.plugin.aftermath import exit_code
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import OptionError
from tidemark.record.events import Event, LevelReached
from tidemark.record.layout import EVENTS_JSONL, SAMPLES
from tidemark.record.metadata import ABORTED, COMPLETED
from tidemark.run.journal import Ending, Journal
from tidemark.run.level_watch import TICKS_ENOUGH, LevelWatch
from tidemark.run.options import RunOptions

GIB = 2**30


@dataclass
class Book:
    """A journal that remembers, in a folder where samples come."""

    directory: RunDirectory
    events: list[Event] = field(default_factory=list)
    ticks: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def event(self, event: Event) -> None:
        self.events.append(event)

    def watch(self, *bounds: str) -> LevelWatch:
        (self.directory.file(SAMPLES.file)).write_text(",".join(SAMPLES.columns) + "\n")
        return LevelWatch(cast("Journal", self), RunOptions.parse({"stop_at": bounds}).stop_at)

    def tick(self, *processes: dict[str, Any]) -> None:
        """A row for each process; of one that has no more is known."""
        at = next(self.ticks)
        told = {"time_s": at, "elapsed_s": at, "target": "target", "pid": 7, "process": "api"}
        with self.directory.file(SAMPLES.file).open("a") as file:
            for one in processes:
                row = told | one
                file.write(",".join(str(row.get(name, "")) for name in SAMPLES.columns) + "\n")

    def limits(self, **limits: Any) -> None:
        times = {"time_s": 1, "elapsed_s": 1, "event": "limits_read"}
        with self.directory.file(EVENTS_JSONL).open("a") as file:
            file.write(json.dumps({**times, "pid": 7, "target": "target", **limits}) + "\n")


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(RunDirectory(tmp_path))


def test_a_share_of_the_descriptors_is_that_of_each_process(book: Book) -> None:
    watch = book.watch("fds=90%")
    book.tick({"fds": 60, "fds_limit": 100}, {"pid": 8, "fds": 60, "fds_limit": 100})
    assert watch.look() is None
    book.tick({"fds": 89, "fds_limit": 100}, {"pid": 8, "fds": 90, "fds_limit": 100})
    reason = "stopped at fds=90%: file descriptors of api (8): 90 of 100"
    assert watch.look() == Ending(COMPLETED, reason, is_stopped=True)
    assert book.events == [
        LevelReached(
            asked="fds=90%",
            resource="fds",
            level=90,
            limit=100,
            pid=8,
            process="api",
            target="target",
        )
    ]


def test_an_amount_is_what_all_processes_of_a_target_have(book: Book) -> None:
    watch = book.watch("connections=5000", "memory=2GiB")
    here, there = {"target": "a", "established": 3000}, {"target": "b", "established": 3000}
    book.tick(here, there, {"target": "a", "pid": 0, "time_wait": 9000})
    book.tick(here, there)
    assert watch.look() is None
    book.tick(here | {"rss_bytes": GIB}, {"target": "a", "pid": 9, "rss_bytes": GIB})
    ending = watch.look()
    assert ending is not None
    assert ending.reason == "stopped at memory=2GiB: a: resident memory: 2,048 MiB"
    assert ending.is_stopped


def test_a_share_of_another_limit_is_of_the_lowest_that_was_read(book: Book) -> None:
    watch = book.watch("memory=50%", "threads=80%")
    book.limits(rss_bytes_limit=4 * GIB, threads_limit=2**63 - 1)
    book.limits(rss_bytes_limit=2 * GIB, threads_limit=100)
    book.tick({"threads": 79, "rss_bytes": GIB - 1})
    assert watch.look() is None
    book.tick({"threads": 80, "rss_bytes": GIB - 1})
    ending = watch.look()
    assert ending is not None
    assert ending.reason == "stopped at threads=80%: threads: 80 of 100"


def test_a_bound_that_guards_nothing_ends_the_run_soon(book: Book) -> None:
    watch = book.watch("memory=80%")
    for _ in range(TICKS_ENOUGH):
        book.tick({"rss_bytes": GIB})
        assert watch.look() is None
    book.tick({"rss_bytes": GIB})
    reason = "--stop-at memory=80%: no limit of resident memory is known: name an amount"
    assert watch.look() == Ending(ABORTED, reason, cannot_tell=True)
    assert book.events == []


def test_what_could_not_be_read_reaches_nothing(book: Book) -> None:
    watch = book.watch("fds=1", "memory=1MiB")
    book.tick({"fds": "", "rss_bytes": ""})
    assert watch.look() is None


def test_a_run_that_was_stopped_fails() -> None:
    assert exit_code(Ending(COMPLETED, "", is_stopped=True)) == 1
    assert exit_code(Ending(COMPLETED, "")) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("fds", "must be RESOURCE=LEVEL such as fds=90%, of fds, connections, threads, memory"),
        ("rss_bytes=3", "not 'rss_bytes=3'"),
        ("fds=0", "fds must be a whole number of at least 1"),
        ("fds=0%", "fds must be more than 0%"),
        ("fds=101%", "from 0% to 100%"),
        ("connections=90%", "connections has no limit"),
        ("memory=2G", "memory must be a size such as 512MiB"),
        ("memory=0MiB", "memory must be a size"),
        ("x" * 100_000, "100,000 characters"),
    ],
)
def test_a_bad_bound_is_one_line(text: str, wanted: str) -> None:
    with pytest.raises(OptionError) as caught:
        RunOptions.parse({"stop_at": text})
    assert str(caught.value).startswith("--stop-at: ")
    assert wanted in str(caught.value)
    assert len(str(caught.value)) < 320


def test_several_bounds_stand_side_by_side() -> None:
    options = RunOptions.parse({"stop_at": "fds=90% memory=1.5GiB threads=500"})
    assert [bound.level for bound in options.stop_at] == [0.9, 1.5 * GIB, 500]
    assert options.as_arguments("stop_at") == [
        "--stop-at=fds=90%",
        "--stop-at=memory=1.5GiB",
        "--stop-at=threads=500",
    ]
