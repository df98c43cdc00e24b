"""The processes of one run: brokers, target, sampler, and the reader of the ledger."""

import json
import tempfile
import threading
from dataclasses import dataclass
from typing import Any

from tidemark.record.events import TargetStarted
from tidemark.record.files import explained, mode_beside, write_new
from tidemark.record.layout import (
    BROKER_LOG,
    LEDGER_LOG,
    ONLY_TARGET,
    SAMPLER_LOG,
    TARGET_LOG,
    TARGET_PID,
)
from tidemark.record.secrets import shown_command
from tidemark.run.children import Child, python_module
from tidemark.run.errors import ChildError
from tidemark.run.journal import Journal
from tidemark.run.ledger import Ledger
from tidemark.run.plan import Plan
from tidemark.targets.client_options import CLIENT_OPTIONS, client_options
from tidemark.targets.metadata import cluster_brokers

READY_TIMEOUT_S = 30.0
BROKER_TIMEOUT_S = 90.0  # two JVMs on a busy machine
CLUSTER_TIMEOUT_S = 5.0
LEDGER_TIMEOUT_S = 120.0
SAMPLER_BUDGET_PERCENT = 1.0  # of one core at one sample a second; in proportion when faster


_OF_CLIENTS = tuple(option.name for option in CLIENT_OPTIONS)
"""What a child needs to reach the brokers as we do; secrets stay in their file."""


@dataclass(frozen=True, slots=True)
class Services:
    """What answers once everything has come up.

    Attributes:
        url: where requests go.
        brokers: `host:port` of every broker, in the order of their ids from 1.
        broker: the embedded cluster, which takes commands; None for somebody else's.
        target: the target; None for somebody else's.
        offsets: the topic's high watermarks by partition; None without brokers to ask.
    """

    url: str
    brokers: list[str]
    broker: Child | None
    target: Child | None
    offsets: dict[str, Any] | None


