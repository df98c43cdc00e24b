"""What a verdict rests on: answers, a living process, samples, and an end that was seen.

None of it rests on events alone: whoever should have written one may be gone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.counted_load import CountedLoad
from tidemark.analysis.verdict.faults import FaultEffect
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.lives import Lives
from tidemark.analysis.verdict.model import Verdict
from tidemark.record.events import (
    BrokerDown,
    DiskFull,
    DiskHasRoom,
    Recorded,
    SamplerLost,
    SamplerStarted,
    TargetExited,
)
from tidemark.record.metadata import ABORTED, COMPLETED, DIED, EXHAUSTED

LEAST_ANSWERED = 0.5
"""A service that answers less than half of what it is asked is not the one that was meant; what
fails after a death or in a fault that was asked for does not count."""
OURS = "tidemark.targets.serve"
"""What the command of a service holds that came along, and whose client understands any broker."""
MOST_UNREMARKED = 0.05
"""A run of which a larger share of requests failed says so, whatever its verdict."""
LEAST_SAMPLED = 0.5
"""A verdict rests on at least this share of the load's time."""
ENOUGH_S = 10.0
"""A run that was to go on until it is stopped is judged if its load went on for so long."""
ON_TIME = 0.98
"""A load that lasted for this share of what was planned was not cut off."""
AGENT = "agent"
"""The source of who goes on fetching what an agent has recorded meanwhile."""


