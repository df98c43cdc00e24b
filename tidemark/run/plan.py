"""What a run is going to be, checked as a whole before anything of it is started."""

import uuid
from dataclasses import dataclass
from typing import Self

from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.run.folders import new_folder
from tidemark.run.options import RunOptions
from tidemark.targets.client_options import client_options
from tidemark.targets.strategies import STRATEGIES


@dataclass(frozen=True, slots=True)
class Plan:
    """A run before it begins.

    Attributes:
        options: checked options.
        host: URL of a service that is already there; None when the target is started here.
        run_id: eight hexadecimal digits, which stand in every message.
        topic: what the target writes to.
    """

    options: RunOptions
    host: str | None
    run_id: str
    topic: str

    @classmethod
    def of(cls, options: RunOptions, host: str | None) -> Self:
        """The plan of a new run.

        Raises:
            TidemarkError: options that are good each do not go together; says which.
        """
        _check(options, host)
        run_id = uuid.uuid4().hex[:8]
        return cls(options, host, run_id, options.topic or f"tidemark-{run_id}")

    @property
    def strategy(self) -> str | None:
        """What the target is; None when somebody else has started it."""
        return None if self.host else self.options.strategy

    @property
    def is_reference(self) -> bool:
        """Whether the target is known to be clean: others are measured against it."""
        return not self.host and STRATEGIES[self.options.strategy].is_reference

    def make_directory(self) -> RunDirectory:
        """Make the run directory: named by the user, or by the time and what is run.

        Raises:
            RunDirectoryError: it holds a run already, or cannot be made or written.
        """
        results, name = self.options.results, self.options.run_name
        folder = results / name if name else new_folder(results, "", self.strategy or "service")
        return RunDirectory.create(folder)


def _check(options: RunOptions, host: str | None) -> None:
    """Check what no single option can say of itself."""
    client_options(vars(options))
    if host is not None and not host.startswith(("http://", "https://")):
        raise TidemarkError(f"--host: must be http://HOST:PORT or https://..., not {host}")
    if host and options.target_pid and not options.bootstrap:
        raise TidemarkError(
            "--target-pid needs --bootstrap HOST:PORT,...: "
            "connections are counted towards the brokers of that cluster"
        )
    if options.fault and (host or options.bootstrap):
        raise TidemarkError(
            "--fault needs the embedded brokers and a target that is started here: "
            "leave out --host and --bootstrap"
        )
    if options.broker_option and options.broker != "kafka":
        raise TidemarkError("--broker-option needs --broker kafka")
    if options.target_pid and not host:
        raise TidemarkError("--target-pid needs --host: without it, the target is started here")
