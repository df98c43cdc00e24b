"""What a load generator has to know of a run to send its share of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from tidemark.routes import read_headers
from tidemark.routes.headers import Header
from tidemark.routes.wire import from_plain, to_plain
from tidemark.run.options import RunOptions

_OF_A_LOAD = (
    "workload",
    "rate",
    "ramp",
    "shape",
    "seed",
    "batch_size",
    "payload_bytes",
    "request_timeout",
)


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of one generator for one run; of its options only what a load needs is carried.

    Attributes:
        options: of the run, its routes among them.
        run_id: the run's id.
        headers: of every request.
        generator: which of the generators this is, from 0.
        generators: how many there are.
        begins_s: when the load begins, Unix time of who gives the orders; None for at once.
        users: how many users there are in all generators together; None for those of this one.
        sent_numbers: how many arrivals were sent before, of a run that is gone on with.
        sent_s: how many seconds of load they took.
    """

    options: RunOptions
    run_id: str
    headers: tuple[Header, ...] = ()
    generator: int = 0
    generators: int = 1
    begins_s: float | None = None
    users: int | None = None
    sent_numbers: int = 0
    sent_s: float = 0.0

    @classmethod
    def of_run(
        cls, options: RunOptions, run_id: str, sent_numbers: int = 0, sent_s: float = 0.0
    ) -> Self:
        """The orders of a generator that sends the whole load itself, at once."""
        headers = read_headers(options.header)
        return cls(options, run_id, headers, sent_numbers=sent_numbers, sent_s=sent_s)

    def to_plain(self) -> dict[str, Any]:
        """As they are handed to another process."""
        return {
            "options": {name: getattr(self.options, name) for name in _OF_A_LOAD},
            "routes": to_plain(self.options.routes),
            "headers": to_plain(self.headers),
            "run_id": self.run_id,
            "generator": self.generator,
            "generators": self.generators,
            "begins_s": self.begins_s,
            "users": self.users,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """The orders that another process has handed over.

        Raises:
            TidemarkError, KeyError, TypeError, ValueError: they are not what `to_plain` makes.
        """
        options = RunOptions.parse(plain["options"])
        return cls(
            replace(options, routes=from_plain(plain["routes"])),
            plain["run_id"],
            from_plain(plain["headers"]),
            plain["generator"],
            plain["generators"],
            plain["begins_s"],
            plain["users"],
        )
