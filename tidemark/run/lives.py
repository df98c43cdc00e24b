"""The processes that a run cannot do without: what it means when one ends by itself."""

from collections.abc import Sequence
from dataclasses import replace

from tidemark.record.events import BY_ITSELF, BrokerDown, SamplerLost, TargetExited
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.metadata import ABORTED, COMPLETED, DIED
from tidemark.record.process import signal_name
from tidemark.run.agents import AgentFetcher
from tidemark.run.children import NURSERY, Child, say
from tidemark.run.errors import ChildError
from tidemark.run.journal import Ending, Journal
from tidemark.run.places import Place
from tidemark.run.processes import Processes, Services

MOST_RESTARTS = 3
"""A sampler that is lost more often than this in one run is given up."""


class Lives:
    """Notices that the target, the brokers or the sampler ended by themselves, and says so once.

    A lost sampler is started again, and tells itself what was missed; without the brokers, or
    without any target, the run has to end. It goes on while one of several targets lives.

    Args:
        journal: where events go.
        processes: starts the sampler again.
        services: what was started; brokers and target of somebody else may be missing.
        places: the watched processes that somebody else has started.
    """

    def __init__(
        self,
        journal: Journal,
        processes: Processes,
        services: Services,
        places: Sequence[Place] = (),
    ) -> None:
        self._journal = journal
        self._processes = processes
        self._services = services
        self._places = tuple(places)
        self._mourned: Child | None = None
        self._restarts = 0
        self._unseen = ""

    def look(self, *, is_last: bool = False) -> Ending | None:
        """How the run has to end now, or None while it goes on.

        Args:
            is_last: the run is ending: no sampler is started any more.
        """
        if NURSERY.is_closed:  # we have ended them all
            return None
        return (
            self._target_gone(is_last=is_last)
            or self._brokers_gone()
            or self._sampler_gone(is_last=is_last)
        )

    def judged(self, ending: Ending) -> Ending:
        """What an ending amounts to, where a target or the sampler did not live to see it."""
        if self._unseen and ending.outcome == COMPLETED:
            ending = replace(ending, reason=f"{ending.reason}; {self._unseen}", cannot_tell=True)
        lost = [place.target for place in self._places if place.was_empty]
        if not lost or all(place.is_empty for place in self._places):
            return ending
        reason = f"{ending.reason}; {', '.join(lost)} had ended by itself"
        return replace(ending, reason=reason, has_lost_targets=True)

    def close(self) -> None:
        """Let go of the processes of others."""
        for place in self._places:
            place.close()

    @property
    def _elapsed_s(self) -> float:
        return self._journal.clock.now().elapsed_s

    def _target_gone(self, *, is_last: bool) -> Ending | None:
        target = self._services.target
        if target is not None and target.returncode is not None:
            name = signal_name(target.returncode)
            code = None if name else target.returncode
            self._journal.event(TargetExited(target.pid, None, code, name, ONLY_TARGET))
            return Ending(DIED, target.obituary(self._elapsed_s))
        last = ""
        for place in self._places:
            last = self._look_at(place, is_last=is_last) or last
        if not last or not all(place.is_empty for place in self._places):
            return None
        count = len(self._places)
        return Ending(DIED, last if count == 1 else f"all {count} targets have ended: {last}")

    def _look_at(self, place: Place, *, is_last: bool) -> str:
        """Look after one of the targets; how it ended, if it has for good."""
        former, now_s, was_empty = place.stranger, self._elapsed_s, place.is_empty
        pid = place.look(now_s, self._is_watched, is_last=is_last)
        if pid is not None:
            self._processes.watch(place.target, pid, former.pid)
            say(f"{former.name} ({former.pid}) has ended, process {pid} has taken its place")
        if was_empty or not place.is_empty:
            return ""
        event = TargetExited(former.pid, former.name, target=place.target)
        self._journal.event(event)
        after_s = now_s if place.gone_s is None else place.gone_s
        told = f"{former.name} ({former.pid}) has ended after {after_s:.0f} s"
        if any(not other.is_empty for other in self._places):
            self._processes.forget(place.target)
            alive = any(other.gone_s is None for other in self._places)
            say(f"{place.target}: {told}{'; the run goes on with the others' if alive else ''}")
        return told

    def _is_watched(self, pid: int) -> bool:
        return any(place.stranger.pid == pid for place in self._places)

    def _brokers_gone(self) -> Ending | None:
        broker = self._services.broker
        if broker is None or broker.returncode is None:
            return None
        reason = broker.obituary(self._elapsed_s)
        for address in self._services.brokers:
            self._journal.event(BrokerDown(broker=address, action=BY_ITSELF, reason=reason))
        return Ending(ABORTED, reason, cannot_tell=True)

    def _sampler_gone(self, *, is_last: bool) -> Ending | None:
        sampler = self._processes.sampler
        if sampler is None or sampler is self._mourned or sampler.returncode is None:
            return None
        self._mourned = sampler  # a second look, while it is started again, leaves it alone
        reason = sampler.obituary(self._elapsed_s)
        self._journal.event(SamplerLost(reason=reason))
        if not isinstance(sampler, AgentFetcher):  # which loses nothing
            self._unseen = reason
        if is_last:
            return None
        return self._without_sampler(reason)

    def _without_sampler(self, reason: str) -> Ending | None:
        if self._restarts == MOST_RESTARTS:
            gone = f"{reason}, and was started again {MOST_RESTARTS} times before"
            return Ending(ABORTED, gone, cannot_tell=True)
        self._restarts += 1
        try:
            self._processes.restart_sampler(self._services.brokers)
        except ChildError as error:
            again = f"{reason}, and cannot be started again: {error}"
            return Ending(ABORTED, again, cannot_tell=True)
        say(f"{reason}; it was started again")
        return None
