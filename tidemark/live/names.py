"""Names of which there may be ever more: the first ones are kept, the rest counts as one."""

from collections.abc import Mapping

import numpy as np

from tidemark.live.buckets import Floats

MOST_NAMES = 24
OTHERS = "other"


class Names:
    """The names that have a series of their own: those that were met first.

    Args:
        most: How many there may be.
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        self._known: dict[str, None] = {}

    def of(self, name: str) -> str:
        """The name of the series that something counts for."""
        if name in self._known or len(self._known) < self._most:
            self._known[name] = None
            return name
        return OTHERS

    def folded(self, columns: Mapping[str, Floats]) -> dict[str, Floats]:
        """Series by name, those that have none of their own summed."""
        found: dict[str, Floats] = {}
        for name, values in columns.items():
            series = self.of(name)
            if series in found:
                both = np.isnan(found[series]) & np.isnan(values)
                found[series] = np.where(both, np.nan, np.nansum([found[series], values], axis=0))
            else:
                found[series] = values
        return found
