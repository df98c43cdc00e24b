"""One soak run: the processes it starts, the run directory it fills, and how it ends."""

import enum
import threading
import time
from typing import Any, Self

from tidemark.record.errors import TidemarkError
from tidemark.record.events import GeneratorSaturated, LedgerFailed, TargetUnconfirmed
from tidemark.record.metadata import ABORTED
from tidemark.run.children import say
from tidemark.run.companion import Companion
from tidemark.run.fault_injection import FaultInjector
from tidemark.run.generators import Generators
from tidemark.run.journal import Ending, Journal
from tidemark.run.ledger import Ledger
from tidemark.run.lives import Lives
from tidemark.run.options import RunOptions
from tidemark.run.places import Place
from tidemark.run.plan import Plan
from tidemark.run.processes import Processes, Services
from tidemark.run.requests_record import RequestRecord, RequestTables
from tidemark.run.saturation import Saturation
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
    """

    def __init__(
        self, plan: Plan, journal: Journal, processes: Processes, services: Services
    ) -> None:
        self.plan = plan
        self.path = journal.directory.path
        self.url = services.url.rstrip("/")  # paths begin with one
        self.record = RequestRecord()
        self.ledger = Ledger(plan.options.batch_size)
        self.state = State.READY
        self.journal = journal
        self._processes = processes
        self._services = services
        self.saturation = Saturation(journal.event)
        self._tables = RequestTables(journal, self.record)
        self._watch = Watch(journal, self.record, plan.options, self._load_s, services.redacted)
        self._lives = Lives(journal, processes, services, tuple(map(Place, plan.watched)))
        self._load_began_s: float | None = None
        self._has_to_end: Ending | None = None
        self._generators: Generators | None = None
        self.ended: Ending | None = None
        self.companion = Companion(self.path)
        self._injector = FaultInjector(
            journal.event,
            plan.options.fault,
            services.broker,
            services.brokers,
            services.target.pid if services.target else None,
        )
        self._finishing = threading.RLock()

    @classmethod
    def start(
        cls, options: RunOptions, host: str | None = None, lasts_s: float | None = 0.0
    ) -> Self:
        """Make the run directory and start what is missing; nothing is left running on failure.

        Args:
            options: checked options.
            host: URL of a service that is already running, and of which only
                the processes are watched that the options name; None to start the target here.
            lasts_s: how long the load is going to last, seconds; None where no end is planned.

        Raises:
            TidemarkError: one line that says what is wrong and what to do.
        """
        plan = Plan.of(options, host, lasts_s)
        doubts = plan.look_at_host()
        journal = Journal(plan, plan.make_directory())
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
            run_time_s: for how long, seconds; None when no end is planned.
            is_of_others: whether users that are not ours say what is sent, and when.
            generators: those that send it, where this process does not.
        """
        self.state = State.LOADED
        self._generators = generators
        self._load_began_s = self.journal.clock.now().elapsed_s
        self.journal.load_began(users, run_time_s, is_of_others=is_of_others)
        self.tick(users)

    def _load_s(self) -> float:
        began_s = self._load_began_s
        return 0.0 if began_s is None else self.journal.clock.now().elapsed_s - began_s

    def tick(self, users: int) -> None:
        """Write one row of requests.csv, and one of routes.csv for each route."""
        if self.state is State.LOADED:
            rows = self._generators.rows() if self._generators else ()
            self._tables.write(self.journal.clock.now(), users, rows)
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
            heard = self._watch.look()
            self._has_to_end = self._lives.look(is_last=is_last) or heard
        return self._has_to_end

    def inject_faults(self) -> None:
        """Let the faults of the run happen, each at its time; returns after the last one."""
        self._injector.follow(time.monotonic(), lambda: self.state is State.FINISHED)

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
            messages = None if self.ledger.is_empty else self._balance()
            self._processes.stop()
            if self.record.requests and self.ledger.is_empty:
                self.journal.sent_no_batches()
            self.journal.end(
                judged,
                messages=messages,
                latency_ms=self.record.latency_ms(),
                lateness_ms=self.record.lateness_ms(),
            )
            self.ended = judged

    def _balance(self) -> dict[str, Any] | None:
        """What became of the messages, now that the target has flushed what it would."""
        try:
            self._injector.heal()  # the brokers have to answer
            return self._processes.balance(self._services, self.ledger)
        except (TidemarkError, OSError) as error:
            say(f"no ledger of messages: {error}")
            self.journal.event(LedgerFailed(reason=str(error)))
            return None
