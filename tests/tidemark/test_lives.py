"""The processes that a run cannot do without, and what their end means."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from tests.eventually import eventually
from tidemark.record.clock import Instant, RunClock
from tidemark.record.events import BrokerDown, SamplerLost, TargetExited
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.metadata import ABORTED, COMPLETED, DIED
from tidemark.run.errors import ChildError
from tidemark.run.finding import Clue, Watched
from tidemark.run.journal import Ending, Journal
from tidemark.run.lives import MOST_RESTARTS, Lives
from tidemark.run.options import RunOptions
from tidemark.run.places import LATER_INTERVAL_S, SEARCH_INTERVAL_S, SUCCESSOR_S, Place, Stranger
from tidemark.run.plan import Plan
from tidemark.run.processes import Services
from tidemark.sampler import procfs


@dataclass(frozen=True)
class FrozenClock(RunClock):
    """It is always as long after the run began."""

    elapsed_s: float

    def now(self) -> Instant:
        return Instant(1e9, self.elapsed_s)


@dataclass
class FakeChild:
    """A child that ends when it is told to."""

    returncode: int | None = None
    pid: int = 4711

    def obituary(self, after_s: float) -> str:
        return f"it ended with {self.returncode} after {after_s:.0f} s"


@dataclass
class FakeProcesses:
    """Starts samplers, if it can."""

    error: str = ""
    sampler: FakeChild | None = field(default_factory=FakeChild)
    restarts: int = 0
    watched: list[tuple[str, int]] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    def watch(self, target: str, pid: int, former_pid: int) -> None:
        assert former_pid != pid
        self.watched.append((target, pid))

    def forget(self, target: str) -> None:
        self.forgotten.append(target)

    def restart_sampler(self, brokers: list[str]) -> None:
        assert brokers == ["a:1", "b:2"]
        if self.error:
            raise ChildError(self.error)
        self.restarts += 1
        self.sampler = FakeChild()


@dataclass
class Room:
    """A run under way."""

    journal: Journal
    processes: FakeProcesses
    target: FakeChild
    broker: FakeChild
    lives: Lives

    def events(self) -> list[Any]:
        return [one.event for one in self.journal.directory.read_events()][1:]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    plan = Plan.of(RunOptions.parse({"results": tmp_path}), None)
    journal = Journal(plan, plan.make_directory())
    journal.clock = FrozenClock(0.0, 41.0)
    processes, target, broker = FakeProcesses(), FakeChild(), FakeChild()
    services = Services("http://x", ["a:1", "b:2"], cast("Any", broker), cast("Any", target), None)
    lives = Lives(journal, cast("Any", processes), services)
    return Room(journal, processes, target, broker, lives)


def test_while_all_live_nothing_is_said(room: Room) -> None:
    assert room.lives.look() is None
    assert room.events() == []


@pytest.mark.parametrize(("code", "exit_code", "signal"), [(-9, None, "SIGKILL"), (3, 3, None)])
def test_a_target_that_ends_by_itself_has_died(
    room: Room, code: int, exit_code: int | None, signal: str | None
) -> None:
    room.target.returncode = code
    assert room.lives.look() == Ending(DIED, f"it ended with {code} after 41 s")
    assert room.events() == [TargetExited(4711, None, exit_code, signal, ONLY_TARGET)]


def test_brokers_that_end_by_themselves_end_the_run(room: Room) -> None:
    room.broker.returncode = -9
    ending = room.lives.look()
    assert ending == Ending(ABORTED, "it ended with -9 after 41 s", cannot_tell=True)
    told = [(event.broker, event.action) for event in room.events()]
    assert told == [("a:1", "died"), ("b:2", "died")]
    assert all(isinstance(event, BrokerDown) for event in room.events())


def test_a_lost_sampler_is_started_again(room: Room) -> None:
    assert room.processes.sampler
    room.processes.sampler.returncode = 0
    assert room.lives.look() is None
    assert room.lives.look() is None
    assert room.processes.restarts == 1
    assert room.events() == [SamplerLost("it ended with 0 after 41 s")]


def test_a_sampler_is_given_up_in_the_end(room: Room) -> None:
    for _ in range(MOST_RESTARTS):
        assert room.processes.sampler
        room.processes.sampler.returncode = -9
        assert room.lives.look() is None
    room.processes.sampler.returncode = -9
    ending = room.lives.look()
    assert ending
    assert (ending.outcome, ending.cannot_tell) == (ABORTED, True)
    assert room.processes.restarts == MOST_RESTARTS


def test_a_sampler_that_cannot_be_started_again_ends_the_run(room: Room) -> None:
    assert room.processes.sampler
    room.processes.sampler.returncode, room.processes.error = -15, "no such process"
    ending = room.lives.look()
    assert ending
    assert ending.cannot_tell
    assert ending.reason.endswith("cannot be started again: no such process")


def test_at_the_end_no_sampler_is_started_any_more(room: Room) -> None:
    assert room.processes.sampler
    room.processes.sampler.returncode = -9
    assert room.lives.look(is_last=True) is None
    assert room.processes.restarts == 0
    assert [type(event) for event in room.events()] == [SamplerLost]


def test_a_stranger_is_gone_once_it_has_ended_even_if_nobody_waits_for_it() -> None:
    process = subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    stranger = Stranger(process.pid)
    try:
        assert not stranger.is_gone()
        assert "python" in stranger.name
        process.kill()
        assert eventually(stranger.is_gone, "its end")  # a zombie until it is waited for
    finally:
        process.kill()
        process.wait()
        stranger.close()
    assert Stranger(process.pid).is_gone()


@dataclass
class Gone:
    """A process that has ended."""

    start_ticks: int = 0
    pid: int = 17
    name: str = "java"

    def is_gone(self) -> bool:
        return True

    def close(self) -> None:
        pass


def lives_of_a_stranger(
    room: Room, successor: Callable[[], int | None], start_ticks: int = 0
) -> Lives:
    def find() -> list[int]:
        found = successor()
        return [] if found is None else [found]

    return lives_of(room, place_of(Gone(start_ticks), ONLY_TARGET, find))


def place_of(
    process: Gone | int, target: str, find: Callable[[], list[int]] = list, *, is_only: bool = True
) -> Place:
    pid = process if isinstance(process, int) else process.pid
    place = Place(Watched(target, pid, Clue("--target-pid", find), is_only=is_only))
    if isinstance(process, Gone):
        place.stranger = cast("Stranger", process)
    return place


def lives_of(room: Room, *places: Place) -> Lives:
    services = Services("http://x", ["a:1"], None, None, None)
    return Lives(room.journal, cast("Any", room.processes), services, places)


def later(room: Room, by_s: float) -> None:
    room.journal.clock = FrozenClock(0.0, room.journal.clock.now().elapsed_s + by_s)


def test_a_stranger_that_ends_and_does_not_come_back_has_died(room: Room) -> None:
    looks = iter([None, 17])  # nobody, and the one that has ended
    lives = lives_of_a_stranger(room, lambda: next(looks))
    assert lives.look() is None
    assert lives.look() is None, "it was looked for just now"
    later(room, SEARCH_INTERVAL_S)
    assert lives.look() is None
    lives = lives_of_a_stranger(room, lambda: None)
    assert lives.look() is None
    later(room, SUCCESSOR_S)
    assert lives.look() == Ending(DIED, "java (17) has ended after 42 s")
    assert room.events() == [TargetExited(17, "java", None, None, ONLY_TARGET)]
    assert room.processes.watched == []


def test_who_was_there_before_has_not_taken_its_place(room: Room) -> None:
    """A master whose worker was watched, or a proxy before it: the service has died."""
    later_than_us = procfs.read_stat(os.getpid()).start_ticks + 1
    lives = lives_of_a_stranger(room, os.getpid, later_than_us)
    assert lives.look() is None
    assert room.processes.watched == []
    later(room, SUCCESSOR_S)
    ending = lives.look()
    assert ending is not None
    assert ending.outcome == DIED


def test_a_stranger_that_has_not_come_back_when_the_load_ends_has_died(room: Room) -> None:
    lives = lives_of_a_stranger(room, lambda: None)
    assert lives.look(is_last=True) == Ending(DIED, "java (17) has ended after 41 s")


def test_a_stranger_that_is_started_again_is_followed(room: Room) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        lives = lives_of_a_stranger(room, lambda: process.pid)
        assert lives.look() is None
        assert room.processes.watched == [(ONLY_TARGET, process.pid)]
        later(room, 100.0)
        assert lives.look() is None
        assert room.events() == []
        process.kill()
    assert lives.look() is None, "it may come back once more"
    later(room, SUCCESSOR_S)
    ending = lives.look()
    assert ending is not None
    assert (ending.outcome, f"({process.pid}) has ended after 141 s" in ending.reason) == (
        DIED,
        True,
    )
    lives.close()


@pytest.fixture
def alive() -> Iterator[int]:
    """The id of a process that lives."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process.pid


