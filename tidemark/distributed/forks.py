"""Workers that Locust forks for `--processes` end with their parent, however it ends.

Locust forks them between the import of the locustfile and the event `init`, and a worker that finds
no master tries again for minutes. A fork of that time is told at once to end with its parent.
"""

import os

from tidemark.record.process import die_with_parent


class Forks:
    """The forks of this process, from when this is made until it is ready."""

    def __init__(self) -> None:
        self._parent = os.getpid()
        self._is_ready = False
        os.register_at_fork(after_in_child=self._bind)

    def ready(self) -> None:
        """Whatever this process forks from now on is none of Locust's workers."""
        self._is_ready = True

    @property
    def is_child(self) -> bool:
        """Whether this process is such a fork."""
        return os.getpid() != self._parent

    def _bind(self) -> None:
        if not self._is_ready:
            self._is_ready = True
            die_with_parent(self._parent)
