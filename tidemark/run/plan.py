"""What a run is going to be, checked as a whole before anything of it is started."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Self

from tidemark.agent.named import check_agents, check_pair
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import RunDirectoryError, TidemarkError
from tidemark.record.options import url_without_login
from tidemark.run.configuration import file_of, routes_of, service_of
from tidemark.run.errors import OtherListenerError
from tidemark.run.faults import KINDS
from tidemark.run.finding import CLUES, Watched, watched_processes
from tidemark.run.folders import new_folder
from tidemark.run.listening import doubts_of, who_answers
from tidemark.run.options import RunOptions
from tidemark.run.permission import expect_allowed, expect_meant
from tidemark.services.consistency import OF_AGENT
from tidemark.services.placeholders import placeholders_in
from tidemark.services.service import Service
from tidemark.targets.client_options import client_options

_OF_RUNNING = (*CLUES, "all_targets", "no_target", "agent")
"""Options that say how a service is watched that runs already."""
MOST_BODY_BYTES = 16 * 2**20
"""A request is a batch of messages, not a file; beyond, the load generator is what is measured."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it begins.

    Attributes:
        options: checked options.
        host: URL of a service that is already there; None when the target is started here.
        run_id: eight hexadecimal digits, which stand in every message.
        topic: what the target writes to.
        service: what is started; None when somebody else has started it.
        name: what a service is called that somebody else has started; empty where nobody said.
        watched: the processes of somebody else's that are watched.
        lasts_s: how long the load is going to last, seconds; None where no end is planned.
    """

    options: RunOptions
    host: str | None
    run_id: str
    topic: str
    service: Service | None = None
    name: str = ""
    watched: tuple[Watched, ...] = ()
    lasts_s: float | None = 0.0

    @classmethod
    def of(cls, options: RunOptions, host: str | None, lasts_s: float | None = 0.0) -> Self:
        """The plan of a new run.

        Args:
            options: checked options.
            host: URL of a service that is already there; None where a service is named.
            lasts_s: how long the load is going to last, seconds; None where no end is planned.

        Raises:
            TidemarkError: options that are good each do not go together, or the process to watch
                is not there; says which.
        """
        configuration = file_of(vars(options))
        options = options.driving(routes_of(configuration))
        service = None if host else service_of(options, configuration)
        name = options.service
        if service and not service.is_started:
            host, name, service = service.url, service.name, None
        _check(options, host)
        most_rate = options.rate * options.curve.peak
        if destination := host or (service and service.url):
            with _called(name):
                expect_allowed(destination, options.allow_host)
                expect_meant(destination, most_rate, lasts_s, is_agreed=options.yes)
        watched: tuple[Watched, ...] = ()
        if host is not None and not (options.no_target or options.agent):
            with _called(name):
                watched = watched_processes(options, host)
        _check_targets(options, watched)
        if service:
            _check_service(options, service)
        run_id = uuid.uuid4().hex[:8]
        topic = options.topic or f"tidemark-{run_id}"
        name = "" if service else name
        return cls(options, host, run_id, topic, service, name, watched, lasts_s)

    def of_run(self, run_id: str) -> Self:
        """The same, of a run that has its id already."""
        topic = self.options.topic or f"tidemark-{run_id}"
        return replace(self, run_id=run_id, topic=topic)

    @property
    def strategy(self) -> str | None:
        """What the target is; None when somebody else has started it, and nobody gave it a name."""
        return self.service.name if self.service else self.name or None

    @property
    def is_watched(self) -> bool:
        """Whether its process, or at least its metrics page, is looked at."""
        return not self.options.no_target or bool(self.options.metrics_url)

    @property
    def has_brokers(self) -> bool:
        """Whether there are brokers that connections are counted towards."""
        return bool(self.options.bootstrap or (self.service and self.service.needs_brokers))

    @property
    def has_ledger(self) -> bool:
        """Whether what is in the topic at the end can be held against what was sent."""
        is_known = self.service is None or _has_known_topic(self.options, self.service)
        return self.has_brokers and is_known

    @property
    def topic_is_shared(self) -> bool:
        """Whether others may write to the topic too: of somebody else's cluster, or by a route."""
        is_written_beside = any(
            not route.sends_batches and route.method not in {"GET", "HEAD", "OPTIONS"}
            for route in self.options.routes
        )
        return bool(self.options.topic and self.options.bootstrap) or is_written_beside

    @property
    def is_reference(self) -> bool:
        """Whether the target is known to be clean: others are measured against it."""
        return bool(self.service and self.service.reference)

    def look_at_host(self) -> list[tuple[Watched, str]]:
        """The watched processes of which it cannot be known whether they serve the host, and why.

        Raises:
            TidemarkError: nobody answers there, or surely another process does than the only one
                that is watched.
        """
        with _called(self.name):
            if self.host and self.watched:
                doubts = self._doubts(self.host)
                return [(one, doubts[one.pid]) for one in self.watched if one.pid in doubts]
            if self.host:
                who_answers(self.host)
        return []

    def _doubts(self, host: str) -> dict[int, str]:
        try:
            return doubts_of(host, [one.pid for one in self.watched])
        except OtherListenerError as error:
            given = (name for name in ("target_port", *CLUES) if getattr(self.options, name))
            error.about = (*given, "host")
            raise

    def make_directory(self) -> RunDirectory:
        """Make the run directory: named by the user, or by the time and what is run.

        Raises:
            RunDirectoryError: it holds a run already, or cannot be made or written.
        """
        results, name, shared = (
            self.options.results,
            self.options.run_name,
            self.options.share_files,
        )
        label = self.strategy or "service"
        folder = results / name if name else new_folder(results, "", label, shared=shared)
        try:
            return RunDirectory.create(folder, shared=shared)
        except RunDirectoryError as error:
            error.about = ("run_name",) if name else ()
            raise


