"""Folders for runs and comparisons: named by the user, or by time; never one that is there."""

from datetime import UTC, datetime
from pathlib import Path

from tidemark.record.errors import RunDirectoryError
from tidemark.record.files import make_folder

SAME_SECOND = 99  # as many may begin in one second


def new_folder(results: Path, name: str, label: str, *, shared: bool = False) -> Path:
    """Make a folder in `results` and return it.

    Args:
        results: where it goes; made if need be.
        name: what the user called it; empty for the time and `label`.
        label: what it holds, for a name made here.
        shared: whether others may look into it, as far as the umask allows.

    Raises:
        RunDirectoryError: it is there already, or cannot be made.
    """
    stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{label}"
    names = [name] if name else [stamp, *(f"{stamp}-{n}" for n in range(2, SAME_SECOND + 1))]
    for candidate in names:
        try:
            make_folder(results / candidate, shared=shared)
        except FileExistsError:
            continue
        except OSError as error:
            raise RunDirectoryError(
                f"--results: {results} cannot be written ({error.strerror}); choose another folder"
            ) from error
        return results / candidate
    raise RunDirectoryError(
        f"--run-name: {results / names[-1]} is there already; choose another name",
        about=["run_name"],
    )
