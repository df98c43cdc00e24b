"""What keeps the sampler from watching; see `tidemark.record.errors` for the root.

SamplerError               the sampler cannot watch what it was asked to watch
+-- NoSuchProcessError     the process is not there (any more)
+-- NestedRootsError       one of the processes is watched with another one already
+-- DeniedError            the process is there, but a right to read it is missing
+-- ShortageError          the sampler itself has run short of something
+-- PerfDataError          a JVM's performance counters are not what they should be
+-- MetricsError           the target's metrics page is not there, or does not tell
+-- PageError              the same where all figures are to come from it
+-- BrokerAddressError     a broker whose name does not resolve, or too many of them
+-- NetlinkError           the kernel refused a socket statistics request
    +-- DumpInterruptedError  a dump that cannot be trusted, even when repeated
"""

from tidemark.record.errors import TidemarkError
from tidemark.record.secrets import without_secrets


class SamplerError(TidemarkError):
    """The sampler cannot watch what it was asked to watch."""


class NoSuchProcessError(SamplerError):
    """The process does not exist (any more).

    Attributes:
        pid: The process id.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(f"no process has the id {pid}: it may have ended; check the PID")
        self.pid = pid


class NestedRootsError(SamplerError):
    """A process that is to be watched is below another one, which is watched with all below it."""

    def __init__(self, pid: int, above: int) -> None:
        super().__init__(
            f"process {pid} descends from process {above}, with which it is watched: name one alone"
        )


class DeniedError(SamplerError):
    """The process exists, but reading it is not permitted.

    Attributes:
        pid: The process id.
        what: What could not be read, for example `/proc/17/fd`.
    """

    def __init__(self, pid: int, what: str) -> None:
        super().__init__(
            f"{what} may not be read: run as the owner of process {pid}, or with CAP_SYS_PTRACE"
        )
        self.pid = pid
        self.what = what


class ShortageError(SamplerError):
    """The sampler, or the whole system, has no descriptor or memory left for a reading."""

    def __init__(self, what: str, reason: str) -> None:
        super().__init__(f"{what} cannot be read: {reason}: raise the sampler's own limits")


class PerfDataError(SamplerError):
    """What should be the performance counters of a JVM is something else, or damaged.

    Args:
        what: What is wrong with them.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"the performance counters of a JVM cannot be read: the file {what}")


class MetricsError(SamplerError):
    """The metrics page of the target is not there, or does not tell what it was asked for.

    Attributes:
        url: The page, without secrets.
        what: What is wrong with it.
    """

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{url} {what}: heap_bytes and collections stay empty; check the URL")
        self.url = url
        self.what = what


class PageError(SamplerError):
    """The metrics page is not there, or says nothing of its process, and nothing else does.

    Args:
        url: The page.
        what: What is wrong with it.
    """

    def __init__(self, url: str, what: str) -> None:
        super().__init__(f"{without_secrets(url)} {what}; check --metrics-url")


class BrokerAddressError(SamplerError):
    """A broker's host name does not resolve, or there are more than can be watched."""


class NetlinkError(SamplerError):
    """The kernel refused or garbled a socket statistics dump."""


class DumpInterruptedError(NetlinkError):
    """The table changed under the dump (`NLM_F_DUMP_INTR`), each time it was repeated."""
