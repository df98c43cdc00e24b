"""A session and its parts: what stands in its files, how it ends, what it leaves behind."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from tidemark.record import layout
from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.events import Emfile, RefusedByBroker, RunEnded, RunStarted, Stalled, of_kind
from tidemark.record.metadata import ABORTED, COMPLETED, EXHAUSTED, Target
from tidemark.record.stream import RowStream
from tidemark.run import session as module
from tidemark.run.children import Child
from tidemark.run.errors import ChildError
from tidemark.run.journal import Ending, Journal
from tidemark.run.ledger import Ledger
from tidemark.run.options import RunOptions
from tidemark.run.plan import Plan
from tidemark.run.processes import Processes, Services
from tidemark.run.requests_record import RequestRecord
from tidemark.run.session import Session, State
from tidemark.run.watch import Watch

URL = "http://127.0.0.1:8080"
DONE = Ending(COMPLETED, "the load came to its end")


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class FakeBroker:
    """A broker that lives."""

    returncode = None


BROKER = FakeBroker()


class FakeProcesses:
    """Starts nothing, and notes what is stopped."""

    has_unfetched = False

    def __init__(self, error: BaseException | None = None) -> None:
        self.stopped: list[object] = []
        self.sampler = None
        self._error = error

    def stop(self, all_but: Child | None = None) -> None:
        self.stopped.append(all_but)

    def start(self) -> Services:
        assert self._error
        raise self._error

    def balance(self, services: Services, ledger: Ledger) -> dict[str, Any]:
        if self._error:
            raise self._error
        return {"accepted": ledger.accepted}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    values = {"results": tmp_path, "run_name": "run", "plateau": 0, "request_timeout": 2}
    return Plan.of(RunOptions.parse(values), None)


@pytest.fixture
def journal(plan: Plan) -> Journal:
    return Journal(plan, plan.make_directory())


def names(journal: Journal) -> list[str]:
    return [recorded.event.name for recorded in journal.directory.read_events()]


# -- journal ------------------------------------------------------------------------------------


def test_a_run_is_on_disk_from_its_first_moment(journal: Journal) -> None:
    metadata = journal.directory.read_metadata()
    assert metadata.outcome == ABORTED  # its writer has not lived to say so
    assert metadata.format == 2
    assert names(journal) == [RunStarted.NAME]


def test_the_target_stands_in_targets_too(journal: Journal) -> None:
    journal.tell(brokers=["a:1", "b:2"])
    journal.target_found(URL, 4711, "python -m thing")
    metadata = journal.directory.read_metadata()
    assert metadata.brokers == ("a:1", "b:2")
    assert metadata.target["url"] == URL
    assert metadata.target["fds_limit"] == 1024
    assert metadata.targets == (Target(layout.ONLY_TARGET, URL, (4711,), "python -m thing"),)
    assert metadata.raw["targets"] == [metadata.targets[0].to_json()]


def test_a_service_of_somebody_else_has_neither_limit_nor_strategy(tmp_path: Path) -> None:
    plan = Plan.of(RunOptions.parse({"results": tmp_path, "no_target": True}), URL)
    metadata = Journal(plan, plan.make_directory()).directory.read_metadata()
    assert metadata.strategy is None
    assert metadata.target["fds_limit"] is None
    assert metadata.targets == (Target(layout.ONLY_TARGET, URL),)


@pytest.mark.parametrize(
    ("strategy", "host", "wanted"),
    [("shared", None, True), ("pooled", None, None), ("shared", URL, None)],
)
def test_a_run_of_the_reference_says_so_and_no_other(
    tmp_path: Path, strategy: str, host: str | None, wanted: bool | None
) -> None:
    values = {"results": tmp_path, "strategy": strategy, "no_target": bool(host)}
    plan = Plan.of(RunOptions.parse(values), host)
    metadata = Journal(plan, plan.make_directory()).directory.read_metadata()
    assert metadata.raw.get("reference") is wanted


def test_empty_logs_are_dropped_at_the_end(journal: Journal) -> None:
    empty, full = (journal.directory.file(name) for name in ("a.log", "b.log"))
    empty.touch()
    full.write_text("said something\n")
    journal.end(DONE)
    assert not empty.exists()
    assert full.exists()


# -- watch --------------------------------------------------------------------------------------


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def record(clock: Clock) -> RequestRecord:
    return RequestRecord(clock)


@pytest.fixture
def watch(plan: Plan, journal: Journal, record: RequestRecord, clock: Clock) -> Watch:
    return Watch(journal, record, plan.options, lambda: clock.now_s - 100)


def test_nothing_happens_nothing_is_said(watch: Watch, journal: Journal) -> None:
    assert watch.look() is None
    assert names(journal) == [RunStarted.NAME]


def test_a_target_without_descriptors_ends_the_run_once_it_is_silent(
    watch: Watch, journal: Journal, record: RequestRecord, clock: Clock
) -> None:
    record.on_request("POST", "/ingest")
    record.on_request("POST", "/ingest", exception=TimeoutError())
    record.count_sent()
    journal.directory.file(layout.TARGET_LOG).write_text("too many open files\n")
    watch.look()
    (emfile,) = of_kind(journal.directory.read_events(), Emfile)
    assert emfile.event == Emfile("too many open files", 1, layout.ONLY_TARGET)
    clock.now_s += 2
    ending = watch.look()
    assert ending
    assert ending.outcome == EXHAUSTED


def test_a_worker_that_goes_on_answering_goes_on(
    tmp_path: Path, journal: Journal, record: RequestRecord, clock: Clock
) -> None:
    options = RunOptions.parse({"plateau": 1e-9, "request_timeout": 2})
    watch = Watch(journal, record, options, lambda: 1.0)
    record.count_sent()
    journal.directory.file(layout.TARGET_LOG).write_text("too many open files\n")
    record.on_request("POST", "/ingest")
    watch.look()
    assert watch.look() is None  # the clock of the answers stands still: no silence at all


def test_a_stall_is_said_once_and_again_after_an_answer(
    watch: Watch, journal: Journal, record: RequestRecord, clock: Clock
) -> None:
    for _ in range(2):
        record.count_sent()
        clock.now_s += 3
        watch.look()
        watch.look()
        record.on_request("POST", "/ingest")
        watch.look()
    stalls = of_kind(journal.directory.read_events(), Stalled)
    assert [stall.event.silent_s for stall in stalls] == [3.0, 3.0]


def test_a_broker_that_refuses_is_told_and_goes_on(watch: Watch, journal: Journal) -> None:
    journal.directory.file(layout.BROKER_LOG).write_text("Rejected connection from /127.0.0.1\n")
    assert watch.look() is None
    (refused,) = of_kind(journal.directory.read_events(), RefusedByBroker)
    assert refused.event.line == "Rejected connection from /127.0.0.1"


class FailedError(Exception):
    """A failed request, with its text."""


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("HTTP 404", "; is the path right?"),
        ("connection refused", "; does the service listen on that port?"),
        ("HTTP 500", "; what does the service's own log say?"),
        ("no answer within 5 s", " (--keep"),
    ],
)
def test_a_service_that_answers_nothing_is_no_test(
    watch: Watch, record: RequestRecord, clock: Clock, text: str, hint: str
) -> None:
    for _ in range(19):
        record.on_request("POST", "/ingest", exception=FailedError(text))
    record.on_request("POST", "/ingest", exception=FailedError("another"))
    assert watch.look() is None  # it may have been started just now
    clock.now_s += 3
    ending = watch.look()
    assert ending
    assert (ending.outcome, ending.cannot_tell) == (ABORTED, True)
    assert f"20 of 20 requests failed: {text} on POST /ingest{hint}" in ending.reason


def test_few_failures_are_borne_until_two_timeouts_are_over(
    watch: Watch, record: RequestRecord, clock: Clock
) -> None:
    record.count_sent()
    clock.now_s += 3
    record.on_request("POST", "/ingest", exception=FailedError("HTTP 404"))
    assert watch.look() is None
    clock.now_s += 2
    ending = watch.look()
    assert ending
    assert "1 of 1 requests failed" in ending.reason


def test_silence_alone_is_no_test_either(watch: Watch, record: RequestRecord, clock: Clock) -> None:
    record.count_sent()
    clock.now_s += 5
    ending = watch.look()
    assert ending
    assert ending.reason.startswith("none of 1 requests was answered")


def test_a_single_success_makes_it_a_test(
    watch: Watch, record: RequestRecord, clock: Clock
) -> None:
    record.on_request("POST", "/ingest")
    for _ in range(50):
        record.on_request("POST", "/ingest", exception=FailedError("HTTP 503"))
    clock.now_s += 60
    assert watch.look() is None


@pytest.mark.parametrize("given", [{"keep_going": True}, {"fault": "outage@0+5"}])
def test_who_is_told_otherwise_goes_on(
    journal: Journal, record: RequestRecord, given: dict[str, Any]
) -> None:
    watch = Watch(journal, record, RunOptions.parse(given), lambda: 60.0)
    for _ in range(50):
        record.on_request("POST", "/ingest", exception=FailedError("HTTP 503"))
    assert watch.look() is None


def test_a_load_that_comes_to_its_end_without_an_answer_cannot_tell(
    watch: Watch, record: RequestRecord
) -> None:
    assert watch.judged(DONE).cannot_tell
    record.on_request("POST", "/ingest")
    assert watch.judged(DONE) == DONE


def test_a_run_stopped_while_the_target_lies_dead_was_exhausted(
    watch: Watch, journal: Journal, record: RequestRecord, clock: Clock
) -> None:
    record.count_sent()
    journal.directory.file(layout.TARGET_LOG).write_text("too many open files\n")
    watch.look()
    stopped = Ending(ABORTED, "interrupted")
    assert watch.judged(stopped) == stopped  # too soon to say
    journal.clock = RunClock(journal.clock.started_monotonic_s - 10)  # ten seconds later
    assert watch.judged(stopped) == stopped  # it has been answering meanwhile
    clock.now_s += 10
    assert watch.judged(stopped).outcome == EXHAUSTED


def test_an_interruption_without_exhaustion_stays_one(watch: Watch) -> None:
    assert watch.judged(Ending(ABORTED, "interrupted")).outcome == ABORTED


# -- session ------------------------------------------------------------------------------------


Make = Callable[[FakeProcesses], Session]


@pytest.fixture
def make(plan: Plan, journal: Journal) -> Make:
    services = Services(URL, ["a:1"], cast("Child", BROKER), None, None)

    def made(processes: FakeProcesses) -> Session:
        return Session(plan, journal, cast("Processes", processes), services)

    return made


def test_a_session_goes_from_ready_to_loaded_to_finished(make: Make, journal: Journal) -> None:
    session = make(FakeProcesses())
    states = [session.state]
    session.begin_load(3)
    states.append(session.state)
    session.record.count_sent()
    session.ledger.sent(0)
    session.record.on_request("POST", "/ingest", response_time=5.0)
    session.tick(3)
    session.finish(DONE)
    assert [*states, session.state] == [State.READY, State.LOADED, State.FINISHED]
    metadata = journal.directory.read_metadata()
    assert (metadata.outcome, metadata.load["users"]) == (COMPLETED, 3)
    assert metadata.raw["messages"] == {"accepted": 0}
    assert metadata.raw["latency_ms"]["max"] == 5.0
    requests, routes = (
        RowStream(session.path, table).new_rows() for table in (layout.REQUESTS, layout.ROUTES)
    )
    assert [row["requests"] for row in requests] == ["0", "1"]
    assert [(row["route"], row["requests"]) for row in routes] == [("POST /ingest", "1")]


def test_only_a_loaded_session_has_ticks_and_looks(make: Make) -> None:
    session = make(FakeProcesses())
    RunDirectory(session.path).file(layout.TARGET_LOG).write_text("EMFILE\n")
    session.tick(1)
    assert session.look() is None
    session.finish(DONE)
    session.tick(1)
    assert session.look() is None
    assert RowStream(session.path, layout.REQUESTS).new_rows() == []


def test_the_broker_is_stopped_last_and_everything_once(make: Make) -> None:
    processes = FakeProcesses()
    session = make(processes)
    session.finish(DONE)
    session.finish(Ending(ABORTED, "interrupted"))
    assert processes.stopped == [BROKER, None]
    assert len(of_kind(RunDirectory(session.path).read_events(), RunEnded)) == 1


def test_who_finishes_second_waits_until_it_is_done(make: Make) -> None:
    class Slow(FakeProcesses):
        def __init__(self) -> None:
            super().__init__()
            self.asked, self.go_on = threading.Event(), threading.Event()

        def stop(self, all_but: Child | None = None) -> None:
            self.asked.set()
            assert self.go_on.wait(20)

    processes = Slow()
    session = make(processes)
    first, second = (threading.Thread(target=session.finish, args=(DONE,)) for _ in range(2))
    first.start()
    assert processes.asked.wait(20)
    second.start()
    assert second.is_alive()
    assert session.state is State.FINISHED
    processes.go_on.set()
    second.join(20)
    assert RunDirectory(session.path).read_metadata().outcome == COMPLETED
    first.join(20)


def test_a_ledger_that_cannot_be_told_is_an_event(make: Make, journal: Journal) -> None:
    session = make(FakeProcesses(ChildError("no broker answers")))
    session.begin_load(1)
    session.ledger.sent(0)
    session.finish(DONE)
    assert "ledger_failed" in names(journal)
    assert journal.directory.read_metadata().raw["messages"] is None


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TidemarkError("the port is taken"), "the port is taken"),
        (KeyboardInterrupt(), "interrupted while it was being started"),
    ],
)
def test_a_start_that_fails_leaves_nothing_running_and_says_why(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, error: BaseException, reason: str
) -> None:
    processes = FakeProcesses(error)
    monkeypatch.setattr(module, "Processes", lambda *_: processes)
    with pytest.raises(type(error)):
        Session.start(plan.options)
    assert processes.stopped == [None]
    directory = RunDirectory(plan.options.results / "run")
    assert directory.read_metadata().raw["ended_because"] == reason
    assert isinstance(directory.read_events()[-1].event, RunEnded)


def test_without_messages_of_ours_there_is_no_word_about_messages(
    make: Make, journal: Journal
) -> None:
    session = make(FakeProcesses())
    session.begin_load(1)
    session.record.count_sent()
    session.record.on_request("GET", "/orders", response_time=5.0)
    session.finish(DONE)
    told = journal.directory.read_metadata()
    assert told.raw["messages"] is None
    assert (told.load["batch_size"], told.load["payload_bytes"]) == (None, None)


def test_users_that_are_not_ours_keep_to_no_rate_of_ours(make: Make, journal: Journal) -> None:
    session = make(FakeProcesses())
    session.begin_load(4, 60.0, is_of_others=True)
    load = journal.directory.read_metadata().load
    assert (load["workload"], load["rate"], load["users"]) == ("own", None, 4)
    session.finish(DONE)
