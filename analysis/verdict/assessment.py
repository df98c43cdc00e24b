"""What a run amounts to, in one place: every output and every exit code follows from it.

A verdict is about resources. An assessment holds it against what was asked for (thresholds, an
earlier run) and puts beside it what else happened, each as a finding with its reason. Whoever
reports renders findings, and decides nothing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tidemark.analysis import units
from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.baseline import ResourceChange, compare_verdicts
from tidemark.analysis.verdict.findings import ON_THE_RUN, Finding, Kind, Severity
from tidemark.analysis.verdict.judge import has_limit, judge
from tidemark.analysis.verdict.model import ResourceVerdict, Verdict
from tidemark.analysis.verdict.summary import Summary, conditions, environment, summarise
from tidemark.analysis.verdict.thresholds import (
    ThresholdCheck,
    check_route,
    check_threshold,
    find_route,
    of_routes,
)
from tidemark.analysis.verdict.validity import examine
from tidemark.record.metrics import metric

__all__ = [
    "Assessment",
    "Finding",
    "Kind",
    "Severity",
    "assess",
    "assess_directory",
    "comparison_exit_code",
    "weigh",
]


EXIT_CODES = {Severity.FAIL: 1, Severity.UNKNOWN: 3}
"""The exit code of a gate by its gravest finding; 0 for the others. Unusable input is 2."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Everything that there is to say of a run.

    Attributes:
        run: What was recorded.
        verdict: What was found on its resources.
        findings: What that amounts to, in the order in which it is told.
        summary: The run in one row.
        changes: How each resource differs from the baseline; empty without one.
    """

    run: Run
    verdict: Verdict
    findings: tuple[Finding, ...]
    summary: Summary
    changes: tuple[ResourceChange, ...] = ()

    @property
    def gravest(self) -> Severity:
        """The severity of the whole."""
        found = {finding.severity for finding in self.findings}
        return next((one for one in Severity if one in found), Severity.PASS)

    @property
    def exit_code(self) -> int:
        """0 pass, 1 a leak or a bound exceeded, 3 cannot tell."""
        return EXIT_CODES.get(self.gravest, 0)

    @property
    def deciding(self) -> list[Finding]:
        """The findings that the whole rests on; all that passed where nothing speaks against."""
        return [finding for finding in self.findings if finding.severity is self.gravest]

    @property
    def telling(self) -> list[Finding]:
        """The findings worth a line each: of a run that was no test, none on its resources."""
        if self.leading.kind is not Kind.NOT_A_TEST:
            return [one for one in self.findings if one.severity is not Severity.NOTE]
        return [one for one in self.findings if one.kind in ON_THE_RUN]

    @property
    def result(self) -> str:
        """The whole in a word or two: what a program reads."""
        leading = self.leading
        if self.gravest is Severity.FAIL or leading.kind is Kind.NOT_A_TEST:
            return leading.kind.value
        if self.gravest is Severity.UNKNOWN:
            return "cannot tell"
        return "clean" if self.verdict.verdict == "clean" else "pass"

    @property
    def claim(self) -> str:
        """The result as every output begins with it: what cannot be told is not called clean."""
        return self.result + (self._unsure if self.result == "clean" else "")

    @property
    def leading(self) -> Finding:
        """The finding to name first.

        That is what ran out or died; else what the verdict rests on, or has nothing to rest on;
        else, of several that decide, that on what runs out first.
        """
        deciding = self.deciding
        for kinds in ({Kind.EXHAUSTED}, {Kind.DIED}, {Kind.NOT_A_TEST}, ON_THE_RUN):
            for one in deciding:
                if one.kind in kinds:
                    return one
        first = headline.leading(self.verdict)
        named = [one for one in deciding if first and one.subject == first.resource]
        return (named or deciding)[0]

    @property
    def because(self) -> str:
        """The sentence that the result rests on."""
        is_whole = self.result == "clean" and not self._unsure
        return self.verdict.reason if is_whole else self.leading.reason

    @property
    def regressed(self) -> bool:
        """Whether a resource got worse since the baseline."""
        return any(
            finding.kind is Kind.REGRESSION and finding.severity is Severity.FAIL
            for finding in self.findings
        )

    @property
    def headline(self) -> str:
        """The finding in one line, the run's name before it."""
        return f"{self.run.strategy}: {self.statement}"

    @property
    def statement(self) -> str:
        """The finding in one line."""
        leading = self.leading
        if leading.kind is Kind.DIED:
            return leading.reason
        if leading.kind in ON_THE_RUN:
            return f"{self.result}: {leading.reason}"
        unsure = self._unsure if self.verdict.verdict == "clean" else ""
        return headline.statement(self.run, self.verdict) + unsure

    @property
    def _unsure(self) -> str:
        doubts = [one for one in self.findings if one.severity is Severity.DOUBT]
        return _but_for([one.phrase for one in doubts if one.kind is Kind.CANNOT_TELL])

    @property
    def reason(self) -> str:
        """Why, in a sentence; that of what cannot be told names each such resource."""
        if self.verdict.verdict == "inconclusive" and self.leading.kind not in ON_THE_RUN:
            return self.verdict.reason
        return self.because


