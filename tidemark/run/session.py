"""One soak run: the processes it starts, the run directory it fills, and how it ends."""

import enum
import threading
import time
from dataclasses import replace
from typing import Any, Self

from tidemark.record.errors import TidemarkError
from tidemark.record.events import GeneratorSaturated, LedgerFailed, TargetUnconfirmed
from tidemark.record.metadata import ABORTED, COMPLETED
from tidemark.run.children import say
from tidemark.run.companion import Companion
from tidemark.run.errors import LedgerError
from tidemark.run.fault_injection import FaultInjector
from tidemark.run.generators import Generators
from tidemark.run.interrupted import Interrupted
from tidemark.run.journal import Ending, Journal
from tidemark.run.kept_ledger import LEDGER, KeptLedger
from tidemark.run.level_watch import LevelWatch
from tidemark.run.lives import Lives
from tidemark.run.options import RunOptions
from tidemark.run.orders import Orders
from tidemark.run.places import Place
from tidemark.run.plan import Plan
from tidemark.run.processes import Processes, Services
from tidemark.run.requests_record import RequestRecord, RequestTables
from tidemark.run.saturation import Saturation
from tidemark.run.showing import Showing
from tidemark.run.watch import Watch


class State(enum.Enum):
    """How far a session has got."""

    READY = "everything answers, and nothing was sent yet"
    LOADED = "requests are being sent"
    FINISHED = "everything is being stopped, or was"


