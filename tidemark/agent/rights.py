"""What the agent may not read of the target, found by reading it once."""

import contextlib
import math

from tidemark.record.events import Event, PermissionDenied
from tidemark.sampler.budget import Budget
from tidemark.sampler.local import open_targets
from tidemark.sampler.options import Options
from tidemark.sampler.unreadable import event_of


def missing_rights(options: Options) -> tuple[str, ...]:
    """What a sample lacks for want of a right, a sentence each; nothing is recorded.

    Args:
        options: The sampler's, with a process to watch.

    Raises:
        SamplerError: There is nothing to watch, or it cannot be watched.
    """
    events: list[Event] = []
    for source in open_targets(options, Budget(math.inf)):
        with contextlib.closing(source):
            if source.shortcoming is not None:
                events.append(event_of(source.shortcoming))
            events += source.take(0.0, full=True).events
    denied = [event for event in events if isinstance(event, PermissionDenied)]
    return tuple(dict.fromkeys(map(_sentence, denied)))


def _sentence(event: PermissionDenied) -> str:
    what = event.what or ""
    return f"{what} may not be read: {_lost(what)} stay empty; it takes {event.missing}"


def _lost(what: str) -> str:
    if what.endswith("/fd"):
        return "descriptors, what they are, and connections"
    if "/ns/" in what:
        return "connections in the target's own network namespace"
    return "the figures that stand there"
