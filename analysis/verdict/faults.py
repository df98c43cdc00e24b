"""What each fault that was injected into a run did, and what it left behind.

A fault is over when whoever injected it says so; its effect is over when the service has
recovered, which takes longer: clients reconnect with pauses, and requests that were on their
way fail when their time is up.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.model import Floats, Verdict
from tidemark.record.events import (
    BrokerDown,
    Event,
    FaultEnded,
    FaultFailed,
    FaultStarted,
    Recorded,
    TargetExited,
    TargetRestarted,
    WorkerKilled,
)
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metadata import EXHAUSTED
from tidemark.record.metrics import metric

LEVEL_S = 3.0
"""A level is the median over so many seconds."""
SETTLE_S = 15.0
"""What is left behind is measured at most so long after the recovery: librdkafka waits up to
10 s between attempts to reconnect (`reconnect.backoff.max.ms`), and what it dropped has to go."""
QUIET_S = 5.0
"""So long none may fail where run.json does not say how long a request may take."""
LEAST_QUIET_S = 2.0
"""So long at least where the run, or what is known of the fault, ends before."""
TARGET_KILL = "target-kill"

State = Literal["recovered", "not recovered", "cut short", "failed", "not begun"]


@dataclass(frozen=True, slots=True)
class FaultEffect:
    """One fault and its effect. None is what cannot be told.

    Its effect is looked for until the next fault begins, the target dies or the load ends.

    Attributes:
        fault: As it was asked for: `outage@20+10`.
        kind: What was done: `broker-kill`, `broker-freeze`, `outage` or `target-kill`.
        started_elapsed_s: Seconds since the run began; None for a fault whose time never came.
        ended_elapsed_s: When it was over; None where the run ended first, or where it failed.
        failures: Requests that failed from its start until the recovery, or for as long as its
            effect was looked for where there was none. Cumulative counts are interpolated within
            a tick, and a part of a request counts as one. A request fails when its time is up,
            so some that a fault let fail are counted after the next one's start.
        recovery_s: Seconds from its end to the first answered request after which none fails
            for as long as a request may take (or until the end of what was recorded, if that
            leaves two seconds). 0 where nothing failed and the answer came no later than answers
            before the fault did.
        fds_left: Descriptors of all processes after the recovery minus those before the fault.
            Medians over three seconds, the later ones 15 seconds after the recovery or sooner
            where that is not to be had. Of a service that leaks, what its growth per request
            predicts for the requests in between is taken off, so that only what the fault left
            behind counts, as far as the growth is known.
        connections_left: The same of connections to the brokers that the processes hold.
        workers_restarted: Processes that went and were replaced; None for the kinds that do not
            kill any, unless some were.
        failed_because: Why it could not be injected, or not be ended; None when it could.
    """

    fault: str
    kind: str
    started_elapsed_s: float | None
    ended_elapsed_s: float | None
    failures: int | None = None
    recovery_s: float | None = None
    fds_left: float | None = None
    connections_left: float | None = None
    workers_restarted: int | None = None
    failed_because: str | None = None

    @property
    def state(self) -> State:
        """How it went."""
        if self.failed_because is not None:
            return "failed"
        if self.started_elapsed_s is None:
            return "not begun"
        if self.ended_elapsed_s is None:
            return "cut short"
        return "not recovered" if self.recovery_s is None else "recovered"

    @property
    def recovery_text(self) -> str:
        """The time to recover as it stands in a table; a word where there is none."""
        if self.recovery_s is not None:
            return units.duration(round(self.recovery_s, 1))
        if self.state != "not recovered":
            return self.state
        return units.UNKNOWN if self.failures is None else "not seen"


def left_text(value: float | None) -> str:
    """Return what was left behind with its sign: +48, -3, 0; a dash where it is unknown."""
    if value is None:
        return units.UNKNOWN
    whole = round(value)
    return f"{whole:+,d}" if whole else "0"


def fault_effects(run: Run, verdict: Verdict) -> tuple[FaultEffect, ...]:
    """Return the faults of a run in order of time, with their effects.

    Those whose time never came are at the end; run.json names them.
    """
    happened = injected(run.events)
    starts = [fault.started_elapsed_s for fault in happened]
    found = []
    for place, fault in enumerate(happened):
        later = [at for at in starts[place + 1 :] if at is not None]
        found.append(_with_effect(fault, run, verdict, min(later, default=math.inf)))
    return (*found, *_never_began(run, happened))


def injected(events: Sequence[Recorded[Event]]) -> list[FaultEffect]:
    """Return the faults that events tell of, without their effects, in order of time.

    They do not overlap: one that begins ends the one before.
    """
    found: list[FaultEffect] = []
    is_open = False
    for recorded in events:
        event = recorded.event
        if not isinstance(event, FaultStarted | FaultEnded | FaultFailed):
            continue
        text, at, started = event.fault or "", recorded.elapsed_s, isinstance(event, FaultStarted)
        reason = (event.reason or "") if isinstance(event, FaultFailed) else None
        belongs = is_open and found[-1].fault == text
        if started or (not belongs and reason is not None):
            kind = text.partition("@")[0]
            found.append(FaultEffect(text, kind, at, None, failed_because=reason))
        elif belongs:
            ended = at if reason is None else None
            found[-1] = replace(found[-1], ended_elapsed_s=ended, failed_because=reason)
        is_open = started
    return found


def _never_began(run: Run, happened: Sequence[FaultEffect]) -> list[FaultEffect]:
    planned = run.metadata.raw.get("faults")
    texts = [text for text in planned if isinstance(text, str)] if isinstance(planned, list) else []
    for fault in happened:
        if fault.fault in texts:
            texts.remove(fault.fault)
    return [FaultEffect(text, text.partition("@")[0], None, None) for text in texts]


@dataclass(frozen=True, slots=True)
class _Counts:
    """requests.csv as cumulative counts, rows without figures left out; all of one shape."""

    elapsed_s: Floats
    finished: Floats
    failed: Floats

    @property
    def answered(self) -> Floats:
        return self.finished - self.failed

    def failures_between(self, start_s: float, end_s: float) -> int:
        count = np.diff(np.interp([start_s, end_s], self.elapsed_s, self.failed))[0]
        return math.ceil(round(float(count), 6))

    def rising(self, counts: Floats) -> Floats:
        """The times of the ticks in which a count rose."""
        return self.elapsed_s[1:][np.diff(counts) > 0]

    def first_answer_s(self, after_s: float) -> float | None:
        """When the count of answers, a straight line within a tick, is the next whole number."""
        have = np.interp(after_s, self.elapsed_s, self.answered)
        wanted = math.floor(have + 1e-6) + 1
        row = int(np.searchsorted(self.answered, wanted))
        if row >= len(self.elapsed_s):
            return None
        pair = slice(max(row - 1, 0), row + 1)
        return float(np.interp(wanted, self.answered[pair], self.elapsed_s[pair]))


def _counts(run: Run) -> _Counts | None:
    table = run.counts
    if len(table) < 2:
        return None
    return _Counts(*(table[name].to_numpy(dtype=float) for name in table.columns))


def _with_effect(fault: FaultEffect, run: Run, verdict: Verdict, next_s: float) -> FaultEffect:
    counts, start = _counts(run), fault.started_elapsed_s
    if counts is None or start is None:
        return fault
    did = [one.elapsed_s for one in run.events if isinstance(one.event, BrokerDown | WorkerKilled)]
    if fault.failed_because is not None and not any(start <= at < next_s for at in did):
        return fault  # it failed before it did anything
    load_end, ended = float(counts.elapsed_s[-1]), fault.ended_elapsed_s
    until = min(next_s, _death_s(run, verdict), load_end)
    if until <= start:
        return fault
    if ended is not None and ended >= load_end:
        ended = None  # brokers are brought back when a run ends: that cut this one short
    recovered = None if ended is None else _recovered_s(counts, ended, until, _quiet_s(run))
    failures = counts.failures_between(start, until if recovered is None else recovered)
    found = replace(
        fault,
        ended_elapsed_s=ended,
        failures=failures,
        workers_restarted=_workers_restarted(run, fault.kind, start, until),
    )
    if recovered is None or ended is None:
        return found
    at_once = not failures and recovered - ended <= _usual_pause_s(counts, start)
    moments = (start, recovered, until)
    return replace(
        found,
        recovery_s=0.0 if at_once else recovered - ended,
        fds_left=_left(run, verdict, counts, "fds", moments),
        connections_left=_left(run, verdict, counts, "connections", moments),
    )


def _death_s(run: Run, verdict: Verdict) -> float:
    """When the target died for good; infinite where it did not.

    Of several workers, those that have not run out of anything may go on answering.
    """
    exited = [recorded.elapsed_s for recorded in run.events_of(TargetExited)]
    back = [recorded.elapsed_s for recorded in run.events_of(TargetRestarted)]
    gone = [at for at in exited[-1:] if not any(later >= at for later in back)]
    dead = verdict.exhausted
    if dead is not None and (run.outcome == EXHAUSTED or not headline.lived_on(run, dead)):
        gone.append(dead.elapsed_s)
    return min(gone, default=math.inf)


def _quiet_s(run: Run) -> float:
    """How long none may fail after a recovery: requests sent before it fail as late as that."""
    timeout = run.metadata.load.get("request_timeout_s")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        return QUIET_S
    return float(timeout)


def _recovered_s(counts: _Counts, ended_s: float, until_s: float, quiet_s: float) -> float | None:
    """The first answer after the fault, or after a failure, that enough time without one follows.

    A tick without requests says nothing either way; a tick in which some failed is no recovery.
    """
    bad = counts.rising(counts.failed)
    bad = bad[(bad > ended_s) & (bad <= until_s)]
    for place, begin in enumerate([ended_s, *bad]):
        answer = counts.first_answer_s(float(begin))
        if answer is None or answer > until_s:
            return None
        next_bad = float(bad[place]) if place < len(bad) else math.inf
        wanted = quiet_s if math.isfinite(next_bad) else min(quiet_s, LEAST_QUIET_S)
        if min(next_bad, until_s) - answer >= wanted:
            return max(answer, ended_s)
    return None


def _usual_pause_s(counts: _Counts, start_s: float) -> float:
    """The longest time between ticks with answers before a fault."""
    answers = counts.rising(counts.answered)
    return float(np.diff(answers[answers <= start_s]).max(initial=0.0))


def _left(
    run: Run, verdict: Verdict, counts: _Counts, resource: str, moments: tuple[float, float, float]
) -> float | None:
    """The level after the recovery minus that before the start, without growth by requests.

    Args:
        run: The run.
        verdict: What was found on it.
        counts: Its requests.
        resource: `fds` or `connections`.
        moments: The fault's start, its recovery, and until when its effect is looked for.
    """
    start, recovered, until = moments
    judged = verdict.resources.get(resource)
    leaks = judged is not None and judged.verdict == "leak"
    per_request = (judged.per_request if judged and leaks else None) or 0.0
    end = min(until, recovered + SETTLE_S)
    windows = ((start - LEVEL_S, start), (max(recovered, end - LEVEL_S), end))
    before, after = (_level(run, resource, counts, per_request, window) for window in windows)
    return None if before is None or after is None else after - before


def _level(
    run: Run, resource: str, counts: _Counts, per_request: float, window: tuple[float, float]
) -> float | None:
    """The median over a window of what all processes hold, less growth by requests.

    Ticks at which no process could be read are left out.
    """
    samples = run.samples
    inside = samples["elapsed_s"].between(*window) & (samples["pid"] != KERNEL_PID)
    rows = samples.loc[inside, list(metric(resource).columns)].sum(axis=1, min_count=1)
    held = rows.groupby(samples.loc[inside, "elapsed_s"]).sum(min_count=1).dropna()
    if not len(held):
        return None
    at = held.index.to_numpy(dtype=float)
    grown = per_request * np.interp(at, counts.elapsed_s, counts.finished)
    return float(np.median(held.to_numpy(dtype=float) - grown))


def _workers_restarted(run: Run, kind: str, start_s: float, until_s: float) -> int | None:
    samples = run.samples[run.samples["pid"] != KERNEL_PID]
    seen = samples.groupby("pid")["elapsed_s"].agg(["min", "max"])
    gone = (seen["min"] <= start_s) & (seen["max"] >= start_s - LEVEL_S) & (seen["max"] < until_s)
    # A process that lasts until the end of the samples has not gone, however soon after they end.
    gone &= seen["max"] < float(samples["elapsed_s"].max())
    new = (seen["min"] > start_s) & (seen["min"] <= until_s)
    replaced = int(min(gone.sum(), new.sum()))
    return replaced if replaced or kind == TARGET_KILL else None