@dataclass(frozen=True)
class Evidence:
    """What was recorded of a run, as far as its validity is concerned."""

    run: Run
    verdict: Verdict
    faults: tuple[FaultEffect, ...]

    @cached_property
    def load(self) -> CountedLoad:
        """The load that was counted."""
        return CountedLoad(self.run)

    @cached_property
    def lives(self) -> Lives:
        """The processes that were sampled."""
        return Lives(self.run, self.load)

    def findings(self) -> Iterator[Finding]:
        """What speaks against believing the verdict, the gravest first."""
        yield from self._exhausted()
        yield from self._died()
        yield from self._not_living()
        if self.load.is_driven:
            yield from self._unanswered()
            if len(self.load.counted):
                yield from self._cut_off()
                yield from self._not_sampled()
                yield from self._cut_short()
        yield from self._disk_full()
        yield from self._broker_lost()

    # -- the load ------------------------------------------------------------------------------

    def _unanswered(self) -> Iterator[Finding]:
        requests, failures = (
            int(self.load.counted[name].iloc[-1]) if len(self.load.counted) else 0
            for name in ("requests", "failures")
        )
        evidence: Mapping[str, float | None] = {"requests": requests, "failures": failures}
        if not requests:
            reason = f"no request was sent in {units.duration(self.run.duration_s)}"
            remedy = "see in the load generator's log why it sent none"
            yield _untested("load", reason, evidence, remedy)
            return
        remedy = "check address and path, and what the service answers" + self._mock_doubt
        if failures >= requests:
            reason = f"{units.count(failures)} of {units.several(requests, 'request')} failed"
            yield _untested("requests", reason, evidence, remedy)
            return
        asked, failed = self._undisturbed()
        if asked and (asked - failed) / asked < LEAST_ANSWERED:
            evidence = {"requests": asked, "failures": failed}
            reason = f"{units.count(failed)} of {units.several(round(asked), 'request')} failed"
            yield _untested("answers", reason, evidence, remedy)

    @property
    def _mock_doubt(self) -> str:
        """What may ail a client of somebody else's: the mock brokers speak less than real ones."""
        told = self.run.metadata.raw.get("target")
        target = told if isinstance(told, dict) else {}
        ours = OURS in str(target.get("command"))
        if target.get("broker_kind") != "mock" or ours:
            return ""
        return (
            " (its Kafka client may not understand the mock brokers, as franz-go and "
            "kafka-python 3 do not: --broker kafka has real ones)"
        )

    @property
    def failing_in_part(self) -> str:
        """That many requests failed though most were answered; empty where it is not so."""
        if not self.load.is_driven or not len(self.load.counted):
            return ""
        asked, failed = self._undisturbed()
        if not asked or not MOST_UNREMARKED < failed / asked <= 1 - LEAST_ANSWERED:
            return ""
        share = f"{units.count(round(failed))} of {units.several(round(asked), 'request')} failed"
        return f"{share}: what they leave behind when they succeed was not tested"

    def _undisturbed(self) -> tuple[float, float]:
        """Requests, and those of them that failed, while nothing was at work that lets them."""
        at = self.load.counted["elapsed_s"].to_numpy()
        keep = np.ones(len(at), dtype=bool)
        dead = self.verdict.exhausted
        ends = [dead.elapsed_s if dead else None, self.lives.death_s, *self._broken_s()]
        for end in ends:
            keep &= at <= (np.inf if end is None else end)
        for fault in self.faults:
            if fault.started_elapsed_s is not None:
                ended, took = fault.ended_elapsed_s, fault.recovery_s
                until = np.inf if ended is None or took is None else ended + took
                keep &= (at < fault.started_elapsed_s) | (at > until)
        asked, failed = (
            float(np.diff(self.load.counted[name].to_numpy(), prepend=0.0)[keep].sum())
            for name in ("requests", "failures")
        )
        return asked, failed

    def _cut_off(self) -> Iterator[Finding]:
        if self.run.outcome != ABORTED:
            return
        planned, lasted = self.load.planned_s, units.duration(round(self.load.duration_s, 1))
        of = "" if planned is None else f" of {units.duration(planned)}"
        if self.run.metadata.ended_at is None:
            reason = f"the run was cut off after {lasted}{of} of load: nobody lived to end it"
        elif planned is None and self.load.duration_s < ENOUGH_S:
            reason = f"the run was cut off after {lasted} of load"
        elif planned is not None and self.load.duration_s < ON_TIME * planned:
            reason = f"the run was cut off after {lasted}{of} of load{_told(self.run)}"
        else:
            return
        evidence = {"load_s": self.load.duration_s, "planned_s": planned}
        yield Finding(
            Kind.CUT_OFF, "run", Severity.UNKNOWN, reason, evidence, "let it run to its end"
        )

    def _cut_short(self) -> Iterator[Finding]:
        """A completed run whose requests.csv ends long before the load did."""
        planned = self.load.planned_s
        if (
            self.run.outcome == COMPLETED
            and planned
            and self.load.duration_s < LEAST_SAMPLED * planned
        ):
            reason = (
                f"requests were recorded for {units.duration(round(self.load.duration_s, 1))} "
                f"of the {units.duration(planned)} of load"
            )
            evidence = {"load_s": self.load.duration_s, "planned_s": planned}
            yield _untested("record", reason, evidence, "record the run again")

    # -- the process ---------------------------------------------------------------------------

    def _not_living(self) -> Iterator[Finding]:
        if len(self.lives.living):
            return
        reason = (
            f"none of {units.several(len(self.lives.rows), 'sample')} is of a living process: "
            "not one descriptor was open"
        )
        if not len(self.lives.rows):
            reason = "it was never sampled"
        evidence: Mapping[str, float | None] = {"samples": len(self.lives.rows)}
        yield _untested("process", reason, evidence, "check the process id")

    def _exhausted(self) -> Iterator[Finding]:
        """What ran out although no sample shows it."""
        if self.run.outcome == EXHAUSTED and self.verdict.exhausted is None:
            reason = f"the run ended because descriptors ran out{_told(self.run)}"
            yield Finding(Kind.EXHAUSTED, "fds", Severity.FAIL, reason)

    def _died(self) -> Iterator[Finding]:
        if self.lives.death_s is None and self.run.outcome != DIED:
            return
        told = self.run.metadata.raw.get("ended_because")
        if self.lives.exit is not None and _how(self.lives.exit.event):
            who = _named(self.lives.exit.event.target, self.run)
            after = units.duration(round(self.lives.exit.elapsed_s, 1))
            reason = f"{who} {_how(self.lives.exit.event)} after {after}"
        elif self.run.outcome == DIED and isinstance(told, str) and told:
            reason = told
        else:
            died_s = self.lives.death_s
            after = "" if died_s is None else units.duration(round(died_s, 1))
            reason = "the target ended by itself" + (f" after {after}" if after else "")
        evidence = {"elapsed_s": self.lives.death_s}
        remedy = "see why in target.log"
        yield Finding(Kind.DIED, "target", Severity.FAIL, reason, evidence, remedy)

    # -- the sampler and the brokers -----------------------------------------------------------

    def _not_sampled(self) -> Iterator[Finding]:
        ticks, end_s = self.lives.ticks, self.lives.end_s
        begin_s = max(self.load.begin_s, self.lives.place_s[0])
        span_s = end_s - begin_s - self.load.interrupted_s(begin_s, end_s)
        if not len(ticks) or span_s <= 0:
            return
        edges = [begin_s, *ticks[(ticks >= begin_s) & (ticks <= end_s)], end_s]
        between = np.diff(edges)
        sampled_s = float(between[between <= self.lives.longest_pause_s].sum())
        evidence: Mapping[str, float | None] = {"sampled_s": sampled_s, "load_s": span_s}
        remedy = "see why in sampler.log"
        if len(edges) == 2 or sampled_s < LEAST_SAMPLED * span_s:
            sampled_s = 0.0 if len(edges) == 2 else sampled_s
            reason = (
                f"samples cover {units.duration(round(sampled_s, 1))} "
                f"of the {units.duration(round(span_s, 1))} of load"
            )
            yield _untested("samples", reason, {**evidence, "sampled_s": sampled_s}, remedy)
        elif (lost := self._sampler_lost()) is not None:
            yield Finding(Kind.NOT_SAMPLED, "sampler", Severity.UNKNOWN, lost, evidence, remedy)

    def _sampler_lost(self) -> str | None:
        """What is to be said of a sampler that did not see all of the load; None of one that did.

        One that was started again has not seen what became of the target between its last sample
        and the first of the next one. What goes on with an agent's recording has lost nothing.
        """
        lasted = f"of {units.duration(round(self.load.duration_s, 1))} of load"
        begun = self.run.events_of(SamplerStarted)
        for lost in self.run.events_of(SamplerLost):
            later = [one for one in begun if one.elapsed_s >= lost.elapsed_s]
            if lost.elapsed_s >= self.lives.end_s or (later and later[0].event.source == AGENT):
                continue
            at = units.duration(round(lost.elapsed_s - self.load.begin_s, 1))
            why = f" ({lost.event.reason})" if lost.event.reason else ""
            back = ", and started again" if later else ""
            return f"the sampler was lost after {at} {lasted}{why}{back}"
        last_s = float(self.lives.ticks[-1])
        if self.lives.end_s - last_s <= self.lives.longest_pause_s:
            return None
        at = units.duration(round(last_s - self.load.begin_s, 1))
        return f"the last sample is from {at} {lasted}"

    def _disk_full(self) -> Iterator[Finding]:
        """A disk that had no room any more: what came after that was seen by nobody."""
        room = [recorded.elapsed_s for recorded in self.run.events_of(DiskHasRoom)]
        for full in self.run.events_of(DiskFull)[-1:]:
            if not any(at >= full.elapsed_s for at in room):
                at = units.duration(round(full.elapsed_s, 1))
                reason = f"the disk was full from {at} on: what came after is not recorded"
                evidence: Mapping[str, float | None] = {"elapsed_s": full.elapsed_s}
                remedy = "free some space, and let it run again"
                yield Finding(Kind.NOT_SAMPLED, "disk", Severity.UNKNOWN, reason, evidence, remedy)

    def _broken_s(self) -> list[float]:
        return [one.elapsed_s for one in self._brokers_lost]

    @cached_property
    def _brokers_lost(self) -> list[Recorded[BrokerDown]]:
        """The brokers that failed by themselves while there was a load."""
        last_s = self.load.last_s if len(self.load.counted) else np.inf
        downs = self.run.events_of(BrokerDown)
        return [one for one in downs if one.event.is_by_itself and one.elapsed_s <= last_s]

    def _broker_lost(self) -> Iterator[Finding]:
        for one in self._brokers_lost[:1]:
            which = f"broker {one.event.broker}" if one.event.broker else "a broker"
            why = f" ({one.event.reason})" if one.event.reason else ""
            after = units.duration(round(one.elapsed_s, 1))
            reason = f"{which} failed by itself after {after}{why}"
            evidence: Mapping[str, float | None] = {"elapsed_s": one.elapsed_s}
            remedy = "see why in broker.log"
            yield Finding(Kind.BROKER_LOST, which, Severity.UNKNOWN, reason, evidence, remedy)


def _untested(
    subject: str, reason: str, evidence: Mapping[str, float | None], remedy: str
) -> Finding:
    return Finding(Kind.NOT_A_TEST, subject, Severity.UNKNOWN, reason, evidence, remedy)


def _told(run: Run) -> str:
    """Why the run ended, as it says itself."""
    told = run.metadata.raw.get("ended_because")
    return f" ({told})" if isinstance(told, str) and told else ""


def _how(exited: TargetExited) -> str:
    if exited.signal:
        return f"was killed by {exited.signal}"
    return "" if exited.exit_code is None else f"exited with code {exited.exit_code}"


def _named(target: str | None, run: Run) -> str:
    several = len(run.metadata.targets) > 1
    return f"the target {target}" if several and target is not None else "the target"
