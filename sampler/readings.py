"""How each figure of a process is read: the one table behind the columns of samples.csv.

To record another figure, add an entry here and one to `METRICS` in `tidemark.record.metrics`.
"""

import resource
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tidemark.sampler import procfs
from tidemark.sampler.procfs import Stat

Figure = int | float | None
"""A figure in the unit of its column; None where the system does not say."""

FromStat = Callable[[Stat], Figure]
FromPid = Callable[[int], Figure]
FromPsutil = Callable[[Any], Figure]


@dataclass(frozen=True, slots=True)
class Reading:
    """How one column is read: from what every look at the tree reads, or by itself.

    Attributes:
        column: The column of samples.csv; the unit is in its name.
        stat: Takes it from the process's `Stat`, for nothing; None if it is not in there.
        procfs: Reads it on Linux, given the pid.
        psutil: Reads it elsewhere, given a `psutil.Process`; None if psutil does not have it.
        every_s: Seconds between readings of what is dear; 0 for every tick. The column is
            empty in between.
    """

    column: str
    stat: FromStat | None = None
    procfs: FromPid | None = None
    psutil: FromPsutil | None = None
    every_s: float = 0.0


def soft_limit(process: Any) -> int | None:
    """Soft RLIMIT_NOFILE of a `psutil.Process`; None where psutil cannot say (macOS)."""
    if not hasattr(process, "rlimit"):
        return None
    soft = int(process.rlimit(resource.RLIMIT_NOFILE)[0])
    return None if soft == resource.RLIM_INFINITY else soft


READINGS = (
    Reading("threads", stat=lambda stat: stat.threads),
    Reading("rss_bytes", stat=lambda stat: stat.rss_bytes),
    Reading("cpu_s", stat=lambda stat: stat.cpu_s),
    Reading("fds", procfs=procfs.count_fds, psutil=lambda process: int(process.num_fds())),
    Reading("fds_limit", procfs=procfs.read_fds_limit, psutil=soft_limit),
    Reading("swap_bytes", procfs=procfs.read_swap_bytes, every_s=10.0),
)
"""What is read of every process."""
