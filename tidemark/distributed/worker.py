"""The side of a worker: it sends its share of the load, and reports what came of it."""

import os
import socket
import time
from collections.abc import Mapping
from typing import Any

import gevent
from gevent.lock import RLock
from locust.env import Environment
from locust.runners import WorkerRunner

from tidemark.clients import count_requests
from tidemark.distributed import channel
from tidemark.distributed.channel import listen, tell_master
from tidemark.distributed.reports import Reports
from tidemark.run.children import say
from tidemark.run.interruptions import Interruptions
from tidemark.run.load import Load
from tidemark.run.orders import Orders
from tidemark.users import set_load

HELLO_INTERVAL_S = 0.5
HELLOS = 5
"""So often the clocks are compared; the shortest of the round trips counts."""
GRACE_S = 0.1
"""What is due just before the end has left so long after it."""
POLL_S = 0.05
EXIT_FAILED, EXIT_UNUSABLE = 1, 2


class Worker:
    """One worker process.

    Args:
        environment: Locust's.
        runner: its runner.
    """

    def __init__(self, environment: Environment, runner: WorkerRunner) -> None:
        self.environment = environment
        self.runner = runner
        self._orders: Orders | None = None
        self._reports: Reports | None = None
        self._load: Load | None = None
        self._began_s = 0.0
        self._clock: tuple[float, float] | None = None  # round trip, and what the master is ahead
        self._reporting: gevent.Greenlet[..., None] | None = None
        self._is_ending = False
        self._has_ended = True
        self._is_told_to_end = self._is_busy = False
        self._losses: list[tuple[int, float]] = []
        self._cpu = (time.monotonic(), time.process_time())
        self._cpu_percent: float | None = None
        self._interruptions = Interruptions(lambda: None, self._hurry)
        self._stopping = RLock()
        self._is_stopping = False
        self._start, self._stop = runner.start_worker, runner.stop

    def install(self) -> None:
        """Register the hooks, and say hello to the master."""
        on = self.environment.events
        on.test_start.add_listener(self._on_test_start)
        on.test_stop.add_listener(self._on_test_stop)
        on.quitting.add_listener(self._on_quitting)
        on.quit.add_listener(lambda **_: self._interruptions.ignore())
        on.request.add_listener(self._on_request)
        on.cpu_warning.add_listener(self._on_cpu_warning)
        count_requests(self._on_sent)
        self._interruptions.install()
        self.environment.process_exit_code = 0  # failed requests are the master's to judge
        self.runner.start_worker = self._start_users  # type: ignore[method-assign]
        self.runner.stop = self._stop_once  # type: ignore[method-assign]
        listen(self.runner, self._hear)
        gevent.spawn(self._greet)

    def _greet(self) -> None:
        """Say hello, a few times, until it is known what the master's clock says."""
        for count in range(10_000):
            if count >= HELLOS and self._clock is not None:
                return
            round_trip_s, ahead_s = self._clock or (None, None)
            tell_master(
                self.runner,
                channel.HELLO,
                version=channel.VERSION,
                host=socket.gethostname(),
                pid=os.getpid(),
                time_s=time.time(),
                round_trip_s=round_trip_s,
                ahead_s=ahead_s,
            )
            gevent.sleep(HELLO_INTERVAL_S)

    # -- what the master says ------------------------------------------------------------------

    def _hear(self, _: str, told: Mapping[str, Any]) -> None:
        match told["say"]:
            case channel.WELCOME:
                self._compare_clocks(told["your_time_s"], told["time_s"])
            case channel.REFUSED:
                self._leave(told["why"])
            case channel.ORDERS:
                self._orders, self._losses = Orders.from_plain(told["orders"]), []
            case channel.HEARD:
                if self._reports:
                    self._reports.heard(told["run"], told["number"])
            case channel.LOST:
                self._lose(told["run"], told["generator"], told["from_s"])
            case channel.END:
                gevent.spawn(self._end, told["until_s"])

    def _lose(self, run_id: str, generator: int, from_s: float) -> None:
        """Another worker is lost, perhaps before this one has begun."""
        if self._orders and run_id == self._orders.run_id:
            self._losses.append((generator, from_s))
            if self._load:
                self._load.lose(generator, from_s)

    def _compare_clocks(self, sent_s: float, master_s: float) -> None:
        """Cristian's algorithm: the master's clock was read half a round trip ago."""
        now_s = time.time()
        measured = now_s - sent_s, master_s - (sent_s + now_s) / 2
        if self._clock is None or 0 <= measured[0] < self._clock[0]:
            self._clock = measured

    @property
    def _ahead_s(self) -> float:
        """What the master's clock is ahead of this one; within the error of measurement, 0."""
        round_trip_s, ahead_s = self._clock or (0.0, 0.0)
        return ahead_s if abs(ahead_s) > round_trip_s / 2 else 0.0

    def _leave(self, why: str, code: int = EXIT_UNUSABLE) -> None:
        """End this process, with one line."""
        if not self._is_ending:
            self._is_ending = True
            say(why)
            self.environment.process_exit_code = code
            gevent.spawn(self.runner.quit)

    # -- the load ------------------------------------------------------------------------------

    def _on_test_start(self, **_: Any) -> None:
        orders = self._orders
        if orders is None or not self._has_ended:
            self._leave(
                "the master does not say what to send: does its locustfile import tidemark.plugin?"
            )
            return
        self._is_stopping = False
        now_s = time.monotonic()
        begins_s = orders.begins_s or 0.0
        self._began_s = now_s + begins_s - self._ahead_s - time.time()
        self._reports = Reports(orders.run_id, self._send)
        self._load = Load(orders, self._reports, self._began_s, self._await_lease)
        for generator, from_s in self._losses:
            self._load.lose(generator, from_s)
        self._has_ended = self._is_told_to_end = self._is_busy = False
        set_load(self.environment, self._load)
        self._reporting = gevent.spawn(self._report_loop, self._reports)

    def _await_lease(self) -> None:
        """Return as long as nobody else may send what is due here."""
        while self._reports and self._reports.unheard_of_s() > channel.LEASE_S:
            gevent.sleep(POLL_S)

    def _on_sent(self) -> None:
        if self._reports:
            self._reports.record.count_sent()

    def _on_request(self, **request_meta: Any) -> None:
        if self._reports:
            self._reports.record.on_request(**request_meta)

    def _on_cpu_warning(self, cpu_usage: float = 0.0, **_: Any) -> None:
        """Locust finds, every ten seconds, that this process uses up a processor."""
        if self._reports and not self._is_busy:
            self._is_busy = True
            self._reports.generator_saturated(cpu_percent=cpu_usage)

    def _report_loop(self, reports: Reports) -> None:
        while True:
            gevent.sleep(channel.REPORT_INTERVAL_S)
            self._report(reports)
            reports.repeat()
            if reports.deserted_s() > channel.DESERTED_S:
                self._leave(
                    f"the master has said nothing for {channel.DESERTED_S:.0f} s: its run is over",
                    EXIT_FAILED,
                )
                return

    def _report(self, reports: Reports, *, is_last: bool = False) -> None:
        self._measure_cpu()
        reports.send(
            users=self.runner.user_count,
            cpu_percent=self._cpu_percent,
            at_s=time.monotonic() - self._began_s,
            is_last=is_last,
        )

    def _measure_cpu(self) -> None:
        before, now = self._cpu, (time.monotonic(), time.process_time())
        if (lasted_s := now[0] - before[0]) >= 1.0:
            self._cpu = now
            self._cpu_percent = round(100 * (now[1] - before[1]) / lasted_s, 1)

    def _send(self, report: dict[str, Any]) -> None:
        tell_master(self.runner, channel.REPORT, **report)

    # -- end -----------------------------------------------------------------------------------

    def _end(self, until_s: float) -> None:
        """The master ends the load: send what is due until then, and report the rest."""
        if self._is_told_to_end:
            return
        self._is_told_to_end = True
        if self._load:
            self._load.end(until_s)
            gevent.sleep(max(0.0, self._began_s + until_s + GRACE_S - time.monotonic()))
        self.runner.stop()
        # Locust lets a worker that has stopped wait this long until it is ready again.
        self.environment.stop_timeout = 0.0

    def _stop_once(self) -> None:
        """Locust's `stop`, which cuts requests in flight off when it is called twice at a time."""
        self._is_stopping = True
        with self._stopping:
            self._stop()

    def _start_users(self, user_classes_count: dict[str, int], **given: Any) -> None:
        """Locust's `start_worker`, which deals out the users of each worker that has gone first."""
        if not self._is_stopping:
            self._start(user_classes_count, **given)

    def _on_test_stop(self, **_: Any) -> None:
        """All requests in flight have come to their end."""
        reports = self._reports
        set_load(self.environment, None)
        if reports is None or self._has_ended:
            return
        self._has_ended = True
        self._orders = self._load = None
        if self._reporting:
            self._reporting.kill(block=False)
        self._report(reports, is_last=True)
        gevent.spawn(self._repeat_last, reports)

    def _repeat_last(self, reports: Reports) -> None:
        while reports is self._reports and not reports.are_heard:
            gevent.sleep(channel.REPORT_INTERVAL_S)
            reports.repeat()

    def _on_quitting(self, **_: Any) -> None:
        """This process ends, perhaps by a signal of its own, while the load goes on."""
        self._interruptions.is_ending()
        self.runner.stop()

    def _hurry(self) -> None:
        """A further signal: nothing is waited for any more."""
        self.runner.user_greenlets.kill(block=False)
