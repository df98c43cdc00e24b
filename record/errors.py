"""The root of the exception tree, and what concerns every room.

TidemarkError              exit code 2; caught once, by the command line
+-- RunDirectoryError      a run directory that cannot be made, written or read
|   +-- DiskFullError      nothing more can be written; what is on disk stays readable
|   +-- UnusableRunError   what is in it cannot be read, or does not say enough
+-- EndpointError          `host:port` that is malformed
+-- OptionError            an option with a value that cannot be used
+-- ResourceLimitError     a limit of the operating system that may not be set

What concerns one room alone stands in that room's `errors`, under the same root. Each message
is one line: what is wrong, where, and what to do.
"""

from pathlib import Path
from typing import ClassVar


class TidemarkError(Exception):
    """Base of every error that a user can do something about.

    The message is one line: what is wrong, where, and what to do.
    """

    exit_code: ClassVar[int] = 2


class RunDirectoryError(TidemarkError):
    """A run directory cannot be made, written or read."""


class DiskFullError(RunDirectoryError):
    """The file system, a quota or a file size limit leaves no room for another line."""


class UnusableRunError(RunDirectoryError):
    """A run directory cannot be used; the message says what, where, and what to do."""

    def __init__(self, where: Path | str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy


class EndpointError(TidemarkError, ValueError):
    """A `host:port` is malformed."""


class OptionError(TidemarkError):
    """An option has a value that cannot be used; the message names the option."""


class ResourceLimitError(TidemarkError):
    """A limit of the operating system may not be set as asked for."""
