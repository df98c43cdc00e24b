"""The root of the exception tree, and what concerns every room.

What concerns one room alone stands in that room's `errors`, under the same root.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar


class TidemarkError(Exception):
    """Base of every error that a user can do something about.

    The message is one line: what is wrong, where, and what to do. Caught once, by the command
    line, which leaves with the exit code.

    Args:
        message: The line.
        about: The names of the options that it concerns, the one to mend first; `fds_limit`.

    Attributes:
        about: The same; none where it concerns no option.
    """

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str = "", *, about: Iterable[str] = ()) -> None:
        super().__init__(message)
        self.about = tuple(about)


class RunDirectoryError(TidemarkError):
    """A run directory cannot be made, written or read."""


class DiskFullError(RunDirectoryError):
    """The file system, a quota or a file size limit leaves no room for another line."""


class UnusableRunError(RunDirectoryError):
    """A run directory cannot be used; the message says what, where, and what to do."""

    def __init__(self, where: Path | str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")


class EndpointError(TidemarkError, ValueError):
    """A `host:port` is malformed."""


class OptionError(TidemarkError):
    """An option has a value that cannot be used; the message names the option."""


class ResourceLimitError(TidemarkError):
    """A limit of the operating system may not be set as asked for."""
