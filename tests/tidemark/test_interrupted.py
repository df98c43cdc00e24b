"""What is known of a run that was cut off, and who is refused to go on."""

import json
import time

import pytest

from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.events import BrokerDown, BrokerUp, FaultEnded, FaultStarted, RunResumed
from tidemark.record.layout import REQUESTS, ROUTES, SAMPLES
from tidemark.record.lock import DirectoryLock
from tidemark.run.interrupted import Interrupted
from tidemark.run.kept_ledger import LEDGER
from tidemark.run.ledger import ACCEPTED, OPEN
from tidemark.run.resume_facts import FACTS, boot_id

NOW_S = 1_000_000.0
FACTS_OF_A_RUN = {
    "options": {"rate": "20.0"},
    "withheld": [],
    "host": None,
    "planned_s": 60.0,
    "boot_id": "another start",
    "started_monotonic_s": 1.0,
    "offsets": {"0": 0},
}
RUN = {"run_id": "0a1b2c3d", "started_at": "2026-01-01T00:00:00Z", "ended_at": None, "load": {}}


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """A run that was killed after 20 s of load, an hour ago; since then the machine was started."""
    made = RunDirectory.create(tmp_path / "run")
    made.write_metadata({**RUN, FACTS: FACTS_OF_A_RUN})
    with made.writer(REQUESTS) as requests, made.writer(ROUTES) as routes:
        for second in range(21):
            at = {"time_s": NOW_S + second, "elapsed_s": 5.0 + second}
            counts = {"requests": 10 * second, "failures": second}
            requests.append({**at, "users": 1, **counts, "messages_accepted": 90 * second})
            if second < 20:
                routes.append({**at, "route": "POST /a", **counts})
    with made.writer(SAMPLES) as samples:
        samples.append({"time_s": NOW_S + 20.5, "elapsed_s": 25.5, "target": "target", "pid": 7})
    made.file(LEDGER).write_bytes(bytes((ACCEPTED, ACCEPTED, OPEN, OPEN)) + bytes(100))
    monkeypatch.setattr(time, "time", lambda: NOW_S + 20.5 + 3600.0)
    return made


@pytest.fixture
def opened(directory):
    found = []

    def do():
        found.append(Interrupted.open(directory.path))
        return found[-1]

    yield do
    for one in found:
        one.lock.release()


def test_it_counts_from_where_it_was(opened):
    run = opened()
    assert (run.load_s, run.in_flight, run.run_id) == (20.0, 2, "0a1b2c3d")
    assert (run.counted.requests, run.counted.failures) == (200, 20)
    assert run.counted.messages_accepted == 1800
    # The last tick of the routes was not written any more.
    assert run.counted.routes == {"POST /a": (200, 20)}
    assert run.sent_numbers == 200


def test_the_hole_has_its_length_by_the_time_of_day_after_another_start(opened):
    run = opened()
    assert run.clock.now().elapsed_s == pytest.approx(25.5 + 3600.0, abs=5.0)
    resumed = next(run.told())
    assert isinstance(resumed, RunResumed)
    assert resumed.reason == "the machine was started anew"
    assert resumed.gap_s == pytest.approx(3600.0, abs=5.0)


def test_the_clock_goes_on_where_it_is_the_same(directory, opened):
    began_s = time.monotonic() - 100.0
    facts = {**FACTS_OF_A_RUN, "boot_id": boot_id(), "started_monotonic_s": began_s}
    directory.write_metadata({**RUN, FACTS: facts})
    assert opened().clock.started_monotonic_s == began_s


def test_a_clock_that_was_set_back_makes_nothing_fall(opened, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW_S - 1000.0)
    assert opened().clock.now().elapsed_s >= 25.5


def test_torn_lines_are_left_out(directory, opened):
    for table in (REQUESTS, ROUTES, SAMPLES):
        with directory.file(table.file).open("ab") as file:
            file.write(b"1000099.0,99")
    assert (opened().load_s, opened.__name__) == (20.0, "do")


def test_a_hole_of_before_is_no_load(directory, opened):
    directory.append_event(Instant(NOW_S + 12, 17.0), RunResumed(gap_s=4.0, load_s=8.0))
    assert opened().load_s == 8.0 + (25.0 - 17.0)


def test_what_was_under_way_is_over(directory, opened):
    for event in (
        FaultStarted("broker-kill@5+9", "broker-kill"),
        BrokerDown("127.0.0.1:1", "kill"),
        BrokerDown("127.0.0.1:2", "kill"),
        BrokerUp("127.0.0.1:2", "restart"),
    ):
        directory.append_event(Instant(NOW_S + 10, 15.0), event)
    _, *closing = opened().told()
    assert closing == [
        FaultEnded("broker-kill@5+9", "broker-kill"),
        BrokerUp("127.0.0.1:1", "restart"),
    ]


def test_without_its_ledger_no_number_comes_twice(directory, opened):
    directory.file(LEDGER).unlink()
    run = opened()
    assert run.states is None
    assert run.sent_s == pytest.approx(20.0 + 3600.0, abs=5.0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"format": 1}, "is of format 1"),
        ({FACTS: None}, "does not say what was asked for"),
        (
            {"ended_at": "2026-01-01T00:01:00Z", "outcome": "completed"},
            "ended in order (completed)",
        ),
        ({"ended_at": "2026-01-01T00:01:00Z", "outcome": "died"}, "ended in order (died)"),
        ({"generators": [{"name": "worker-1"}]}, "came from several workers"),
        ({FACTS: {**FACTS_OF_A_RUN, "options": []}}, "not what a run writes"),
        ({FACTS: {**FACTS_OF_A_RUN, "planned_s": "long"}}, "not what a run writes"),
    ],
)
def test_who_cannot_go_on_is_told_why_in_one_line(directory, opened, changes, said):
    path = directory.file("run.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(TidemarkError) as error:
        opened()
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    free = DirectoryLock.take(directory.path)
    assert free
    free.release()


def test_one_that_was_interrupted_in_order_can_be_gone_on_with(directory, opened):
    ended = {"ended_at": "2026-01-01T00:01:00Z", "outcome": "aborted"}
    directory.write_metadata({**RUN, FACTS: FACTS_OF_A_RUN, **ended})
    assert opened().load_s == 20.0


def test_one_that_is_written_is_left_alone(directory, opened, monkeypatch):
    monkeypatch.setattr("tidemark.run.interrupted.LONGEST_WAIT_S", 0.0)
    held = DirectoryLock.take(directory.path)
    assert held
    with pytest.raises(TidemarkError, match="the run goes on"):
        opened()
    held.release()


def test_a_folder_without_a_run_is_none(tmp_path):
    with pytest.raises(TidemarkError, match="is no run directory"):
        Interrupted.open(tmp_path)