class Processes:
    """Starts what a run consists of, tells its journal what has come up, and stops it.

    Attributes:
        sampler: the sampler; None when nobody is watched.
    """

    def __init__(self, plan: Plan, journal: Journal) -> None:
        self._plan = plan
        self._options = plan.options
        self._journal = journal
        self._children: list[Child] = []
        self.sampler: Child | None = None
        self._watched_pid = 0
        self._is_stopped = False
        self._changing = threading.Lock()  # nothing is started once stopping has begun

    def start(self) -> Services:
        """Start what is missing.

        Raises:
            TidemarkError: one line that says what is wrong and what to do.
        """
        broker, brokers = self._cluster()
        # Asked for while the target starts: a Kafka client takes its time.
        reader = self._begin_reading("offsets", brokers) if brokers else None
        url, target = self._service(brokers)
        offsets = reader.wait_ready(READY_TIMEOUT_S) if reader else None
        self._watched_pid = target.pid if target else self._options.target_pid
        if self._watched_pid:
            if self._plan.host:
                self._tell_pid()
            self._start_sampler(brokers)
        return Services(url, brokers, broker, target, offsets)

    def restart_sampler(self, brokers: list[str]) -> None:
        """Let another sampler go on with the files of one that is gone.

        Raises:
            ChildError: it did not come up.
        """
        with self._changing:
            if not self._is_stopped:
                self._start_sampler(brokers)

    def watch(self, pid: int) -> None:
        """Let the sampler go on with the process that has taken the place of the watched one."""
        self._watched_pid = pid
        self._tell_pid()

    def _tell_pid(self) -> None:
        """Write down which process is watched, where the sampler looks when its own has ended."""
        path = self._journal.directory.file(TARGET_PID)
        with explained(path):
            path.unlink(missing_ok=True)
            write_new(path, f"{self._watched_pid}\n".encode(), mode_beside(path))

    def balance(self, services: Services, ledger: Ledger) -> dict[str, Any] | None:
        """Draw the balance of the messages; None when there are no offsets to compare with.

        Raises:
            ChildError: the brokers did not tell; the message says why.
        """
        if services.offsets is None:
            return None
        if services.broker and services.broker.returncode is not None:
            raise ChildError(f"the {services.broker.name} {services.broker.how_it_ended()}")
        with tempfile.NamedTemporaryFile(prefix="tidemark-ledger-") as states:
            states.write(ledger.states())
            states.flush()
            reader = self._begin_reading(
                "balance",
                services.brokers,
                f"--since={json.dumps(services.offsets)}",
                f"--states={states.name}",
                f"--batch-size={ledger.batch_size}",
                f"--run-id={self._plan.run_id}",
                *(["--shared"] if self._plan.topic_is_shared else []),
                *(["--verify"] if self._options.verify_messages else []),
            )
            return reader.wait_ready(LEDGER_TIMEOUT_S)

    def stop(self, all_but: Child | None = None) -> None:
        """Stop what was started last first, so that the target flushes what it would.

        Safe to call again.
        """
        with self._changing:
            self._is_stopped = True
        for child in reversed(self._children):
            if child is not all_but:
                child.stop()

    def _cluster(self) -> tuple[Child | None, list[str]]:
        """The embedded cluster, started with the run's topic, or every listener of another one."""
        options = self._options
        if options.bootstrap:
            clients = client_options(vars(options))
            brokers = cluster_brokers(",".join(options.bootstrap), CLUSTER_TIMEOUT_S, clients)
            self._journal.tell(brokers=brokers)
            return None, brokers
        if self._plan.host:
            return None, []
        command = python_module(
            "tidemark.targets.brokers",
            f"--kind={options.broker}",
            f"--topic={self._plan.topic}",
            "--control",
            *options.as_arguments("brokers", "broker_option"),
        )
        broker = self._begin("broker", command, BROKER_LOG, listens=True)
        brokers = list(broker.wait_ready(BROKER_TIMEOUT_S)["bootstrap"])
        self._journal.tell(brokers=brokers)
        return broker, brokers

    def _service(self, brokers: list[str]) -> tuple[str, Child | None]:
        """The URL of the target; its process when it is started here."""
        options = self._options
        if self._plan.host:
            self._journal.target_found(self._plan.host, options.target_pid or None, None)
            return self._plan.host, None
        command = python_module(
            "tidemark.targets.serve",
            options.strategy,
            f"--bootstrap={','.join(brokers)}",
            f"--topic={self._plan.topic}",
            f"--bind=127.0.0.1:{options.target_port}",
            *options.as_arguments("workers", "threads", "fds_limit", *_OF_CLIENTS),
        )
        target = self._begin("target", command, TARGET_LOG)
        url = str(target.wait_ready(READY_TIMEOUT_S)["url"])
        shown = shown_command(["python", *command[1:]])  # wherever that one lives
        self._journal.target_found(url, target.pid, shown)
        self._journal.event(TargetStarted(pid=target.pid, url=url, target=ONLY_TARGET))
        return url, target

    def _start_sampler(self, brokers: list[str]) -> None:
        interval_s = self._options.interval
        command = python_module(
            "tidemark.sampler",
            f"--pid={self._watched_pid}",
            *([f"--brokers={','.join(brokers)}"] if brokers else []),
            f"--out={self._journal.directory.path}",
            f"--interval={interval_s}",
            f"--budget={SAMPLER_BUDGET_PERCENT * max(1.0, 1.0 / interval_s):g}",
            f"--started-monotonic={self._journal.clock.started_monotonic_s!r}",
            *(
                [f"--pid-file={self._journal.directory.file(TARGET_PID)}"]
                if self._plan.host
                else []
            ),
            "--join",
        )
        self.sampler = self._begin("sampler", command, SAMPLER_LOG)
        self.sampler.wait_ready(READY_TIMEOUT_S)

    def _begin_reading(self, what: str, brokers: list[str], *arguments: str) -> Child:
        command = python_module(
            "tidemark.run.ledger_reader",
            what,
            f"--bootstrap={','.join(brokers)}",
            f"--topic={self._plan.topic}",
            *self._options.as_arguments(*_OF_CLIENTS),
            *arguments,
        )
        return self._begin("ledger", command, LEDGER_LOG)

    def _begin(self, name: str, command: list[str], log: str, *, listens: bool = False) -> Child:
        child = Child(name, command, self._journal.directory.file(log), listens=listens)
        self._children.append(child)
        return child
