"""A temporary directory that goes, whatever happens to the process that it is for."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from tidemark.targets.errors import TargetError

PREFIX = "tidemark-kafka-"
_LOCK = "lock"

# The directory's own processes may still be on their way out, and write meanwhile.
_REMOVE_AT_END_OF_INPUT = """
cat > /dev/null
for attempt in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf -- "$1" 2> /dev/null && exit
    sleep 0.1
done
"""


class ScratchDirectory:
    """A directory that is removed when this process ends, even by SIGKILL.

    A shell waits at the other end of a pipe. When this process ends, the kernel closes
    our end, and the shell removes the directory and ends too. It is in a session of its
    own, so that what kills the whole process group does not take it along. Should it be
    killed after all, the directory goes when the next one is made: the lock on a file in
    it is then held by nobody.

    Raises:
        TargetError: It cannot be made.
    """

    def __init__(self) -> None:
        self._remove_abandoned()
        try:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX))
            self._lock = _lock_file(self.path / _LOCK)
            self._remover = subprocess.Popen(
                ["/bin/sh", "-c", _REMOVE_AT_END_OF_INPUT, "sh", str(self.path)],
                stdin=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise TargetError(
                f"no directory for the brokers' data in {tempfile.gettempdir()} ({error}): "
                "set TMPDIR to one with room"
            ) from error

    def remove(self) -> None:
        """Remove the directory now."""
        self._remover.communicate()  # closes its input, and waits
        os.close(self._lock)

    @staticmethod
    def _remove_abandoned() -> None:
        """Remove the directories of this user's that no living process holds."""
        for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
            # Somebody else's, or gone meanwhile, or in use: in each case not ours to remove.
            with suppress(OSError):
                os.close(_lock_file(path / _LOCK, create=False))
                shutil.rmtree(path, ignore_errors=True)


def _lock_file(path: Path, *, create: bool = True) -> int:
    """Open and lock the file; the lock is held until the descriptor is closed, or we end."""
    descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