def assess(
    run: Run,
    *,
    control: Run | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Run | None = None,
    baseline_anyway: bool = False,
) -> Assessment:
    """Assess a run.

    Args:
        run: The run.
        control: A run of the same load against a service known to be clean.
        thresholds: Growth per request that is allowed, by resource; such a resource passes or
            fails by its threshold in place of its verdict. Or by resource, "@" and route: where all
            routes that leak have one, those stand in place of the verdict, too.
        baseline: An earlier run: growth that got worse fails.
        baseline_anyway: Whether it is compared with even if it was not the same test.

    Raises:
        UnusableRunError: A run holds no sample of any process of the target.
    """
    warnings = []
    if control is not None and (why := _unfit(control, judge(control))):
        warnings.append(f"the control run is left out: {why}")
        control = None
    verdict, _ = examine(run, judge(run, control))
    changes: tuple[ResourceChange, ...] = ()
    unlike: list[Finding] = []
    if baseline is not None:
        then = judge(baseline)
        changes = compare_verdicts(verdict, then)
        unlike = list(_unlike(run, baseline, then, anyway=baseline_anyway))
        if unlike:
            changes = tuple(_not_compared(change) for change in changes)
        elif differing := _differing(run, baseline):
            warnings.append(f"not all is as in the baseline: {differing}")
    verdict = replace(verdict, warnings=(*verdict.warnings, *warnings))
    return weigh(run, verdict, thresholds or {}, changes, unlike)


def weigh(
    run: Run,
    verdict: Verdict,
    thresholds: Mapping[str, float] | None = None,
    changes: Sequence[ResourceChange] = (),
    unlike: Sequence[Finding] = (),
) -> Assessment:
    """Put together what there is to say of a run that has been judged.

    Args:
        run: The run.
        verdict: What was found on it.
        thresholds: As in `assess`.
        changes: How each resource differs from the baseline.
        unlike: Why it cannot be compared with the baseline.
    """
    summary = summarise(run, verdict)
    verdict, on_the_run = examine(run, verdict, summary.faults)
    verdict = _naming_doubts(verdict)
    findings = (
        *on_the_run,
        *unlike,
        *_on_resources(verdict, thresholds or {}),
        *(() if unlike else map(_on_change, changes)),
        *_on_messages(verdict),
        *_on_faults(summary),
    )
    return Assessment(run, verdict, findings, summary, tuple(changes))


def _naming_doubts(verdict: Verdict) -> Verdict:
    """The verdict with a reason that names what cannot be told beside what is clean."""
    resources = verdict.resources.values()
    doubts = [found.metric.phrase for found in resources if found.verdict == "inconclusive"]
    unsure = _but_for(doubts) if verdict.verdict == "clean" else ""
    if not unsure or verdict.reason.startswith("no resource leaks but"):
        return verdict
    clean = next((one.reason for one in verdict.resources.values() if one.verdict == "clean"), "")
    return replace(verdict, reason=f"no resource leaks{unsure}; {clean}")


def _but_for(phrases: Sequence[str]) -> str:
    """What is not known beside what is clean: of resources that have no limit to run into."""
    return f" but for {headline.listed(phrases)}, which cannot be told" if phrases else ""


def comparison_exit_code(assessed: Iterable[Assessment]) -> int:
    """1 if something got worse or died otherwise than by exhaustion, 3 if a run was no test.

    A leak does not count: a comparison is there to show it.
    """
    counts = [
        EXIT_CODES.get(finding.severity, 0)
        for one in assessed
        for finding in one.findings
        if finding.kind in ON_THE_RUN | {Kind.REGRESSION}
        and not (finding.kind is Kind.DIED and one.verdict.exhausted is not None)
    ]
    return next((code for code in EXIT_CODES.values() if code in counts), 0)


def _unfit(other: Run, verdict: Verdict) -> str:
    """Why nothing can be compared with another run; empty if it can."""
    _, findings = examine(other, verdict)
    return next((one.reason for one in findings if one.severity is Severity.UNKNOWN), "")


def _unlike(run: Run, baseline: Run, then: Verdict, *, anyway: bool) -> Iterator[Finding]:
    """Why growth since the baseline would say nothing about the service."""
    if why := _unfit(baseline, then):
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


def assess_directory(
    path: Path,
    *,
    control: Path | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Path | None = None,
    baseline_anyway: bool = False,
) -> Assessment:
    """The same of run directories.

    Raises:
        UnusableRunError: One cannot be read, or holds no sample of any process of the target.
    """
    return assess(
        load_run(path),
        control=None if control is None else load_run(control),
        thresholds=thresholds,
        baseline=None if baseline is None else load_run(baseline),
        baseline_anyway=baseline_anyway,
    )