@contextmanager
def _called(name: str) -> Iterator[None]:
    """Let what goes wrong be said of a service by its name, which the file gives no --host."""
    try:
        yield
    except TidemarkError as error:
        if not name:
            raise
        message = str(error).removeprefix("--host: ")
        raise TidemarkError(f"service {name}: {message}", about=error.about) from error


def _check(options: RunOptions, host: str | None) -> None:
    """Check what no single option can say of itself."""
    client_options(vars(options))
    if host is not None:
        _check_host(options, host)
    elif given := [name for name in _OF_RUNNING if getattr(options, name)]:
        flag = "--" + given[0].replace("_", "-")
        raise TidemarkError(
            f"{flag} needs --host, or a service of tidemark.toml that runs already: "
            "this one is started here",
            about=[given[0], "host"],
        )
    if options.fault and (host or options.bootstrap):
        raise TidemarkError(
            "--fault needs the embedded brokers and a target that is started here: "
            "leave out --host and --bootstrap, and services that run already",
            about=["fault", "host" if host else "bootstrap"],
        )
    if options.ramp and options.shape.startswith("ramp:"):
        message = f"--ramp and --shape {options.shape} say the same: leave out one"
        raise TidemarkError(message, about=["ramp", "shape"])
    if options.fail_on and options.no_target and not options.metrics_url:
        raise TidemarkError(
            "--fail-on: no process is watched that could be judged (--no-target)",
            about=["no_target", "fail_on"],
        )
    if options.broker_option and options.broker != "kafka":
        raise TidemarkError("--broker-option needs --broker kafka", about=["broker"])
    routes = options.routes
    if options.verify_messages and routes and not any(route.sends_batches for route in routes):
        raise TidemarkError(
            "--verify-messages needs a route that sends the run's own messages, body {batch}: "
            "leave it out",
            about=["verify_messages"],
        )
    body_bytes = options.batch_size * (options.payload_bytes + len('"", '))
    if body_bytes > MOST_BODY_BYTES:
        raise TidemarkError(
            f"--batch-size {options.batch_size} times --payload-bytes {options.payload_bytes} "
            f"makes requests of {body_bytes / 2**20:,.0f} MiB: "
            f"ask for {MOST_BODY_BYTES / 2**20:.0f} MiB at most",
            about=["batch_size", "payload_bytes"],
        )


def _check_service(options: RunOptions, service: Service) -> None:
    """Check what depends on the service that is started."""
    has_brokers = service.needs_brokers or bool(options.bootstrap)
    if not has_brokers and any(KINDS[fault.kind] for fault in options.fault):
        raise TidemarkError(
            f"--fault: service {service.name} needs no brokers that could fail: "
            "give it {bootstrap}, or leave out all but target-kill",
            about=["fault"],
        )
    if options.verify_messages and not (has_brokers and _has_known_topic(options, service)):
        raise TidemarkError(
            f"--verify-messages: where service {service.name} writes to is not known: "
            "give it {bootstrap} and {topic}, or name its topic with --topic",
            about=["verify_messages", "topic"],
        )


def _has_known_topic(options: RunOptions, service: Service) -> bool:
    return service.is_told_topic or bool(options.topic)


def _check_targets(options: RunOptions, watched: Sequence[Watched]) -> None:
    """Check what depends on how many targets there are."""
    if not watched and len(options.target_port) > 1:
        raise TidemarkError(
            "--target-port: a service that is started here has one port: name one",
            about=["target_port"],
        )
    if len(watched) > 1 and options.metrics_url:
        raise TidemarkError(
            "--metrics-url is the page of one process: name one target alone",
            about=["target_pid", "all_targets"],
        )


def _check_agents(options: RunOptions) -> None:
    given = [name for name in OF_AGENT if getattr(options, name)]
    if given and not options.agent:
        flag = "--" + given[0].replace("_", "-")
        raise TidemarkError(f"{flag}: has no effect without --agent: leave it out")
    if options.agent and options.metrics_url:
        raise TidemarkError("--metrics-url: the agent reads such a page: give it to that one")
    check_agents(options.agent, options.agent_token_file)
    check_pair(options.agent_cert, options.agent_key)


def _check_host(options: RunOptions, host: str) -> None:
    try:
        url_without_login(host)
    except ValueError as error:
        raise TidemarkError(f"--host: {error}", about=["host"]) from error
    _check_agents(options)
    ways = ("no_target", "target_port", *CLUES, "agent")
    given = [name for name in ways if getattr(options, name)]
    flags = ["--" + name.replace("_", "-") for name in given]
    if placeholders_in(options.metrics_url):
        raise TidemarkError(
            "--metrics-url: no port is chosen for a service that runs already: write it"
        )
    if len(given) > 1:
        message = f"{flags[0]} and {flags[1]} contradict each other: leave out one"
        raise TidemarkError(message, about=given)
    if options.all_targets and (options.target_pid or options.no_target or options.agent):
        message = f"--all-targets: has no effect beside {flags[0]}: leave it out"
        raise TidemarkError(message, about=["all_targets", *given])
