"""The child that fetches what agents on other hosts record, and what it says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM
from typing import Any

from tidemark.record.metadata import Target
from tidemark.run.children import Child, say
from tidemark.services.consistency import OF_AGENT

OF_AGENTS = ("agent", *OF_AGENT)
"""The options of a run that are about agents."""
END_S = 30.0
"""So long it may fetch the end of what was recorded."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an agent said when it was first asked.

    Attributes:
        id: What its target is called in the run.
        targets: Its targets, as run.json has them.
        ahead_s: What its host's clock shows more than the one here.
        uncertainty_s: Give or take so much.
        missing_rights: What may not be read there.
    """

    id: str
    targets: tuple[Target, ...]
    ahead_s: float
    uncertainty_s: float
    missing_rights: tuple[str, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any], host: str) -> "Told":
        """From what the child announces."""
        ahead_s = float(told["clock_offset_s"])
        targets = tuple(
            Target(
                str(one["id"]),
                pids=tuple(pid for pid in one.get("pids") or () if isinstance(pid, int)),
                command=one.get("command"),
                host=host,
                clock_offset_s=ahead_s,
            )
            for one in told["targets"]
        )
        return cls(
            str(told["id"]),
            targets or (Target(str(told["id"]), host=host, clock_offset_s=ahead_s),),
            ahead_s,
            float(told["uncertainty_s"]),
            tuple(map(str, told["missing_rights"])),
        )

    def say(self, tick_s: float) -> None:
        """Tell the user what he may want to do something about."""
        if abs(self.ahead_s) > tick_s:
            way = "ahead of" if self.ahead_s > 0 else "behind"
            say(
                f"{self.id}: its clock is {abs(self.ahead_s):.3f} s {way} this one "
                f"(give or take {self.uncertainty_s * 1000:.1f} ms): "
                "its rows are put on this run's time"
            )
        for one in self.missing_rights:
            say(f"{self.id}: {one}")


class AgentFetcher(Child):
    """Fetches while the run goes on, and is given time for the end.

    Args:
        command: Its command line.
        log: Where its complaints go.
        held: Descriptors that it holds, too.
        hosts: The host of each agent, in their order.
    """

    def __init__(
        self, command: Sequence[str], log: Path, held: Sequence[int], hosts: Sequence[str]
    ) -> None:
        super().__init__("agents' fetcher", command, log, held=held)
        self._hosts = tuple(hosts)

    def wait_begun(self, timeout_s: float) -> list[Told]:
        """What the agents said, once all of them have answered. Raises as `wait_ready` does."""
        told = self.wait_ready(timeout_s)["agents"]
        return [Told.of(one, host) for one, host in zip(told, self._hosts, strict=True)]

    def stop(self, signum: int = SIGTERM, timeout_s: float = END_S) -> int:
        """End it as `Child.stop` does, once it has fetched the end."""
        return super().stop(signum, timeout_s)
