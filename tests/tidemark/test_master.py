"""The master: who may take part, what is taken down, and who is given up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tidemark.distributed import channel, master
from tidemark.distributed.master import Master
from tidemark.distributed.reports import Reports
from tidemark.record.errors import TidemarkError
from tidemark.record.events import Event, WorkerLost
from tidemark.record.metadata import COMPLETED
from tidemark.run.journal import Ending
from tidemark.run.ledger import Ledger
from tidemark.run.options import RunOptions
from tidemark.run.requests_record import RequestRecord


class Clients(dict[str, Any]):
    """Locust's workers, all of them ready."""

    @property
    def ready(self) -> list[Any]:
        return list(self.values())

    all = ready


class Runner:
    """Locust's, as the master's side needs it."""

    def __init__(self) -> None:
        self.clients = Clients()
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.handled: list[str] = []
        self.started: list[tuple[int, float]] = []
        self.environment = SimpleNamespace(stop_timeout=0.0)
        self.stopped = 0

    def register_message(self, _: str, listener: Any) -> None:
        self.listener = listener

    def send_message(self, _: str, told: dict[str, Any], client_id: str) -> None:
        self.said.append((client_id, told))

    def start(self, users: int, rate: float, *_: Any) -> None:
        self.started.append((users, rate))

    def stop(self, _: bool = True) -> None:
        self.stopped += 1

    def handle_message(self, client_id: str, msg: Any) -> None:
        self.handled.append(f"{client_id} {msg.type}")

    def get_worker_index(self, client_id: str) -> int:
        return int(client_id[1:])

    # -- what the test does with it

    def hear(self, client_id: str, **told: Any) -> None:
        self.listener(environment=None, msg=SimpleNamespace(node_id=client_id, data=told))

    def greet(self, client_id: str, *, version: str = channel.VERSION, host: str = "") -> None:
        self.clients[client_id] = SimpleNamespace(id=client_id)
        self.hear(
            client_id, say=channel.HELLO, version=version, pid=1, time_s=0.0, round_trip_s=0.001,
            ahead_s=0.0, host=host or master.socket.gethostname(),
        )  # fmt: skip

    def told(self, client_id: str, say: str) -> list[dict[str, Any]]:
        return [told for whom, told in self.said if (whom, told["say"]) == (client_id, say)]


class Session:
    """A run, as the master's side needs it."""

    def __init__(self) -> None:
        self.plan = SimpleNamespace(options=RunOptions.parse({"rate": 20}), run_id="0a1b2c3d")
        self.record, self.ledger = RequestRecord(), Ledger(10)
        self.events: list[Event] = []
        self.facts: dict[str, Any] = {}
        self.journal = SimpleNamespace(event=self.events.append, tell=self.facts.update)

    def generator_saturated(self, **_: Any) -> None:
        """Not of interest."""


