"""The exception tree of the toolkit.

TidemarkError              exit code 2; caught once, by the command line
+-- RunDirectoryError      a run directory that cannot be made, written or read
|   +-- DiskFullError      nothing more can be written; what is on disk stays readable
+-- SamplerError           the sampler cannot watch what it was asked to watch
    +-- NoSuchProcessError the process is not there (any more)
    +-- DeniedError        the process is there, but a right to read it is missing
    +-- BrokerAddressError `host:port` that is malformed or does not resolve
    +-- NetlinkError       the kernel refused a socket statistics request
        +-- DumpInterruptedError  a dump that cannot be trusted, even when repeated

Each message is one line: what is wrong, where, and what to do.
"""


class TidemarkError(Exception):
    """Base of every error that a user can do something about.

    The message is one line: what is wrong, where, and what to do.
    """

    exit_code = 2


class RunDirectoryError(TidemarkError):
    """A run directory cannot be made, written or read."""


class DiskFullError(RunDirectoryError):
    """The file system, a quota or a file size limit leaves no room for another line."""


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


class BrokerAddressError(SamplerError):
    """A broker's `host:port` is malformed, or its host name does not resolve."""


class NetlinkError(SamplerError):
    """The kernel refused or garbled a socket statistics dump."""


class DumpInterruptedError(NetlinkError):
    """The table changed under the dump (`NLM_F_DUMP_INTR`), each time it was repeated."""
