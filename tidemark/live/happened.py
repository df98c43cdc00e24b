"""The events of a run, as many as are shown: the last ones, and those that a chart marks."""

import math
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Any

from tidemark.analysis import units
from tidemark.analysis.figures.events import LONGEST_BROKER, LOUD, MARKED, told
from tidemark.live.tail import FileTail
from tidemark.record.event_lines import decode
from tidemark.record.events import (
    BrokerDown,
    BrokerUp,
    Event,
    FaultEnded,
    FaultStarted,
    Recorded,
    TargetExited,
    TargetRestarted,
)
from tidemark.record.layout import ONLY_TARGET

MOST_EVENTS = 100
MOST_MARKS = 100
_AT_A_LOOK = 1 << 20
_SOON_S = 10.0
"""Who takes the place of a process so soon is marked together with its end: as a restart."""


class Happened:
    """The events of a run under way.

    Args:
        file: Its events.jsonl.

    Attributes:
        count: How many there were.
        revision: When there was last a new one, as told to `look`.
        exits: By target and process, when it last was seen to have ended, seconds of the run.
    """

    def __init__(self, file: FileTail) -> None:
        self.file = file
        self.count = self.revision = 0
        self.exits: dict[str, dict[int, float]] = defaultdict(dict)
        self._targets: set[str] = set()
        self._last: deque[Recorded[Event]] = deque(maxlen=MOST_EVENTS)
        self._marked: deque[Recorded[Event]] = deque(maxlen=MOST_MARKS)

    def look(self, revision: int) -> None:
        """Read what was added; a line that is no event is left out."""
        lines = self.file.read(_AT_A_LOOK).split(b"\n")[:-1]
        for line in lines:
            try:
                recorded = decode(line.removesuffix(b"\r"))
            except ValueError:
                continue  # the verdict says so
            self._take(recorded)
        if lines:
            self.revision = revision

    def _take(self, recorded: Recorded[Event]) -> None:
        event = recorded.event
        self.count += 1
        self._last.append(recorded)
        if _is_marked(event):
            self._marked.append(recorded)
        if (target := _target(event)) is not None:
            self._targets.add(target)
        if isinstance(event, TargetExited) and event.pid is not None:
            self.exits[target or ONLY_TARGET][event.pid] = recorded.elapsed_s

    def last(self, most: int = MOST_EVENTS) -> list[Recorded[Event]]:
        """The last ones, the latest first."""
        in_order = sorted(self._last, key=lambda recorded: recorded.elapsed_s, reverse=True)
        return in_order[:most]

    def to_json(self) -> dict[str, Any]:
        """Those that are listed, the latest first, and those that are marked, in order of time."""
        several = len(self._targets) > 1
        return {
            "count": self.count,
            "last": [
                {
                    "elapsed_s": round(one.elapsed_s, 2),
                    "event": one.event.name,
                    "told": told(one.event),
                }
                for one in self.last()
            ],
            "marks": [
                {
                    "elapsed_s": round(one.elapsed_s, 2),
                    "text": marked_as(one.event, several=several),
                    "loud": isinstance(one.event, _LOUD),
                }
                for one in _once(self._marked)
            ],
        }


_LOUD = (*LOUD, TargetRestarted)
_ALSO_MARKED = (BrokerDown, BrokerUp, FaultStarted, FaultEnded)


def _is_marked(event: Event) -> bool:
    return isinstance(event, _ALSO_MARKED) or type(event) in MARKED


def _target(event: Event) -> str | None:
    target = getattr(event, "target", None)
    return target if isinstance(target, str) else None


def _once(marked: Iterable[Recorded[Event]]) -> list[Recorded[Event]]:
    """What is marked, in order of time, and no end of a process twice.

    The sampler tells of an end, and so may the run when nobody came in its place; where somebody
    did soon, that is marked in its stead.
    """
    in_order = sorted(marked, key=lambda recorded: recorded.elapsed_s)
    back_s = {
        (one.event.target, one.event.former_pid): one.elapsed_s
        for one in in_order
        if isinstance(one.event, TargetRestarted)
    }
    found, ended = [], set()
    for one in in_order:
        if isinstance(one.event, TargetExited):
            who = one.event.target, one.event.pid
            is_restart = 0 <= back_s.get(who, -math.inf) - one.elapsed_s <= _SOON_S
            if is_restart or who in ended:
                continue
            ended.add(who)
        found.append(one)
    return found


def marked_as(event: Event, *, several: bool = False) -> str:
    """What stands beside the mark of an event.

    Args:
        event: The event.
        several: Whether there are several targets, so that they are named.
    """
    text, target = _text(event), _target(event)
    if not several or target is None:
        return text
    return f"{units.shortened(target, LONGEST_BROKER)} {text.removeprefix('target ')}"


def _text(event: Event) -> str:
    if isinstance(event, FaultStarted):
        return f"fault: {event.kind or event.fault or ''}"
    if isinstance(event, FaultEnded):
        return f"fault over: {event.kind or event.fault or ''}"
    if isinstance(event, BrokerUp) or (isinstance(event, BrokerDown) and not event.is_by_itself):
        return event.name.replace("_", " ")
    return MARKED[type(event)]