def test_one_of_several_that_ends_is_told_and_the_others_go_on(room: Room, alive: int) -> None:
    lives = lives_of(room, place_of(alive, "a"), place_of(Gone(), "b"))
    assert lives.look() is None
    later(room, SUCCESSOR_S)
    assert lives.look() is None
    assert lives.look() is None, "it is told once"
    assert room.events() == [TargetExited(17, "java", None, None, "b")]
    assert room.processes.forgotten == ["b"]
    judged = lives.judged(Ending(COMPLETED, "the load came to its end"))
    told = "the load came to its end; b had ended by itself"
    assert judged == Ending(COMPLETED, told, has_lost_targets=True)
    lives.close()


def test_one_of_several_that_comes_back_late_is_watched_again(room: Room, alive: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as heir:
        found: list[int] = []
        lives = lives_of(room, place_of(alive, "a"), place_of(Gone(), "b", lambda: found))
        assert lives.look() is None
        later(room, SUCCESSOR_S)
        assert lives.look() is None
        found.append(heir.pid)
        later(room, SEARCH_INTERVAL_S)
        assert lives.look() is None
        assert room.processes.watched == [], "it is not looked for as often as before"
        later(room, LATER_INTERVAL_S)
        assert lives.look() is None
        assert room.processes.watched == [("b", heir.pid)]
        judged = lives.judged(Ending(COMPLETED, "the load came to its end"))
        assert judged.has_lost_targets, "it was gone for a while all the same"
        lives.close()


def test_when_all_have_ended_the_run_ends(room: Room) -> None:
    lives = lives_of(room, place_of(Gone(), "a"), place_of(Gone(pid=18), "b"))
    assert lives.look() is None
    later(room, SUCCESSOR_S)
    told = "all 2 targets have ended: java (18) has ended after 41 s"
    ending = lives.look()
    assert ending == Ending(DIED, told)
    assert [event.target for event in room.events()] == ["a", "b"]
    assert room.processes.forgotten == ["a"], "a sampler of nothing cannot be"
    assert lives.judged(ending) == ending


def test_one_of_several_takes_no_place_of_another(room: Room, alive: int) -> None:
    def alike() -> list[int]:
        return [alive]

    places = [
        place_of(one, name, alike, is_only=False) for one, name in ((alive, "a"), (Gone(), "b"))
    ]
    lives = lives_of(room, *places)
    assert lives.look(is_last=True) is None
    assert room.processes.watched == []
    assert [event.target for event in room.events()] == ["b"]
    lives.close()


def test_of_several_that_match_one_that_is_free_is_taken(room: Room, alive: int) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as heir:

        def alike() -> list[int]:
            return [alive, heir.pid]

        of_a, of_b = place_of(alive, "a", alike, is_only=False), place_of(Gone(), "b", alike)
        lives = lives_of(room, of_a, of_b)
        assert lives.look() is None
        assert room.processes.watched == [], "which of them is not known"
        lives = lives_of(room, of_a, place_of(Gone(), "b", alike, is_only=False))
        assert lives.look() is None
        assert room.processes.watched == [("b", heir.pid)]
        lives.close()
