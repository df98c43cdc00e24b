"""Who judges: this process, several of this machine, or those of a Dask cluster."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tidemark.fleet.errors import FleetError
from tidemark.fleet.outcome import Outcome, Result, Task, Told, message
from tidemark.fleet.pool import in_processes

WORTH_A_PROCESS = 8
"""So many tasks are done before a second process has read its libraries."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who does tasks.

    Attributes:
        jobs: How many processes; None for one a core where there are tasks enough.
        scheduler: Where the scheduler of a Dask cluster listens; None for this machine.
    """

    jobs: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        """Raises FleetError where both are asked for."""
        if self.jobs is not None and self.scheduler is not None:
            raise FleetError(
                "--jobs and --scheduler: how many processes a cluster has is its own business: "
                "leave one of them out"
            )

    @property
    def is_asked_for(self) -> bool:
        """Whether anybody said who is to do it."""
        return self.jobs is not None or self.scheduler is not None

    def do(
        self,
        work: Callable[[Task], Result],
        tasks: Sequence[Task],
        told: Told[Task, Result] = lambda _: None,
    ) -> list[Outcome[Task, Result]]:
        """Do tasks; return what came of each, in their order.

        Raises:
            FleetError: The cluster cannot be used.
        """
        if self.scheduler is not None:
            from tidemark.fleet.cluster import on_dask  # noqa: PLC0415 - an extra of the package

            return on_dask(work, tasks, self.scheduler, told)
        jobs = min(self.jobs or self._cores(len(tasks)), len(tasks))
        return in_processes(work, tasks, jobs, told) if jobs > 1 else _here(work, tasks, told)

    @staticmethod
    def _cores(tasks: int) -> int:
        return len(os.sched_getaffinity(0)) if tasks > WORTH_A_PROCESS else 1


def _here(
    work: Callable[[Task], Result], tasks: Sequence[Task], told: Told[Task, Result]
) -> list[Outcome[Task, Result]]:
    outcomes = []
    for task in tasks:
        try:
            outcome = Outcome(task, work(task))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is that task's
            outcome = Outcome(task, error=message(error))
        outcomes.append(outcome)
        told(outcome)
    return outcomes
