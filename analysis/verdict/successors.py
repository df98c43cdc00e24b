"""The processes of a run that was gone on with: each takes the place of one that was cut off.

A service that is started anew has the same processes again. Each of them and its successor are
judged as one line of two lives: what they hold grows within each life, and the level is another.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tidemark.analysis.verdict.model import Floats
from tidemark.analysis.verdict.series import ProcessSeries, Spans

NEAR_S = 5.0
"""So long before it was cut off, and after it was gone on with, a process is seen that was there
then."""


def joined(processes: list[ProcessSeries], away: Spans) -> list[ProcessSeries]:
    """The processes of a run, those that have a successor joined to it, in the same order.

    Args:
        processes: In the order of their targets and ids.
        away: When nobody was there.
    """
    for begin_s, end_s in away:
        before = [one for one in processes if begin_s - NEAR_S <= one.last_s <= end_s]
        after = [one for one in processes if begin_s < one.first_s <= end_s + NEAR_S]
        pairs = list(_pairs(before, after))
        gone = {id(former) for former, _ in pairs}
        successors = {id(successor): former for former, successor in pairs}
        processes = [
            _join(successors[id(one)], one) if id(one) in successors else one
            for one in processes
            if id(one) not in gone
        ]
    return processes


def _pairs(
    before: Iterable[ProcessSeries], after: Iterable[ProcessSeries]
) -> Iterable[tuple[ProcessSeries, ProcessSeries]]:
    """Who has taken whose place: of one name in the order in which they were started."""
    waiting: dict[tuple[str, str], list[ProcessSeries]] = defaultdict(list)
    for one in sorted(before, key=_order):
        waiting[one.target, one.name].append(one)
    for one in sorted(after, key=_order):
        if waiting[one.target, one.name]:
            yield waiting[one.target, one.name].pop(0), one


def _order(one: ProcessSeries) -> tuple[float, int]:
    return one.first_s, one.pid


def _join(former: ProcessSeries, successor: ProcessSeries) -> ProcessSeries:
    return replace(
        successor,
        first_s=former.first_s,
        value=_both(former.value, successor.value),
        floor=_both(former.floor, successor.floor),
        limits={**former.limits, **successor.limits},
    )


def _both(first: dict[str, Floats], then: dict[str, Floats]) -> dict[str, Floats]:
    return {name: np.where(np.isfinite(then[name]), then[name], first[name]) for name in then}
