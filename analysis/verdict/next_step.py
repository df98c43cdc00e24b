"""What to do next about what a run amounts to, in one sentence, as every output says it."""

import math
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.culprits import ACCEPTED, LEAST_SHARE, names_of, phrase
from tidemark.analysis.verdict.evidence import OURS
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.analysis.verdict.target_result import foremost

MOST_NAMED = 3
"""So many names of what leaks, and of routes that do, are told."""
LONGEST_NAME = 60
LEAST_RISEN = 3
"""What there is no more of than that at the end of a run does not make up a leak."""
TIMES_FOR_A_BOUND = 2.0
STEPS_S = ((120.0, 10.0), (2 * units.HOUR_S, units.MINUTE_S), (math.inf, units.HOUR_S))
"""Up to so many seconds, a time to run for is rounded up to a multiple of the second figure."""


@dataclass(frozen=True, slots=True)
class NextStep:
    """What to do next.

    Attributes:
        text: A sentence without its full stop.
        command: What to type for it; None where nothing is known that would do.
    """

    text: str
    command: str | None = None

    @property
    def line(self) -> str:
        """Both, as one line of plain text."""
        return self.text if self.command is None else f"{self.text}: {self.command}"


def next_step(assessment: Assessment) -> NextStep:
    """What to do next: about the finding that is named first."""
    leading = assessment.leading
    if leading.kind is Kind.CUT_OFF and _may_go_on(assessment.run):
        return NextStep(
            "Let it go on from where it was cut off, with the locustfile that it had",
            f"locust -f locustfiles/ingest.py --headless --resume {_path(assessment.run)}",
        )
    if leading.kind in _REMEDIES:
        return NextStep(_REMEDIES[leading.kind].format(remedy=leading.remedy or "see why"))
    if assessment.gravest is Severity.FAIL:
        return _mend(assessment, leading)
    if assessment.gravest is Severity.UNKNOWN:
        return _run_longer(assessment)
    return NextStep(
        "Make it a gate in CI: it exits with 0 while nothing leaks and with 1 once something does",
        f"tidemark check {_path(assessment.run)}",
    )


def _path(run: Run) -> str:
    return shlex.quote(str(run.path))


def _may_go_on(run: Run) -> bool:
    """Whether `--resume` takes a run that was cut off (which it refuses: docs/reliability.md)."""
    raw = run.metadata.raw
    return isinstance(raw.get("resume"), dict) and not raw.get("generators")


_REMEDIES: Mapping[Kind, str] = {
    Kind.NOT_A_TEST: "This tested nothing yet: {remedy}, then run it again",
    Kind.DIED: "Find out why it ended: {remedy}, mend that, then run it again",
    Kind.CUT_OFF: "Run it again, and {remedy}",
    Kind.NOT_SAMPLED: "Part of it was seen by nobody: {remedy}, then run it again",
    Kind.BROKER_LOST: "Without its broker it tests nothing: {remedy}, then run it again",
    Kind.UNLIKE: "To compare it, {remedy}",
}
"""By what speaks against the run as a whole; what is missing is said by the finding itself."""


def _mend(assessment: Assessment, leading: Finding) -> NextStep:
    """Say what to look at in the service: the resource, the routes and the names that are known."""
    found = _resources(assessment, leading)
    worst = found.get(leading.subject)
    if worst is None:
        return NextStep(f"See to what failed: {leading.reason}")
    whose = _whose(worst, leading, assessment)
    if leading.kind is Kind.REGRESSION:
        changed = f"Look at what changed since the baseline in what {whose} does with"
        return NextStep(f"{changed} {_noun(worst)}")
    if worst.verdict != "leak":
        held = f"Look at what {whose} holds in {_noun(worst)} at its peak: hold less, or allow more"
        return NextStep(held)
    leaking = [one for one in found.values() if one is not worst and one.verdict == "leak"]
    things = _left_behind(worst, leaking, assessment.run)
    if not things:
        text, command = _ASKED[worst.resource]
        return NextStep(text.format(whose=whose), command)
    stay = f"{headline.listed(things)} stay behind"
    if things[0].startswith(ACCEPTED):
        who = f"Look at which clients of {whose} never hang up"
        return NextStep(f"{who}, and whether it closes idle connections: {stay}")
    each = "makes for a request" if worst.per_request is not None else "goes on making"
    return NextStep(f"Look at what {whose} {each} and never closes: {stay}")


def _resources(assessment: Assessment, leading: Finding) -> Mapping[str, ResourceVerdict]:
    """What was found on the resources, of several targets on those of the one it is about."""
    if not assessment.targets:
        return assessment.verdict.resources
    return foremost(assessment.targets, leading.target).resources


def _noun(found: ResourceVerdict) -> str:
    return found.metric.phrase


def _whose(found: ResourceVerdict, leading: Finding, assessment: Assessment) -> str:
    """Who does it: the routes that are known to, else the service, which of several if need be."""
    routes = [name for name, one in found.routes.items() if one.verdict == "leaks"]
    known = [units.shortened(name, LONGEST_NAME) for name in routes][:MOST_NAMED]
    several = len(found.routes) > 1
    whose = headline.listed(known) if known and several else "the service"
    target = leading.target if assessment.targets else None
    return whose if target is None else f"{whose} in {units.shortened(target, LONGEST_NAME)}"


