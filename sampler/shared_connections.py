"""What the connections of several targets have in common: when they are read, and dumps."""

import math
from dataclasses import dataclass
from typing import Self

from tidemark.sampler import procfs
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget, Cadence
from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.netlink.sharing import Dumps, OutgoingDumps

_BUDGET_PART, _OTHERS_PART = 0.7, 0.1
"""Their parts of what the cheap figures leave of the budget; composition has the rest."""


@dataclass
class SharedDumps:
    """What the targets of one network namespace share.

    Attributes:
        counted: The dumps of sockets towards brokers.
        outgoing: Those of all that was opened, and of what was opened beside the former.
    """

    counted: Dumps
    outgoing: OutgoingDumps

    @classmethod
    def among(cls, sharers: int) -> Self:
        """What so many targets share."""
        are_kept = sharers > 1
        return cls(Dumps(are_kept=are_kept), OutgoingDumps(are_kept=are_kept))

    def clear(self) -> None:
        """Another tick begins."""
        self.counted.clear()
        self.outgoing.clear()


class SharedConnections:
    """What the connections of several targets have in common: they are read in the same ticks.

    Args:
        brokers: The remote ends that count; their names are looked up again now and then.
        budget: What they may cost, shared with other dear parts.

    Attributes:
        brokers: The same.
        counted: When those that count are due.
        others: When the others are due.
    """

    def __init__(self, brokers: Brokers, budget: Budget) -> None:
        self.brokers = brokers
        part = _BUDGET_PART if brokers.endpoints else _BUDGET_PART + _OTHERS_PART
        self.counted = Cadence(budget, part, is_common=True)
        self.others = Cadence(budget, _OTHERS_PART, is_common=True, like=self.counted)
        self._sharers = budget.sharers
        self._dumps: dict[int, SharedDumps] = {}
        self._now_s = -math.inf

    def dumps_of(self, pid: int) -> SharedDumps:
        """Those of the network namespace of a process."""
        try:
            namespace = procfs.network_namespace(pid)
        except (NoSuchProcessError, DeniedError):
            return SharedDumps.among(1)
        return self._dumps.setdefault(namespace, SharedDumps.among(self._sharers))

    def begin(self, now_s: float) -> None:
        """A tick begins, or goes on with another target."""
        if now_s != self._now_s:
            self._now_s = now_s
            for dumps in self._dumps.values():
                dumps.clear()
