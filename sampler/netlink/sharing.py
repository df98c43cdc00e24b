"""One dump a tick for all targets of a network namespace: it shows the sockets of all of them."""

from typing import Protocol

from tidemark.sampler.netlink.dump import Columns
from tidemark.sampler.netlink.outgoing_reader import OTHERS, OutgoingReader, Remotes


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


class Numbered(Protocol):
    """What remembers remote ends by their numbers."""

    used: set[int]
    """Those of the ends that its target uses."""

    def renumber(self, used: set[int]) -> None:
        """The ends have other numbers from now on: these are the target's."""
        ...


class OutgoingDumps(Dumps):
    """The same with the remote ends that they have shown, which have the same numbers for all.

    Attributes:
        remotes: The remote ends so far.
        reader: Collects them.
    """

    def __init__(self, *, are_kept: bool = False) -> None:
        super().__init__(are_kept=are_kept)
        self.remotes = Remotes()
        self.reader = OutgoingReader(self.remotes)
        self._sources: list[Numbered] = []

    def enter(self, source: Numbered) -> None:
        """Have the remote ends remembered that one of the targets uses."""
        self._sources.append(source)

    def make_room(self) -> None:
        """Forget the remote ends that no target has used; most are those of other processes."""
        used = [{self.remotes.names[at] for at in source.used} for source in self._sources]
        self.remotes.keep(set().union(*(source.used for source in self._sources)))
        numbers = {name: at for at, name in enumerate(self.remotes.names) if at != OTHERS}
        for source, names in zip(self._sources, used, strict=True):
            source.renumber({numbers[name] for name in names & numbers.keys()})
