"""A service: what is driven and watched, and how it is started or found."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tidemark.services.placeholders import BOOTSTRAP, PORTS, TOPIC, placeholders_in, variables_in

READY_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """A service as it is described, before anything in braces is known.

    Attributes:
        name: What tables, pictures and folders call it.
        command: The words of its command line, which is run without a shell; none where it runs
            already, and is driven at `url`.
        build: The words of a command that is run before it, each time.
        directory: The working directory of both.
        environment: Variables beside those of our own environment.
        url: Where requests go; empty for `{port}`, or for the port that it listens on.
        ready: The path that answers below 400 once it is up; empty: its port accepts.
        ready_timeout: How long that may take, seconds.
        fds_limit: Its descriptor limit; None where nobody said.
        kafka: Whether it needs brokers; None: if `{bootstrap}` occurs.
        reference: Whether it is known to be clean, so that others are compared with it.
        announces: Whether it says itself where it listens, and sets its own descriptor limit, as
            the built-in ones do.
        options: What it says of the options of a run, by name: how its process is found, and
            the like.
    """

    name: str
    command: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    directory: Path = field(default_factory=Path)
    environment: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    ready: str = ""
    ready_timeout: float = READY_TIMEOUT_S
    fds_limit: int | None = None
    kafka: bool | None = None
    reference: bool = False
    announces: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_started(self) -> bool:
        """Whether it is started here; one that is not runs already."""
        return bool(self.command)

    @property
    def needs_brokers(self) -> bool:
        """Whether brokers have to be there before it is started."""
        return self.uses(BOOTSTRAP) if self.kafka is None else self.kafka

    @property
    def is_told_topic(self) -> bool:
        """Whether it is told to which topic it writes: what is in there is of this run then."""
        return self.uses(TOPIC)

    @property
    def is_told_port(self) -> bool:
        """Whether it is told on which port it has to listen."""
        return self.uses(PORTS[0])

    def uses(self, placeholder: str) -> bool:
        """Whether a placeholder occurs in what it is started with."""
        return any(placeholder in placeholders_in(text) for text in self._texts())

    @property
    def variables(self) -> set[str]:
        """The variables of our own environment that it is told."""
        return {name for text in (*self._texts(), *self.build) for name in variables_in(text)}

    def _texts(self) -> Iterator[str]:
        yield from self.command
        yield from self.environment.values()
