"""What a verdict rests on: answers, a living process, samples, and an end that was seen.

None of it rests on events alone: whoever should have written one may be gone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.faults import FaultEffect
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.model import Floats, Verdict
from tidemark.record.events import (
    BrokerDown,
    DiskFull,
    DiskHasRoom,
    LevelReached,
    Recorded,
    SamplerLost,
    SamplerStarted,
    TargetExited,
    TargetRestarted,
    TargetStarted,
    WorkerKilled,
)
from tidemark.record.layout import KERNEL_PID, REQUESTS
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
LONGEST_PAUSE = 5.0
"""Samples pause when the next one comes later than after so many of their intervals, ..."""
PAUSE_SHARE, PAUSE_S = 0.1, (1.0, 5.0)
"""... and later than after this share of the load's time, within these bounds."""
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

    def findings(self) -> Iterator[Finding]:
        """What speaks against believing the verdict, the gravest first."""
        yield from self._exhausted()
        yield from self._died()
        yield from self._not_living()
        if self.is_driven:
            yield from self._unanswered()
            if len(self.counted):
                yield from self._cut_off()
                yield from self._not_sampled()
                yield from self._cut_short()
        yield from self._disk_full()
        yield from self._broker_lost()

    # -- the load ------------------------------------------------------------------------------

    @cached_property
    def counted(self) -> pd.DataFrame:
        """requests.csv, rows without counts left out."""
        return self.run.counts

    @cached_property
    def is_driven(self) -> bool:
        """Whether a load was meant; a run that is only watched has no requests.csv."""
        return len(self.run.requests) > 0 or (self.run.path / REQUESTS.file).exists()

    @property
    def begin_s(self) -> float:
        """When the load began."""
        return float(self.counted["elapsed_s"].iloc[0])

    @property
    def end_s(self) -> float:
        """When the load ended, or the target with it."""
        last = min(float(self.counted["elapsed_s"].iloc[-1]), self._place_s[1])
        return last if self.death_s is None else min(last, self.death_s)

    @cached_property
    def _place_s(self) -> tuple[float, float]:
        """From when on a target was in another one's place, and until when it had its own.

        Replicas come and go; one that has a successor was not lost.
        """
        own, taken = set(self._rows["pid"]), (-np.inf, np.inf)
        if self.run.target is None:
            return taken
        for one in self.run.events_of(TargetRestarted):
            was, is_now = one.event.former_pid in own, one.event.pid in own
            if is_now and not was and one.event.former_pid is not None:
                taken = (max(taken[0], one.elapsed_s), taken[1])
            elif was and not is_now:
                taken = (taken[0], min(taken[1], one.elapsed_s))
        return taken

    @property
    def load_s(self) -> float:
        """For how long there was a load."""
        last_s = float(self.counted["elapsed_s"].iloc[-1])
        return last_s - self.begin_s - self._interrupted_s(self.begin_s, last_s)

    def _interrupted_s(self, begin_s: float, end_s: float) -> float:
        """How much of a span the run was not there: it was cut off, and gone on with later."""
        spans = self.run.interruptions
        return sum(max(min(end, end_s) - max(begin, begin_s), 0.0) for begin, end in spans)

    @property
    def planned_s(self) -> float | None:
        """How long the load was to last; None where nobody said.

        One that was to end at the level of a resource has lasted long enough where it did.
        """
        if (stopped := self.run.first(LevelReached)) and stopped.elapsed_s > self.begin_s:
            return stopped.elapsed_s - self.begin_s
        told = self.run.metadata.load.get("run_time_s")
        if isinstance(told, bool) or not isinstance(told, int | float) or not told > 0:
            return None
        return float(told)

    def _unanswered(self) -> Iterator[Finding]:
        requests, failures = (
            int(self.counted[name].iloc[-1]) if len(self.counted) else 0
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
        if not self.is_driven or not len(self.counted):
            return ""
        asked, failed = self._undisturbed()
        if not asked or not MOST_UNREMARKED < failed / asked <= 1 - LEAST_ANSWERED:
            return ""
        share = f"{units.count(round(failed))} of {units.several(round(asked), 'request')} failed"
        return f"{share}: what they leave behind when they succeed was not tested"

    def _undisturbed(self) -> tuple[float, float]:
        """Requests, and those of them that failed, while nothing was at work that lets them."""
        at = self.counted["elapsed_s"].to_numpy()
        keep = np.ones(len(at), dtype=bool)
        dead = self.verdict.exhausted
        ends = [dead.elapsed_s if dead else None, self.death_s, *self._broken_s()]
        for end in ends:
            keep &= at <= (np.inf if end is None else end)
        for fault in self.faults:
            if fault.started_elapsed_s is not None:
                ended, took = fault.ended_elapsed_s, fault.recovery_s
                until = np.inf if ended is None or took is None else ended + took
                keep &= (at < fault.started_elapsed_s) | (at > until)
        asked, failed = (
            float(np.diff(self.counted[name].to_numpy(), prepend=0.0)[keep].sum())
            for name in ("requests", "failures")
        )
        return asked, failed

    def _cut_off(self) -> Iterator[Finding]:
        if self.run.outcome != ABORTED:
            return
        planned, lasted = self.planned_s, units.duration(round(self.load_s, 1))
        of = "" if planned is None else f" of {units.duration(planned)}"
        if self.run.metadata.ended_at is None:
            reason = f"the run was cut off after {lasted}{of} of load: nobody lived to end it"
        elif planned is None and self.load_s < ENOUGH_S:
            reason = f"the run was cut off after {lasted} of load"
        elif planned is not None and self.load_s < ON_TIME * planned:
            reason = f"the run was cut off after {lasted}{of} of load{_told(self.run)}"
        else:
            return
        evidence = {"load_s": self.load_s, "planned_s": planned}
        yield Finding(
            Kind.CUT_OFF, "run", Severity.UNKNOWN, reason, evidence, "let it run to its end"
        )

    def _cut_short(self) -> Iterator[Finding]:
        """A completed run whose requests.csv ends long before the load did."""
        planned = self.planned_s
        if self.run.outcome == COMPLETED and planned and self.load_s < LEAST_SAMPLED * planned:
            reason = (
                f"requests were recorded for {units.duration(round(self.load_s, 1))} "
                f"of the {units.duration(planned)} of load"
            )
            evidence = {"load_s": self.load_s, "planned_s": planned}
            yield _untested("record", reason, evidence, "record the run again")

    # -- the process ---------------------------------------------------------------------------

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """samples.csv without what belongs to no process; `alive` is what a living one has."""
        rows = self.run.samples[self.run.samples["pid"] != KERNEL_PID]
        unread = rows["fds"].isna() & (rows["rss_bytes"] > 0)
        return rows.assign(alive=(rows["fds"] > 0) | unread)

    @cached_property
    def living(self) -> pd.DataFrame:
        """Those rows that are of a living process."""
        return self._rows[self._rows["alive"]]

    def _not_living(self) -> Iterator[Finding]:
        if len(self.living):
            return
        reason = (
            f"none of {units.several(len(self._rows), 'sample')} is of a living process: "
            "not one descriptor was open"
        )
        if not len(self._rows):
            reason = "it was never sampled"
        evidence: Mapping[str, float | None] = {"samples": len(self._rows)}
        yield _untested("process", reason, evidence, "check the process id")

    @cached_property
    def death_s(self) -> float | None:
        """When the target ended for good while it was driven; None where it did not."""
        return self._vanished_s if self._exit is None else self._exit.elapsed_s

    @cached_property
    def _exit(self) -> Recorded[TargetExited] | None:
        """The event that tells of it."""
        killed = {recorded.event.pid for recorded in self.run.events_of(WorkerKilled)}
        back = self.run.events_of(TargetRestarted)
        died = self.run.outcome == DIED
        last_s = -np.inf if self._others_until_s is None else self._others_until_s
        last_s = float(self.counted["elapsed_s"].iloc[-1]) if len(self.counted) else last_s
        found = [
            one
            for one in self.run.events_of(TargetExited)
            if (died or one.elapsed_s <= last_s)
            and (one.event.pid is None or one.event.pid not in killed)
            and not any(
                later.elapsed_s >= one.elapsed_s
                and (None in (which := {later.event.target, one.event.target}) or len(which) == 1)
                for later in back
            )
        ]
        return next(iter(found), None)

    @cached_property
    def _vanished_s(self) -> float | None:
        """When a target, or its root, was last seen, if the sampler saw others after that."""
        if not len(self.living):
            return None
        if len(self.counted) >= 2:
            begin_s, last_s = self.begin_s, float(self.counted["elapsed_s"].iloc[-1])
            seen_s = min(self.run.sampled_until_s, last_s)
        elif self._others_until_s is not None:
            begin_s, seen_s = -np.inf, self._others_until_s + self._longest_pause_s
        else:
            return None
        roots = {pid for target in self.run.metadata.targets for pid in target.pids}
        roots |= {recorded.event.pid or 0 for recorded in self.run.events_of(TargetStarted)}
        rows = self.living[["target", "pid", "elapsed_s"]]
        of_roots = rows[rows["pid"].isin(roots - {KERNEL_PID})]
        lasts = [
            *rows.groupby("target", observed=True)["elapsed_s"].max(),
            *of_roots.groupby(["target", "pid"], observed=True)["elapsed_s"].max(),
        ]
        pause_s = self._longest_pause_s
        back = [recorded.elapsed_s for recorded in self.run.events_of(TargetRestarted)]
        gone = [
            float(last)
            for last in lasts
            if begin_s < last < seen_s - pause_s and not any(at >= last for at in back)
        ]
        return min(gone, default=None)

    @cached_property
    def _others_until_s(self) -> float | None:
        """Until when others lived of several targets that nobody drives; None elsewhere.

        When all of them go at once somebody has ended them.
        """
        until = self.run.watched_until_s
        return None if until is None or self.is_driven else until - self._longest_pause_s

    def _exhausted(self) -> Iterator[Finding]:
        """What ran out although no sample shows it."""
        if self.run.outcome == EXHAUSTED and self.verdict.exhausted is None:
            reason = f"the run ended because descriptors ran out{_told(self.run)}"
            yield Finding(Kind.EXHAUSTED, "fds", Severity.FAIL, reason)

    def _died(self) -> Iterator[Finding]:
        if self.death_s is None and self.run.outcome != DIED:
            return
        told = self.run.metadata.raw.get("ended_because")
        if self._exit is not None and _how(self._exit.event):
            who = _named(self._exit.event.target, self.run)
            after = units.duration(round(self._exit.elapsed_s, 1))
            reason = f"{who} {_how(self._exit.event)} after {after}"
        elif self.run.outcome == DIED and isinstance(told, str) and told:
            reason = told
        else:
            after = "" if self.death_s is None else units.duration(round(self.death_s, 1))
            reason = "the target ended by itself" + (f" after {after}" if after else "")
        evidence = {"elapsed_s": self.death_s}
        remedy = "see why in target.log"
        yield Finding(Kind.DIED, "target", Severity.FAIL, reason, evidence, remedy)

    # -- the sampler and the brokers -----------------------------------------------------------

    @cached_property
    def _ticks(self) -> Floats:
        """When living processes were seen, in order and once each."""
        return np.unique(self.living["elapsed_s"].to_numpy(dtype=float))

    @cached_property
    def _longest_pause_s(self) -> float:
        """The longest time between two samples that is no pause."""
        between = np.diff(self._ticks)
        usual = float(np.median(between)) if len(between) else 0.0
        lasted_s = self.load_s if len(self.counted) else self.run.sampled_until_s
        return max(LONGEST_PAUSE * usual, float(np.clip(PAUSE_SHARE * lasted_s, *PAUSE_S)))

    def _not_sampled(self) -> Iterator[Finding]:
        begin_s = max(self.begin_s, self._place_s[0])
        span_s = self.end_s - begin_s - self._interrupted_s(begin_s, self.end_s)
        if not len(self.living) or span_s <= 0:
            return
        seen = self._ticks[(self._ticks >= begin_s) & (self._ticks <= self.end_s)]
        edges = [begin_s, *seen, self.end_s]
        between = np.diff(edges)
        sampled_s = float(between[between <= self._longest_pause_s].sum())
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
        lasted = f"of {units.duration(round(self.load_s, 1))} of load"
        begun = self.run.events_of(SamplerStarted)
        for lost in self.run.events_of(SamplerLost):
            later = [one for one in begun if one.elapsed_s >= lost.elapsed_s]
            if lost.elapsed_s >= self.end_s or (later and later[0].event.source == AGENT):
                continue
            at = units.duration(round(lost.elapsed_s - self.begin_s, 1))
            why = f" ({lost.event.reason})" if lost.event.reason else ""
            back = ", and started again" if later else ""
            return f"the sampler was lost after {at} {lasted}{why}{back}"
        last_s = float(self._ticks[-1])
        if self.end_s - last_s <= self._longest_pause_s:
            return None
        return f"the last sample is from {units.duration(round(last_s - self.begin_s, 1))} {lasted}"

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
        last_s = float(self.counted["elapsed_s"].iloc[-1]) if len(self.counted) else np.inf
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
