"""The processes of one run: brokers, target, sampler, and the reader of the ledger."""

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tidemark.record.events import TargetRestarted, TargetStarted
from tidemark.record.files import explained, mode_beside, write_new
from tidemark.record.layout import (
    BROKER_LOG,
    BUILD_LOG,
    LEDGER_LOG,
    ONLY_TARGET,
    PID_SUFFIX,
    SAMPLER_LOG,
    TARGET_LOG,
)
from tidemark.record.secrets import without_secrets
from tidemark.run.agents import OF_AGENTS, AgentFetcher
from tidemark.run.children import Child, python_module
from tidemark.run.concerning import concerning
from tidemark.run.errors import ChildError
from tidemark.run.journal import Journal
from tidemark.run.kept import KeptChild, wait_until_up
from tidemark.run.ledger import Ledger
from tidemark.run.listening import taken_by
from tidemark.run.plan import Plan
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.tree import Process, identify
from tidemark.services.placeholders import PORTS
from tidemark.services.service import Service
from tidemark.services.starting import CommandLine, Start, free_ports, start_of
from tidemark.targets.client_options import CLIENT_OPTIONS, client_options
from tidemark.targets.metadata import cluster_brokers

READY_TIMEOUT_S = 30.0
BUILD_TIMEOUT_S = 900.0  # of everything that it fetches and compiles, the first time
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
        redacted: takes what the target was told from our own environment out of a text.
    """

    url: str
    brokers: list[str]
    broker: Child | None
    target: Child | None
    offsets: dict[str, Any] | None
    redacted: Callable[[str], str] = str


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
        self._watched: dict[str, int] = {one.target: one.pid for one in plan.watched}
        self._sampled: dict[str, int] = {}  # as the sampler was told
        self._brokers: list[str] = []
        self._metrics_url = plan.options.metrics_url
        self._redacted: Callable[[str], str] = str
        self._is_stopped = False
        self._changing = threading.Lock()  # nothing is started once stopping has begun

    def start(self) -> Services:
        """Start what is missing.

        Raises:
            TidemarkError: one line that says what is wrong and what to do.
        """
        with concerning(self._options, ["broker"] if self._options.broker == "kafka" else ()):
            broker, brokers = self._cluster()
        # Asked for while the target starts: a Kafka client takes its time.
        reader = self._begin_reading("offsets", brokers) if self._plan.has_ledger else None
        is_of_others = self._plan.service is not None and not self._plan.service.announces
        with concerning(self._options, ["service"] if is_of_others else ()):
            url, target = self._service(brokers)
            offsets = reader.wait_ready(READY_TIMEOUT_S) if reader else None
        for one in self._plan.watched:
            self._tell_pid(one.target)
            self._journal.target_watched(one.target, one.pid)
        if target:
            self._watched = {ONLY_TARGET: target.pid}
        if self._plan.is_watched:
            self._start_sampler(brokers)
        return Services(url, brokers, broker, target, offsets, self._redacted)

    def restart_sampler(self, brokers: list[str]) -> None:
        """Let another sampler go on with the files of one that is gone.

        Raises:
            ChildError: it did not come up.
        """
        with self._changing:
            if not self._is_stopped:
                self._start_sampler(brokers)

    def watch(self, target: str, pid: int, former_pid: int) -> None:
        """Let the sampler go on with the process that has taken the place of a watched one.

        A sampler that was started while there was none does not know of it: another takes over.
        """
        self._watched[target] = pid
        self._tell_pid(target)
        if self.sampler is None or target in self._sampled:
            return
        found = _there(pid)
        self._journal.event(TargetRestarted(pid, found.name if found else None, former_pid, target))
        former, self.sampler = self.sampler, None  # its end is meant
        former.stop()
        with contextlib.suppress(ChildError):  # which is noticed like the loss of any sampler
            self.restart_sampler(self._brokers)

    def forget(self, target: str) -> None:
        """Do not let another sampler look for a target that has ended, of several."""
        del self._watched[target]

    def _pid_file(self, target: str) -> Path:
        """Where the sampler looks which process is watched when its own has ended."""
        return self._journal.directory.file(f"{target}{PID_SUFFIX}")

    def _tell_pid(self, target: str) -> None:
        """Write down which process is watched."""
        path = self._pid_file(target)
        with explained(path):
            path.unlink(missing_ok=True)
            write_new(path, f"{self._watched[target]}\n".encode(), mode_beside(path))

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
            states.writelines(ledger.parts())
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

    @property
    def has_unfetched(self) -> bool:
        """Whether an agent has recorded what was not fetched, now that all have been stopped."""
        return isinstance(self.sampler, AgentFetcher) and bool(self.sampler.returncode)

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
        if not self._plan.has_brokers:
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
        service = self._plan.service
        if service is None:
            url = self._plan.host or ""
            self._journal.target_found(url, None, None)
            return url, None
        if service.build:
            self._build(self._start_of(service, brokers))
        start = self._start_of(service, brokers)  # its ports are free now
        self._redacted = start.redacted
        self._metrics_url = start.metrics_url or ""
        url, target = (self._announced if service.announces else self._kept)(service, start)
        self._journal.target_found(url, target.pid, start.shown)
        event = TargetStarted(pid=target.pid, url=without_secrets(url), target=ONLY_TARGET)
        self._journal.event(event)
        self._journal.target_watched(ONLY_TARGET, target.pid)
        return url, target

    def _start_of(self, service: Service, brokers: list[str]) -> Start:
        """What it takes to start the service."""
        port = self._options.port
        return start_of(
            service,
            [port] * len(PORTS) if service.announces else free_ports(port),
            {
                "bootstrap": ",".join(brokers),
                "topic": self._plan.topic,
                "run_id": self._plan.run_id,
            },
            os.environ,
            self._options.fds_limit,
            metrics_url=self._options.metrics_url,
        )

    def _build(self, start: Start) -> None:
        """Run the command that builds a service, to its end."""
        assert start.build is not None, "asked for"  # noqa: S101
        self._keep("build", start.build, start, BUILD_LOG).wait_ended(BUILD_TIMEOUT_S)

    def _announced(self, _service: Service, start: Start) -> tuple[str, Child]:
        """A service that says itself when it is up, and ends with us by itself."""
        target = self._begin("target", list(start.command.arguments), TARGET_LOG)
        return str(target.wait_ready(READY_TIMEOUT_S)["url"]), target

    def _kept(self, service: Service, start: Start) -> tuple[str, Child]:
        """A service of somebody else's, once it answers."""
        url = start.url or self._told_url
        if url and (holder := taken_by(url)):
            raise ChildError(
                f"service {service.name}: {without_secrets(url)} is taken by "
                f"{start.redacted(holder)}: end that first, or choose another port",
                about=["target_port"] if self._options.port else (),
            )
        target = self._keep("target", start.command, start, TARGET_LOG)
        return wait_until_up(target, url, service.ready, service.ready_timeout), target

    @property
    def _told_url(self) -> str | None:
        """Where a service listens that is not told its port, if the user was."""
        port = self._options.port
        return f"http://127.0.0.1:{port}" if port else None

    def _keep(self, name: str, command: CommandLine, start: Start, log: str) -> KeptChild:
        child = KeptChild(name, command, self._journal.directory.file(log), start.redacted)
        self._children.append(child)
        child.wait_started(READY_TIMEOUT_S)
        return child

    def _start_fetching(self) -> None:
        """Let what agents elsewhere record become part of the run, in the place of a sampler."""
        fetcher = AgentFetcher(
            python_module(
                "tidemark.agent.fetch",
                *self._options.as_arguments(*OF_AGENTS, "interval", "retain"),
                f"--out={self._journal.directory.path}",
                f"--started-monotonic={self._journal.clock.started_monotonic_s!r}",
            ),
            self._journal.directory.file(SAMPLER_LOG),
            self._journal.lock.descriptors,
            [agent.host for agent in self._options.agent],
        )
        self._children.append(fetcher)
        self.sampler = fetcher
        told = fetcher.wait_begun(READY_TIMEOUT_S)
        url = without_secrets(self._plan.host or "")
        targets = [replace(target, url=url).to_json() for one in told for target in one.targets]
        self._journal.tell(targets=targets)
        for one in told:
            one.say(self._options.interval)

    def _start_sampler(self, brokers: list[str]) -> None:
        if self._options.agent:
            self._start_fetching()
            return
        interval_s, self._brokers = self._options.interval, brokers
        self._sampled = self._living() or self._watched.copy()
        of_a_process = [
            *(f"--pid={target}={pid}" for target, pid in self._sampled.items()),
            *([f"--brokers={','.join(brokers)}"] if brokers else []),
            f"--budget={SAMPLER_BUDGET_PERCENT * max(1.0, 1.0 / interval_s):g}",
            *(
                f"--pid-file={target}={self._pid_file(target)}"
                for target in self._sampled
                if self._plan.watched
            ),
        ]
        command = python_module(
            "tidemark.sampler",
            *(of_a_process if self._sampled else []),
            *([f"--metrics-url={self._metrics_url}"] if self._metrics_url else []),
            f"--out={self._journal.directory.path}",
            f"--interval={interval_s}",
            *self._options.as_arguments("retain"),
            f"--started-monotonic={self._journal.clock.started_monotonic_s!r}",
            "--join",
        )
        held = self._journal.lock.descriptors
        self.sampler = self._begin("sampler", command, SAMPLER_LOG, held=held)
        self.sampler.wait_ready(READY_TIMEOUT_S)

    def _living(self) -> dict[str, int]:
        """The watched targets whose process is there; one of several may just be coming back."""
        return {target: pid for target, pid in self._watched.items() if _there(pid)}

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

    def _begin(
        self,
        name: str,
        command: list[str],
        log: str,
        *,
        listens: bool = False,
        held: tuple[int, ...] = (),
    ) -> Child:
        path = self._journal.directory.file(log)
        child = Child(name, command, path, listens=listens, held=held)
        self._children.append(child)
        return child


def _there(pid: int) -> Process | None:
    """The process of this id that lives; None if there is none."""
    try:
        return identify(pid)
    except (NoSuchProcessError, DeniedError):
        return None
