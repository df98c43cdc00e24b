"""Remote ends of the target that were not named as brokers, where others were.

Connections are judged towards the brokers that were named. What the target holds towards other
ends is told beside it: one of them may be a broker too, or leak.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.decision import decide
from tidemark.analysis.verdict.model import Floats
from tidemark.analysis.verdict.tracks import Track
from tidemark.analysis.verdict.window import Window
from tidemark.record.layout import OTHER_ENDPOINTS, REMOTE
from tidemark.record.metrics import metric

LATE_SHARE = 0.25
"""What is held in the end is the median of the looks in this last share of the run."""
MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Unnamed:
    """A remote end that was not named as a broker.

    Attributes:
        endpoint: `host:port`.
        held: Connections that the target holds towards it in the end.
        growth: What is added to them for each request, or each second, if they leak; 0 if not.
    """

    endpoint: str
    held: float
    growth: float


def find_unnamed(run: Run, window: Window) -> list[Unnamed]:
    """The remote ends that nobody named, those with the most connections first."""
    if not run.metadata.brokers:
        return []
    rows = run.endpoints_of(REMOTE)
    rows = rows.assign(endpoint=rows["endpoint"].astype("str"))
    held = rows.pivot_table("held", "elapsed_s", "endpoint", "sum", fill_value=0.0)
    at = held.index.to_numpy(dtype=float)
    late = at >= at[-1] - LATE_SHARE * (at[-1] - at[0]) if len(at) else at > 0
    found = []
    for name in held:
        counts = held[name].to_numpy(dtype=float)
        growth = _growth(at, counts, window)
        level = counts[-1] if growth else np.median(counts[late])
        found.append(Unnamed(str(name), float(level), growth))
    named = [one for one in found if one.endpoint != OTHER_ENDPOINTS and one.held >= 1]
    return sorted(named, key=lambda one: (-one.growth, -one.held, one.endpoint))


def _growth(at: Floats, held: Floats, window: Window) -> float:
    inside = (at >= window.settled_s) & (at <= window.end_s)
    known = np.isfinite(window.x) & np.isfinite(window.bins.elapsed_s)
    scale = metric("connections").judged
    if inside.sum() < 4 or scale is None:
        return 0.0
    x = np.interp(at[inside], window.bins.elapsed_s[known], window.x[known])
    size, value = int(inside.sum()), held[inside]
    track = Track(
        "endpoint",
        None,
        at[inside],
        x,
        value,
        value,
        np.zeros(size, dtype=np.intp),
        np.empty((size, 0)),
        np.zeros(size),
    )
    judged = decide(track, scale, None)
    return judged.growth.slope if judged.decision == "leak" and judged.growth else 0.0


def warnings_on(found: list[Unnamed], window: Window) -> Iterator[str]:
    """One sentence on those that nobody named; none where there are none."""
    if not found:
        return
    parts = [
        f"{units.several(round(one.held), 'connection')} to {one.endpoint}{_growing(one, window)}"
        for one in found[:MOST_NAMED]
    ]
    more = len(found) - MOST_NAMED
    if more > 0:
        parts.append(f"more to {units.several(more, 'other end')}")
    is_one = len(found) == 1
    yield (
        f"{headline.listed(parts)} that {'was' if is_one else 'were'} not named as "
        f"{'a broker' if is_one else 'brokers'}: the figures of connections do not count them"
    )


def _growing(one: Unnamed, window: Window) -> str:
    if not one.growth:
        return ""
    if window.per_request:
        return f" ({units.number(one.growth, 3)} more a request)"
    return f" ({units.number(one.growth * window.hourly, 3)} more an hour)"
