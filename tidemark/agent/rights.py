"""What the agent may not read of the target, found by reading it once."""

import contextlib
import math

from tidemark.record.events import Event, PermissionDenied
from tidemark.sampler.budget import Budget
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.local import open_targets
from tidemark.sampler.netlink.fdtable import FdFolder
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
    # Spent: what each descriptor is takes long where there are many, and the right to see one is
    # the right to see all of them.
    budget = Budget(1.0)
    budget.spend(0.0, math.inf)
    for source in open_targets(options, budget):
        with contextlib.closing(source):
            if source.shortcoming is not None:
                events.append(event_of(source.shortcoming))
            sample = source.take(0.0)
        events += sample.events
        events += filter(None, (_denied_descriptors(one.pid) for one in sample.processes))
    denied = [event for event in events if isinstance(event, PermissionDenied)]
    return tuple(dict.fromkeys(map(_sentence, denied)))


def _denied_descriptors(pid: int) -> Event | None:
    try:
        with FdFolder(pid):
            return None
    except DeniedError as error:
        return event_of(error)
    except (NoSuchProcessError, ShortageError):
        return None


def _sentence(event: PermissionDenied) -> str:
    what = event.what or ""
    return f"{what} may not be read: {_lost(what)} stay empty; it takes {event.missing}"


def _lost(what: str) -> str:
    if what.endswith("/fd"):
        return "descriptors, what they are, and connections"
    if "/ns/" in what:
        return "connections in the target's own network namespace"
    return "the figures that stand there"