def _left_behind(worst: ResourceVerdict, others: Iterable[ResourceVerdict], run: Run) -> list[str]:
    """Name what leaks: of the resource that the finding is about, and the most of each other."""
    named = _names(worst, run)[:MOST_NAMED]
    if not named:
        return []
    more = ((one.metric.plural, _names(one, run)[:1]) for one in others)
    return named + [f"{noun} {phrases[0]}" for noun, phrases in more if phrases]


def _names(found: ResourceVerdict, run: Run) -> list[str]:
    """What makes up the growth of a resource; of a short run, what there is more of at its end."""
    if found.culprits:
        return [culprit.phrase for culprit in found.culprits]
    risen: Counter[str] = Counter()
    for process in names_of(run, found.resource):
        for name, counts in process.counts.items():
            risen[name] += int(counts[-1] - counts[0])
    least = max(LEAST_SHARE * sum(value for value in risen.values() if value > 0), LEAST_RISEN)
    return [phrase(found.resource, name) for name, rise in risen.most_common() if rise >= least]


_ASKED: Mapping[str, tuple[str, str | None]] = {
    "fds": (
        "Look at what {whose} opens and never closes; while it runs, this names it",
        "ls -l /proc/PID/fd",
    ),
    "connections": (
        "Look at where {whose} connects and never closes; while it runs, this names both ends",
        "ss -tnp",
    ),
    "threads": (
        "Look at where {whose} starts threads that never end; while it runs, this names them",
        "ps -T -p PID",
    ),
    "rss_bytes": (
        "Look at what {whose} keeps of a request: compare two heap profiles, some minutes apart",
        None,
    ),
}
"""By resource, what to look at where no name is known of what grows, and what would name it."""


def _run_longer(assessment: Assessment) -> NextStep:
    """Say for how long to run until it can be told."""
    run, resources = assessment.run, assessment.verdict.resources
    unsure = [resources[one.subject] for one in assessment.deciding if one.subject in resources]
    known = (_needed_s(run, one) for one in unsure)
    needed = max((seconds for seconds in known if seconds is not None), default=None)
    titles = headline.listed(list(dict.fromkeys(_noun(one) for one in unsure)) or ["the rest"])
    if needed is None:
        return NextStep(f"See in the findings what keeps {titles} from being told, then run again")
    needed = rounded_up(needed)
    lasting = units.duration(needed)
    if run.metadata.raw.get("imported") is not None:
        return NextStep(f"To tell {titles}, import {lasting} or more")
    if not len(run.requests):
        return NextStep(f"To tell {titles}, watch it for {lasting} under a steady load")
    said, command = _command(run, needed)
    return NextStep(f"To tell {titles}, let the load last {lasting}{said}", command)


def _needed_s(run: Run, found: ResourceVerdict) -> float | None:
    """For how long to run; growth that is sure but may exceed a bound is told better by twice."""
    return TIMES_FOR_A_BOUND * run.duration_s if found.verdict == "leak" else found.run_for_s


def rounded_up(seconds: float) -> float:
    """A time to run for as one would type it."""
    step = next(step for most, step in STEPS_S if seconds <= most)
    return step * math.ceil(seconds / step)


def _command(run: Run, seconds: float) -> tuple[str, str]:
    """How to run it again for so long: the whole command where run.json tells it."""
    time = _typed(seconds)
    told = run.metadata.raw.get("target")
    target = told if isinstance(told, dict) else {}
    ours = OURS in str(target.get("command")) and run.metadata.strategy
    if not ours or not _is_told_by_its_rate(run):
        return ", with the command that you ran it with and", f"-t {time}"
    options = [f"--strategy {shlex.quote(str(run.metadata.strategy))}"]
    for option, value, written in (
        ("rate", run.metadata.load.get("rate"), "{:g}"),
        ("batch-size", run.metadata.load.get("batch_size"), "{:.0f}"),
        ("payload-bytes", run.metadata.load.get("payload_bytes"), "{:.0f}"),
        ("fds-limit", target.get("fds_limit"), "{:.0f}"),
        ("workers", target.get("workers"), "{:.0f}"),
    ):
        if isinstance(value, int | float) and not isinstance(value, bool):
            options.append(f"--{option} {written.format(value)}")
    whole = f"locust -f locustfiles/ingest.py --headless -t {time} {' '.join(options)}"
    return "", whole


def _is_told_by_its_rate(run: Run) -> bool:
    """Whether one Locust process sent a constant rate, so that no other option made the load."""
    load = run.metadata.load
    return (
        not run.metadata.raw.get("generators")
        and load.get("workload", "open") == "open"
        and load.get("shape", "constant") == "constant"
        and not load.get("ramp_s")
    )


def _typed(seconds: float) -> str:
    """A span of time as an option takes it: 90s, 10m, 1h30m."""
    whole = round(seconds)
    parts = ((whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s"))
    return "".join(f"{value}{unit}" for value, unit in parts if value)
