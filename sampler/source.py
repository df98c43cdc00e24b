"""Choosing how connections are read."""

import sys

from tidemark.sampler.brokers import Brokers
from tidemark.sampler.connections import ConnectionSource
from tidemark.sampler.errors import DeniedError, NetlinkError, SamplerError
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.procsource import ProcfsSource

SOURCES = ("auto", "netlink", "procfs", "psutil")
"""Names of the sources; `auto` takes the best one that works."""


def open_source(
    brokers: Brokers, pid: int, wanted: str = "auto"
) -> tuple[ConnectionSource, SamplerError | None]:
    """Open the source that is wanted, or the best one.

    Args:
        brokers: The remote ends that count.
        pid: A process of the target.
        wanted: One of `SOURCES`.

    Returns:
        The source, and why a better one could not be had (None if it is the best).

    Raises:
        SamplerError: There is no such source, or the wanted one does not work here.
    """
    if wanted not in SOURCES:
        raise SamplerError(f"source {wanted!r}: choose one of {', '.join(SOURCES)}")
    if wanted == "procfs":
        return ProcfsSource(brokers), None
    if wanted == "psutil" or not sys.platform.startswith("linux"):
        from tidemark.sampler.psutil_host import PsutilSource  # noqa: PLC0415 (psutil is slow to load)

        return PsutilSource(brokers), None
    try:
        return NetlinkSource(brokers, pid), None
    except (NetlinkError, DeniedError) as error:
        if wanted == "netlink":
            raise
        return ProcfsSource(brokers), error
