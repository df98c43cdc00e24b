"""The heap of a process after its latest garbage collection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HeapFigures:
    """The heap after the latest collection.

    Attributes:
        heap_bytes: What was in use then; None if it is not told, or before the first one.
        collections: How many there were, of all kinds.
    """

    heap_bytes: int | None
    collections: int

    def after(self, former: "HeapFigures | None") -> "HeapFigures":
        """What holds from now on: the former figures unless there was a collection since."""
        if former is not None and former.collections == self.collections:
            return former
        return self
