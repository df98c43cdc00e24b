"""The assessment of what is one target, or of a run as if it were one."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from tidemark.analysis.run import Run
from tidemark.analysis.verdict.baseline import ResourceChange, compare_verdicts
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.judge import judge, messages
from tidemark.analysis.verdict.model import ResourceVerdict, Verdict
from tidemark.analysis.verdict.summary import conditions, environment
from tidemark.analysis.verdict.validity import examine
from tidemark.analysis.verdict.weighing import Assessment, weigh
from tidemark.record.layout import KERNEL_PID
from tidemark.record.metrics import RESOURCES, metric


def assess_one(
    run: Run,
    *,
    control: Run | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Run | None = None,
    then: Verdict | None = None,
    baseline_anyway: bool = False,
) -> Assessment:
    """Assess a run, all of whose processes are taken together.

    Args:
        run: The run.
        control: A run of the same load against a service known to be clean.
        thresholds: Growth per request that is allowed, by resource; such a resource passes or
            fails by its threshold in place of its verdict. Or by resource, "@" and route: where all
            routes that leak have one, those stand in place of the verdict, too.
        baseline: An earlier run: growth that got worse fails.
        then: What was found on it, where that is known already.
        baseline_anyway: Whether it is compared with even if it was not the same test.

    Raises:
        UnusableRunError: A run holds no sample of any process of the target.
    """
    warnings = []
    if control is not None and (why := unfit(control, judge_one(control))):
        warnings.append(f"the control run is left out: {why}")
        control = None
    verdict, _ = examine(run, judge_one(run, control))
    changes: tuple[ResourceChange, ...] = ()
    unlike: list[Finding] = []
    if baseline is not None:
        then = then or judge_one(baseline)
        changes, unlike = compare(run, verdict, baseline, then, anyway=baseline_anyway)
        if not unlike and (differing := _differing(run, baseline)):
            warnings.append(f"not all is as in the baseline: {differing}")
    verdict = replace(verdict, warnings=(*verdict.warnings, *warnings))
    return weigh(run, verdict, thresholds or {}, changes, unlike)


def judge_one(run: Run, control: Run | None = None) -> Verdict:
    """The verdict on a run; that on a target that was never sampled is known without a look.

    Raises:
        UnusableRunError: A run that has no other targets holds no sample of any process.
    """
    if run.target is None or bool((run.samples["pid"] != KERNEL_PID).any()):
        return judge(run, control)
    reason = "not judged, because it was never sampled"
    found = {
        name: ResourceVerdict(name, "inconclusive", f"{metric(name).phrase}: {reason}")
        for name in RESOURCES
    }
    return Verdict(run.name, "inconclusive", found["fds"].reason, found, messages=messages(run))


def compare(
    run: Run, verdict: Verdict, baseline: Run, then: Verdict, *, anyway: bool
) -> tuple[tuple[ResourceChange, ...], list[Finding]]:
    """What changed since the baseline, and why that says nothing if it does not."""
    changes = compare_verdicts(verdict, then)
    unlike = list(_unlike(run, baseline, then, anyway=anyway))
    return (tuple(map(_not_compared, changes)) if unlike else changes), unlike


def unfit(other: Run, verdict: Verdict) -> str:
    """Why nothing can be compared with another run; empty if it can."""
    _, findings = examine(other, verdict)
    return next((one.reason for one in findings if one.severity is Severity.UNKNOWN), "")


def _unlike(run: Run, baseline: Run, then: Verdict, *, anyway: bool) -> Iterator[Finding]:
    """Why growth since the baseline would say nothing about the service."""
    if why := unfit(baseline, then):
        remedy = "name another run with --baseline"
        reason = f"the baseline cannot be compared with: {why}"
        yield Finding(Kind.UNLIKE, "baseline", Severity.UNKNOWN, reason, remedy=remedy)
    elif (differing := conditions([baseline, run])) and not anyway:
        reason = f"the baseline was not the same test: {'; '.join(differing)}"
        remedy = "record it anew, or compare all the same with --baseline-anyway"
        yield Finding(Kind.UNLIKE, "baseline", Severity.UNKNOWN, reason, remedy=remedy)


def _differing(run: Run, baseline: Run) -> str:
    return "; ".join([*conditions([baseline, run]), *environment([baseline, run])])


def _not_compared(change: ResourceChange) -> ResourceChange:
    reason = f"{metric(change.resource).phrase}: not compared"
    return replace(change, change="cannot tell", reason=reason)