def _on_resources(verdict: Verdict, thresholds: Mapping[str, float]) -> Iterator[Finding]:
    for name, found in verdict.resources.items():
        dead = verdict.exhausted is not None and verdict.exhausted.resource == name
        heading = found.metric.title if found.all_remotes else ""
        if name in thresholds:
            check = check_threshold(found, thresholds[name])
            on_threshold = _on_threshold(found, check, _growth(found))
            yield replace(on_threshold, heading=heading)
        routes = of_routes(thresholds, name)
        for asked, allowed in routes.items():
            yield replace(
                _on_route(found, asked, check_route(found, asked, allowed)), heading=heading
            )
        if dead or not (name in thresholds or _are_all(found, routes)):
            yield replace(_on_verdict(found, dead=dead), heading=heading)


def _are_all(found: ResourceVerdict, asked: Iterable[str]) -> bool:
    """Whether these are all routes that leak, and nothing else does."""
    held = {find_route(found, one) for one in asked}
    unheld = {one.verdict for name, one in found.routes.items() if name not in held}
    return found.verdict == "leak" and bool(held) and unheld <= {"excluded"}


_KINDS = {
    "leak": (Kind.LEAK, Severity.FAIL),
    "inconclusive": (Kind.CANNOT_TELL, Severity.UNKNOWN),
    "clean": (Kind.CLEAN, Severity.PASS),
}


def _on_verdict(found: ResourceVerdict, *, dead: bool) -> Finding:
    """What ran out fails whatever else is said; a doubt counts where there is a limit."""
    kind, severity = _KINDS[found.verdict]
    if dead:
        kind, severity = Kind.EXHAUSTED, Severity.FAIL
        if found.verdict != "leak":
            limit = "" if found.limit is None else f" of {units.count(found.limit)}"
            at = units.duration(found.exhaustion_elapsed_s)
            reason = f"{found.metric.title}: the limit{limit} was reached at {at}"
            return Finding(kind, found.resource, severity, reason, _growth(found))
    elif severity is Severity.UNKNOWN and not has_limit(found):
        severity = Severity.DOUBT
    return Finding(kind, found.resource, severity, headline.reason(found), _growth(found))


def _on_threshold(
    found: ResourceVerdict, check: ThresholdCheck, growth: Mapping[str, float | None]
) -> Finding:
    severity = {True: Severity.PASS, False: Severity.FAIL, None: Severity.UNKNOWN}[check.kept]
    evidence = {"allowed_per_request": check.allowed, **growth}
    return Finding(Kind.THRESHOLD, found.resource, severity, check.reason, evidence)


def _on_route(found: ResourceVerdict, asked: str, check: ThresholdCheck) -> Finding:
    name = find_route(found, asked)
    one = None if name is None else found.routes[name]
    interval = one.per_request_interval if one else None
    growth = {
        "per_request": one.per_request if one else None,
        "per_request_low": interval.low if interval else None,
        "per_request_high": interval.high if interval else None,
        "excluded_per_request": one.excluded_per_request if one else None,
    }
    return replace(_on_threshold(found, check, growth), route=name or asked)


def _growth(found: ResourceVerdict) -> dict[str, float | None]:
    interval = found.per_request_interval
    return {
        "per_request": found.per_request,
        "per_request_low": None if interval is None else interval.low,
        "per_request_high": None if interval is None else interval.high,
        "excluded_per_request": found.excluded_per_request,
        "per_hour": found.per_hour,
        "baseline": found.baseline,
        "last": found.last,
        "limit": found.limit,
    }


_CHANGES = {"worse": Severity.FAIL, "cannot tell": Severity.DOUBT}


def _on_change(change: ResourceChange) -> Finding:
    severity = _CHANGES.get(change.change, Severity.PASS)
    evidence = {"before": change.baseline, "now": change.current, "difference": change.difference}
    reason = f"{change.change}: {change.reason}"
    return Finding(Kind.REGRESSION, change.resource, severity, reason, evidence)


def _on_messages(verdict: Verdict) -> Iterator[Finding]:
    messages = verdict.messages
    if messages.lost:
        reason = (
            f"of {units.count(messages.accepted)} messages that were accepted, "
            f"{units.count(messages.lost)} never reached a broker"
        )
        evidence = {"accepted": messages.accepted, "lost": messages.lost}
        yield Finding(Kind.LOSS, "messages", Severity.NOTE, reason, evidence)


def _on_faults(summary: Summary) -> Iterator[Finding]:
    for fault in summary.faults:
        reason = f"{fault.state}: {fault.failed_because}" if fault.failed_because else fault.state
        evidence = {
            "failures": fault.failures,
            "recovery_s": fault.recovery_s,
            "fds_left": fault.fds_left,
            "connections_left": fault.connections_left,
        }
        yield Finding(Kind.FAULT, fault.fault, Severity.NOTE, reason, evidence)
