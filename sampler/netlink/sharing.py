"""One dump a tick for all targets of a network namespace: it shows the sockets of all of them."""

from tidemark.sampler.netlink.dump import Columns


class Dumps:
    """The dumps of this tick.

    Args:
        are_kept: Whether there are several targets, each of which asks for them.
    """

    def __init__(self, *, are_kept: bool = False) -> None:
        self._are_kept = are_kept
        self._found: dict[tuple[int, bool], Columns] = {}

    @property
    def is_empty(self) -> bool:
        """Whether none was taken in this tick."""
        return not self._found

    def get(self, namespace: int, *, with_cgroups: bool) -> Columns | None:
        """The dump of a namespace, if one was taken; it is not to be changed."""
        return self._found.get((namespace, with_cgroups))

    def put(self, namespace: int, columns: Columns, *, with_cgroups: bool) -> None:
        """Keep a dump until the tick is over."""
        if self._are_kept:
            self._found[namespace, with_cgroups] = columns

    def clear(self) -> None:
        """Another tick begins."""
        self._found.clear()
