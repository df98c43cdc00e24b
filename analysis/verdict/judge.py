"""The verdict on a run: what leaks, how fast, and when the run dies of it."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.culprits import names_of
from tidemark.analysis.verdict.latency import overall_latency
from tidemark.analysis.verdict.limits import read_limits
from tidemark.analysis.verdict.model import (
    LOCAL_PORTS,
    Decision,
    LocalPorts,
    Messages,
    ResourceVerdict,
    Verdict,
    is_far,
)
from tidemark.analysis.verdict.ports import NEAR, judge_ports
from tidemark.analysis.verdict.resource import Subject, judge_resource
from tidemark.analysis.verdict.route_counts import read_routes
from tidemark.analysis.verdict.series import bin_run
from tidemark.analysis.verdict.successors import joined
from tidemark.analysis.verdict.unnamed import find_unnamed, warnings_on
from tidemark.analysis.verdict.window import Window, find_window
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import GeneratorSaturated, WorkerLost
from tidemark.record.layout import SAMPLES
from tidemark.record.metrics import RESOURCES, TCP_STATES


def judge(run: Run, control: Run | None = None) -> Verdict:
    """Judge a run.

    Args:
        run: The run.
        control: A run of the same load against a service known to be clean: growth is then
            judged by what it is beyond the control's.

    Raises:
        UnusableRunError: A run holds no sample of any process of the target.
    """
    subject = _subject(run)
    other = None if control is None else _subject(control)
    found = {name: judge_resource(name, subject, other) for name in RESOURCES}
    ports = judge_ports(run, subject.window, subject.limits)
    decision, first = _overall(found), _first_to_exhaust(found, ports, subject.window)
    return Verdict(
        run=run.name,
        verdict=decision,
        reason=_reason(decision, found, first),
        resources=found,
        first_to_exhaust=first,
        exhausted=subject.window.death,
        messages=messages(run),
        local_ports=ports,
        warnings=tuple(_warnings(run, subject, other, ports)),
    )


def _subject(run: Run) -> Subject:
    bins, found = bin_run(run)
    processes = joined(found, run.interruptions)
    if not processes:
        raise UnusableRunError(
            run.path / SAMPLES.file,
            "holds no sample of a process",
            "check that the target was alive and that its process id is right",
        )
    window = find_window(run, bins, processes)
    brokers, never_seen = run.metadata.brokers, _never_seen(run)
    anywhere = run.counts_all_remotes
    return Subject(
        window,
        processes,
        read_limits(run),
        brokers,
        never_seen and not anywhere,
        run.metadata.strategy,
        read_routes(run),
        partial(names_of, run),
        anywhere,
    )


def _never_seen(run: Run) -> bool:
    """Whether connections were looked for and none was there in any state, of nobody."""
    states = run.samples[list(TCP_STATES)].to_numpy()
    return bool(np.isfinite(states).any() and not np.nansum(states))


def _overall(found: Mapping[str, ResourceVerdict]) -> Decision:
    """`leak` if any resource leaks, `inconclusive` if one that has a limit cannot be told."""
    decisions = {name: resource.verdict for name, resource in found.items()}
    if "leak" in decisions.values():
        return "leak"
    doubtful = [name for name, decision in decisions.items() if decision == "inconclusive"]
    return "inconclusive" if any(has_limit(found[name]) for name in doubtful) else "clean"


def has_limit(found: ResourceVerdict) -> bool:
    """Whether there is a limit to run into: doubts about such a resource count."""
    limit = found.metric.limit
    return found.limit is not None or (limit is not None and limit.always)


def _reason(decision: Decision, found: Mapping[str, ResourceVerdict], first: str | None) -> str:
    """The sentence of the resource that the decision rests on first, and what it rests on else."""
    if decision == "clean":
        clean = [resource for resource in found.values() if resource.verdict == "clean"]
        return "no resource leaks; " + (clean[0].reason if clean else "")
    named = [
        resource
        for resource in found.values()
        if resource.verdict == decision and (decision == "leak" or has_limit(resource))
    ]
    named.sort(key=lambda resource: resource.resource != first)
    others = " and ".join(resource.metric.phrase for resource in named[1:])
    also = "; likewise " + others if others else ""
    return named[0].reason + also


def _first_to_exhaust(
    found: Mapping[str, ResourceVerdict], ports: tuple[LocalPorts, ...], window: Window
) -> str | None:
    if window.death is not None:
        return window.death.resource
    times = {
        name: resource.forecast.elapsed_s
        for name, resource in found.items()
        if resource.forecast is not None and not resource.forecast.is_far
    }
    ends = [p.exhaustion_elapsed_s for p in ports if p.exhaustion_elapsed_s is not None]
    used_up = [at for at in ends if not is_far(at, window.end_s)]
    if used_up:
        times[LOCAL_PORTS] = min(used_up)
    return min(times, key=lambda name: times[name]) if times else None


def messages(run: Run) -> Messages:
    """What run.json says became of the messages; else what requests.csv counts as accepted."""
    told = run.metadata.raw.get("messages")
    counts = told if isinstance(told, dict) else {}
    accepted = _count(counts.get("accepted"))
    if accepted is None and len(run.requests):
        known = run.requests["messages_accepted"].dropna()
        accepted = int(known.iloc[-1]) if len(known) else None
    return Messages(
        accepted,
        *(_count(counts.get(name)) for name in ("delivered", "lost", "duplicated", "undecided")),
    )


def _saturated(events: Sequence[GeneratorSaturated]) -> str:
    """What the events say together: the most that they tell of."""
    late_s = max((one.lateness_s for one in events if one.lateness_s is not None), default=None)
    used = max((one.cpu_percent for one in events if one.cpu_percent is not None), default=None)
    signs = [] if late_s is None else [f"requests left up to {late_s:.2g} s late"]
    signs += [] if used is None else [f"it used {used:.0f} % of a processor, and can use but one"]
    return ": ".join(["the load generator was saturated", *([", ".join(signs)] if signs else [])])


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _warnings(
    run: Run, subject: Subject, control: Subject | None, ports: tuple[LocalPorts, ...]
) -> list[str]:
    found = []
    if run.outcome == "aborted":
        found.append("the run was aborted: its figures end where it was cut off")
    if not subject.window.per_request:
        found.append("requests were not recorded (or fewer than 10): growth is per hour")
    if subject.window.load.varies:
        found.append("the load varied: growth is what the load does not explain")
    if saturated := [recorded.event for recorded in run.events_of(GeneratorSaturated)]:
        found.append(_saturated(saturated))
    if late := overall_latency(run).warning:
        found.append(late)
    if run.first(WorkerLost):
        found.append("the load generator lost a worker: some of what it had to send is missing")
    if control is not None and control.window.per_request != subject.window.per_request:
        found.append("the control run counts growth in another unit: compare like with like")
    found += warnings_on(find_unnamed(run, subject.window), subject.window)
    found += [
        f"local ports toward {p.endpoint}: {p.reason}"
        for p in ports
        if p.available and p.used > NEAR * p.available
    ]
    return found