class Session:
    """A run from the moment everything answers to its complete run directory.

    Made by `start`.

    Attributes:
        plan: what runs.
        journal: what it says of itself, and its clock.
        record: what has been sent and answered.
        ledger: what became of each batch of messages.
        saturation: whether the load generator keeps up.
        state: how far it has got.
        path: the run directory.
        url: where requests go.
        ended: how it ended; None until everything has been stopped.
        companion: the process that judges and shows it; whoever needs it starts it.
        showing: what the terminal or the log is told of it while it goes on.
    """

    def __init__(
        self, plan: Plan, journal: Journal, processes: Processes, services: Services
    ) -> None:
        self.plan = plan
        self.path = journal.directory.path
        self.url = services.url.rstrip("/")  # paths begin with one
        self.record = RequestRecord()
        self.ledger = KeptLedger(journal.directory.file(LEDGER), plan.options.batch_size)
        self._no_ledger = ""
        self._past = past = journal.past
        if past:
            self.record.go_on(past.counted)
            services = self._go_on_with_messages(past, services)
        journal.offsets_read(services.offsets)
        self.state = State.READY
        self.journal = journal
        self._processes = processes
        self._services = services
        self.saturation = Saturation(journal.event)
        self._tables = RequestTables(journal, self.record, plan.options.retain)
        self._watch = Watch(journal, self.record, plan.options, self._load_s, services.redacted)
        self._levels = LevelWatch(journal, plan.options.stop_at)
        self._lives = Lives(journal, processes, services, tuple(map(Place, plan.watched)))
        self._load_began_s: float | None = None
        self._has_to_end: Ending | None = None
        self._generators: Generators | None = None
        self.ended: Ending | None = None
        self.companion = Companion(self.path)
        self.showing = Showing(self.companion)
        self._injector = FaultInjector(
            journal.event,
            [fault for fault in plan.options.fault if fault.start_s >= self._done_s],
            services.broker,
            services.brokers,
            services.target.pid if services.target else None,
        )
        self._finishing = threading.RLock()

    def _go_on_with_messages(self, past: Interrupted, services: Services) -> Services:
        """Take over what was sent; brokers of the run's own have ended with it."""
        self.ledger.go_on(past.states or b"")
        has_sent = bool(past.counted.requests or past.states)
        if has_sent and services.offsets is not None and past.states is None:
            self._no_ledger = "what was sent before the run was cut off is not known any more"
        if services.broker or past.offsets is None:
            self.ledger.forget_brokers()
            return services
        return replace(services, offsets=dict(past.offsets))

    @classmethod
    def start(
        cls,
        options: RunOptions,
        host: str | None = None,
        lasts_s: float | None = 0.0,
        past: Interrupted | None = None,
    ) -> Self:
        """Make the run directory and start what is missing; nothing is left running on failure.

        Args:
            options: checked options.
            host: URL of a service that is already running, and of which only
                the processes are watched that the options name; None to start the target here.
            lasts_s: how long the load is going to last, seconds; None where no end is planned.
            past: a run that was cut off, and is gone on with; None for a new one.

        Raises:
            TidemarkError: one line that says what is wrong and what to do.
        """
        plan = Plan.of(options, host, lasts_s)
        plan = plan.of_run(past.run_id) if past else plan
        doubts = plan.look_at_host()
        journal = Journal(plan, past.directory if past else plan.make_directory(), past)
        for watched, doubt in doubts:
            say(f"whether process {watched.pid} is what answers is not known: {doubt}")
            journal.event(TargetUnconfirmed(watched.pid, doubt, watched.target))
        processes = Processes(plan, journal)
        try:
            return cls(plan, journal, processes, processes.start())
        except BaseException as error:
            explained = isinstance(error, TidemarkError)
            reason = str(error) if explained else "interrupted while it was being started"
            processes.stop()
            journal.end(Ending(ABORTED, reason))
            raise

    # -- load ----------------------------------------------------------------------------------

    def begin_load(
        self,
        users: int,
        run_time_s: float | None = None,
        *,
        is_of_others: bool = False,
        generators: Generators | None = None,
    ) -> None:
        """The load begins now; the first row of requests.csv says that nothing was sent yet.

        Args:
            users: how many send requests.
            run_time_s: for how long from now on, seconds; None when no end is planned.
            is_of_others: whether users that are not ours say what is sent, and when.
            generators: those that send it, where this process does not.
        """
        self.state = State.LOADED
        self._generators = generators
        self._load_began_s = self.journal.clock.now().elapsed_s - self._done_s
        run_time_s = run_time_s + self._done_s if run_time_s else run_time_s
        self.journal.load_began(users, run_time_s, is_of_others=is_of_others)
        self.tick(users)

    @property
    def _done_s(self) -> float:
        """Seconds of load that were done before the run was cut off."""
        return self._past.load_s if self._past else 0.0

    @property
    def orders(self) -> Orders:
        """The orders of a load that comes from this process alone."""
        options, run_id, past = self.plan.options, self.plan.run_id, self._past
        if past is None:
            return Orders.of_run(options, run_id)
        return Orders.of_run(options, run_id, past.sent_numbers, past.sent_s)

    def _load_s(self) -> float:
        began_s = self._load_began_s
        return 0.0 if began_s is None else self.journal.clock.now().elapsed_s - began_s

    def tick(self, users: int) -> None:
        """Write one row of requests.csv, and one of routes.csv for each route."""
        if self.state is State.LOADED:
            rows = self._generators.rows() if self._generators else ()
            self._tables.write(self.journal.clock.now(), users, rows)
            self.ledger.sync()
            if not self._generators:  # which look after each of themselves
                self.saturation.tick(self.record.last_late_p99_ms)

    def generator_saturated(
        self,
        *,
        lateness_s: float | None = None,
        cpu_percent: float | None = None,
        worker: str | None = None,
    ) -> None:
        """The load generator cannot keep up; one sign of it.

        Args:
            lateness_s: how late a request left, seconds.
            cpu_percent: how much of one processor it uses.
            worker: which worker of it, where it has some.
        """
        self.journal.event(GeneratorSaturated(lateness_s, cpu_percent, worker))

    def look(self) -> Ending | None:
        """Look after it, ten times a second; how the run has to end, or None."""
        return self._look() if self.state is State.LOADED else None

    def _look(self, *, is_last: bool = False) -> Ending | None:
        """What is found first counts, and is told once."""
        if self._has_to_end is None:
            heard = self._watch.look() or self._levels.look()
            self._has_to_end = self._lives.look(is_last=is_last) or heard
        return self._has_to_end

    def inject_faults(self) -> None:
        """Let the faults of the run happen, each at its time; returns after the last one."""
        self._injector.follow(time.monotonic() - self._done_s, lambda: self.state is State.FINISHED)

    # -- end -----------------------------------------------------------------------------------

    def finish(self, ending: Ending) -> None:
        """Stop everything and complete the run directory.

        Calling it again, from another thread or greenlet too, waits until that is done.
        """
        with self._finishing:
            if self.state is State.FINISHED:
                return
            found = self._look(is_last=True) if self.state is State.LOADED else None
            judged = self._lives.judged(self._watch.judged(found or ending))
            self._lives.close()
            self.state = State.FINISHED
            self._tables.close()
            self._processes.stop(all_but=self._services.broker)
            judged = self._as_fetched(judged)
            messages = None if self.ledger.is_empty else self._balance()
            self._processes.stop()
            if self.record.requests and self.ledger.is_empty:
                self.journal.sent_no_batches()
            self.ledger.end(is_gone_on_with=judged.outcome == ABORTED)
            self.journal.end(
                judged,
                messages=messages,
                latency_ms=self.record.latency_ms(),
                lateness_ms=self.record.lateness_ms(),
            )
            self.ended = judged

    def _as_fetched(self, ending: Ending) -> Ending:
        """What an ending amounts to, where the end of what an agent recorded was not fetched."""
        if ending.outcome != COMPLETED or not self._processes.has_unfetched:
            return ending
        reason = f"{ending.reason}; the end of what an agent recorded was not fetched"
        return replace(ending, reason=reason, cannot_tell=True)

    def _balance(self) -> dict[str, Any] | None:
        """What became of the messages, now that the target has flushed what it would."""
        try:
            if self._no_ledger:
                raise LedgerError(self._no_ledger)
            self._injector.heal()  # the brokers have to answer
            balance = self._processes.balance(self._services, self.ledger)
            return None if balance is None else self.ledger.with_unseen(balance)
        except (TidemarkError, OSError) as error:
            say(f"no ledger of messages: {error}")
            self.journal.event(LedgerFailed(reason=str(error)))
            return None
