"""The events of a run, as many as are shown: the last ones, and those that a chart marks."""

from collections import deque
from typing import Any

from tidemark.analysis.figures.events import MARKED, told
from tidemark.live.tail import FileTail
from tidemark.record.event_lines import decode
from tidemark.record.events import BrokerDown, BrokerUp, Event, FaultEnded, FaultStarted, Recorded

MOST_EVENTS = 100
MOST_MARKS = 100
_AT_A_LOOK = 1 << 20


class Happened:
    """The events of a run under way.

    Args:
        file: Its events.jsonl.

    Attributes:
        count: How many there were.
        revision: When there was last a new one, as told to `look`.
    """

    def __init__(self, file: FileTail) -> None:
        self.file = file
        self.count = self.revision = 0
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
            self.count += 1
            self._last.append(recorded)
            if _is_marked(recorded.event):
                self._marked.append(recorded)
        if lines:
            self.revision = revision

    def last(self, most: int = MOST_EVENTS) -> list[Recorded[Event]]:
        """The last ones, the latest first."""
        in_order = sorted(self._last, key=lambda recorded: recorded.elapsed_s, reverse=True)
        return in_order[:most]

    def to_json(self) -> dict[str, Any]:
        """Those that are listed, the latest first, and those that are marked, in order of time."""
        marks = sorted(self._marked, key=lambda recorded: recorded.elapsed_s)
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
                {"elapsed_s": round(one.elapsed_s, 2), "text": marked_as(one.event)}
                for one in marks
            ],
        }


_ALSO_MARKED = (BrokerDown, BrokerUp, FaultStarted, FaultEnded)


def _is_marked(event: Event) -> bool:
    return isinstance(event, _ALSO_MARKED) or type(event) in MARKED


def marked_as(event: Event) -> str:
    """What stands beside the mark of an event."""
    if isinstance(event, FaultStarted):
        return f"fault: {event.kind or event.fault or ''}"
    if isinstance(event, FaultEnded):
        return f"fault over: {event.kind or event.fault or ''}"
    if isinstance(event, BrokerUp) or (isinstance(event, BrokerDown) and not event.is_by_itself):
        return event.name.replace("_", " ")
    return MARKED[type(event)]