class Bench:
    """A master with two workers and a load under way."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        monkeypatch.setattr(master.time, "monotonic", lambda: self.now_s)
        self.runner, self.session = Runner(), Session()
        self.master = Master(self.runner, lambda: True, has_forked=False)  # type: ignore[arg-type]
        self.master.install()

    def begin(self) -> None:
        for one in ("w0", "w1"):
            self.runner.greet(one)
        self.master.begin(self.session, 1)  # type: ignore[arg-type]

    def report(self, client_id: str, number: int, *, requests: int = 1, last: bool = False) -> None:
        """A worker says that so many requests were answered."""
        sent: list[dict[str, Any]] = []
        reports = Reports("0a1b2c3d", sent.append)
        for _ in range(requests):
            reports.record.count_sent()
            reports.record.on_request(response_time=1.0)
        reports.send(users=1, cpu_percent=1.0, at_s=0.0, is_last=last)
        self.runner.hear(client_id, say=channel.REPORT, **(sent[0] | {"number": number}))

    def wait(self, seconds: float, *, reporting: tuple[str, ...] = ()) -> Ending | None:
        """Look after the workers for so long; some of them report meanwhile."""
        ending = None
        for _ in range(round(seconds / 0.1)):
            self.now_s += 0.1
            for one in reporting:
                self.report(one, 10**6)  # out of its turn, and all the same a sign of life
            ending = ending or self.master.look()
        return ending


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_a_worker_of_another_version_is_refused(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.runner.greet("w0", version="0.0.9", host="far")
    (refused,) = bench.runner.told("w0", channel.REFUSED)
    assert f"far has tidemark 0.0.9, and the master {channel.VERSION}" in refused["why"]
    assert capsys.readouterr().err.count("\n") == 1
    assert not bench.runner.told("w0", channel.WELCOME)


def test_orders_differ_in_nothing_but_whose_share_it_is(bench: Bench) -> None:
    bench.begin()
    (first,), (second,) = (bench.runner.told(one, channel.ORDERS) for one in ("w0", "w1"))
    assert [one["orders"]["generator"] for one in (first, second)] == [0, 1]
    assert first["orders"] == second["orders"] | {"generator": 0}
    assert [one["name"] for one in bench.session.facts["generators"]] == ["worker-1", "worker-2"]


def test_a_report_is_taken_down_once_and_in_its_turn(bench: Bench) -> None:
    bench.begin()
    for number in (1, 1, 3, 2, 2, 3):
        bench.report("w0", number)
    assert bench.session.record.requests == 3
    heard = [told["number"] for told in bench.runner.told("w0", channel.HEARD)]
    assert heard == [1, 1, 1, 2, 2, 3]


def test_a_report_of_another_run_is_heard_of_and_forgotten(bench: Bench) -> None:
    bench.begin()
    bench.runner.hear("w0", say=channel.REPORT, run="ffffffff", number=7)
    (heard,) = bench.runner.told("w0", channel.HEARD)
    assert (heard["run"], heard["number"]) == ("ffffffff", 7)
    assert bench.session.record.requests == 0


def test_a_worker_that_says_nothing_is_lost_and_its_share_dealt_anew(bench: Bench) -> None:
    bench.begin()
    assert bench.wait(channel.LOST_S - 0.2, reporting=("w0",)) is None
    assert bench.session.events == []
    assert bench.wait(0.5, reporting=("w0",)) is None
    (lost,) = bench.session.events
    assert isinstance(lost, WorkerLost)
    assert lost.worker == "worker-2"
    (told,) = bench.runner.told("w0", channel.LOST)
    assert told["generator"] == 1
    assert told["from_s"] > bench.now_s - 100 - master.LEAD_S
    judged = bench.master.judged(Ending(COMPLETED, "the load came to its end"))
    assert judged.cannot_tell
    assert judged.reason.endswith("worker-2 of 2 workers was lost")


def test_who_was_given_up_is_told_so_and_not_counted(bench: Bench) -> None:
    bench.begin()
    bench.wait(channel.LOST_S + 0.5, reporting=("w0",))
    before = bench.session.record.requests
    bench.report("w1", 1, requests=5)
    assert bench.session.record.requests == before
    assert "given this worker up" in bench.runner.told("w1", channel.REFUSED)[0]["why"]
    bench.master._handle_message("w1", SimpleNamespace(type="heartbeat"))
    assert bench.runner.handled == []


def test_without_any_worker_the_run_ends(bench: Bench) -> None:
    bench.begin()
    ending = bench.wait(channel.LOST_S + 0.5)
    assert ending
    assert (ending.outcome, ending.cannot_tell) == ("aborted", True)


def test_a_master_that_stood_still_itself_gives_nobody_up(bench: Bench) -> None:
    bench.begin()
    bench.now_s += 60.0
    assert bench.master.look() is None
    assert bench.session.events == []


def test_one_that_comes_late_is_kept_from_locust_until_the_run_is_over(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    bench.begin()
    ready = SimpleNamespace(type="client_ready")
    for _ in range(3):
        bench.master._handle_message("w2", ready)
    assert bench.runner.handled == []
    assert capsys.readouterr().err.count("takes part in the next one") == 1
    bench.master.finish()
    bench.master._handle_message("w2", ready)
    assert bench.runner.handled == ["w2 client_ready"]


def test_the_load_ends_once_each_has_reported_for_the_last_time(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.begin()
    waits = iter(["w0", "w1"])

    def time_goes_by(_: float) -> None:
        assert bench.runner.stopped == 0
        bench.now_s += 0.1
        bench.report(next(waits), 1, last=True)

    monkeypatch.setattr(master.gevent, "sleep", time_goes_by)
    bench.runner.stop(False)
    assert bench.runner.stopped == 1
    assert all(bench.runner.told(one, channel.END) for one in ("w0", "w1"))
    bench.runner.clients.clear()  # they may leave now
    bench.master.look()
    assert bench.session.events == []


def test_every_worker_has_a_user_where_users_only_fetch_what_is_due(bench: Bench) -> None:
    bench.begin()
    bench.runner.start(1, 0.5)
    assert bench.runner.started == [(2, 2)]
    bench.runner.start(10, 20)
    assert bench.runner.started[-1] == (10, 20)


def test_no_worker_far_away_is_sent_to_a_loopback_address(bench: Bench) -> None:
    bench.runner.greet("w0", host="elsewhere")
    bench.master.expect_near("http://10.0.0.7:80")
    with pytest.raises(TidemarkError, match="a worker is on elsewhere"):
        bench.master.expect_near("http://127.0.0.1:80")


def test_workers_that_have_left_are_not_remembered(bench: Bench) -> None:
    for number in range(300):
        bench.runner.clients.clear()
        bench.runner.greet(f"w{number}")
    assert len(bench.master._hands) == 1
