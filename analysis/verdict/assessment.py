"""What a run amounts to, in one place: every output and every exit code follows from it.

A verdict is about resources. An assessment holds it against what was asked for (thresholds, an
earlier run) and puts beside it what else happened, each as a finding with its reason. Whoever
reports renders findings, and decides nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tidemark.analysis import units
from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.baseline import ResourceChange, compare_verdicts
from tidemark.analysis.verdict.judge import has_limit, judge
from tidemark.analysis.verdict.model import ResourceVerdict, Verdict
from tidemark.analysis.verdict.summary import Summary, summarise
from tidemark.analysis.verdict.thresholds import check_threshold
from tidemark.record.metrics import metric


class Severity(Enum):
    """What a finding means for the whole, the gravest first.

    A doubt is about something that has no limit to run into, and does not count; a note says
    what happened and judges nothing.
    """

    FAIL = "fail"
    UNKNOWN = "cannot tell"
    PASS = "pass"  # noqa: S105 - no password
    DOUBT = "doubt"
    NOTE = "note"


class Kind(Enum):
    """What a finding is about."""

    LEAK = "leak"
    EXHAUSTED = "exhausted"
    CANNOT_TELL = "cannot tell"
    CLEAN = "clean"
    THRESHOLD = "threshold"
    REGRESSION = "regression"
    LOSS = "loss"
    FAULT = "fault"


EXIT_CODES = {Severity.FAIL: 1, Severity.UNKNOWN: 3}
"""The exit code of a gate by its gravest finding; 0 for the others. Unusable input is 2."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    Attributes:
        kind: What it is about.
        subject: The resource, fault or whatever else it was found on.
        severity: What it means for the whole.
        reason: A sentence that can be checked against the picture.
        evidence: The figures that it rests on, by name; None is unknown.
        remedy: What to do about it; empty where nothing has to be done.
    """

    kind: Kind
    subject: str
    severity: Severity
    reason: str
    evidence: Mapping[str, float | None] = field(default_factory=dict)
    remedy: str = ""

    @property
    def title(self) -> str:
        """The subject as a reader knows it."""
        return metric(self.subject).title if self.kind in _ON_RESOURCES else self.subject


_ON_RESOURCES = frozenset(
    {Kind.LEAK, Kind.EXHAUSTED, Kind.CANNOT_TELL, Kind.CLEAN, Kind.THRESHOLD, Kind.REGRESSION}
)


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
    def result(self) -> str:
        """The whole in a word or two, as every output begins with it."""
        if self.gravest is Severity.FAIL:
            return self.leading.kind.value
        if self.gravest is Severity.UNKNOWN:
            return "cannot tell"
        return "clean" if self.verdict.verdict == "clean" else "pass"

    @property
    def leading(self) -> Finding:
        """The finding to name first: of several that decide, that on what runs out first."""
        first = headline.leading(self.verdict)
        named = [one for one in self.deciding if first and one.subject == first.resource]
        return (named or self.deciding)[0]

    @property
    def because(self) -> str:
        """The sentence that the result rests on."""
        return self.verdict.reason if self.result == "clean" else self.leading.reason

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
        return headline.headline(self.run, self.verdict)

    @property
    def reason(self) -> str:
        """Why, in a sentence."""
        return headline.main_reason(self.verdict)


def assess(
    run: Run,
    *,
    control: Run | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Run | None = None,
) -> Assessment:
    """Assess a run.

    Args:
        run: The run.
        control: A run of the same load against a service known to be clean.
        thresholds: Growth per request that is allowed, by resource; such a resource passes or
            fails by its threshold in place of its verdict.
        baseline: An earlier run: growth that got worse fails.

    Raises:
        UnusableRunError: A run holds no sample of any process of the target.
    """
    verdict = judge(run, control)
    changes = () if baseline is None else compare_verdicts(verdict, judge(baseline))
    return weigh(run, verdict, thresholds or {}, changes)


def weigh(
    run: Run,
    verdict: Verdict,
    thresholds: Mapping[str, float] | None = None,
    changes: Sequence[ResourceChange] = (),
) -> Assessment:
    """Put together what there is to say of a run that has been judged.

    Args:
        run: The run.
        verdict: What was found on it.
        thresholds: As in `assess`.
        changes: How each resource differs from the baseline.
    """
    summary = summarise(run, verdict)
    findings = (
        *_on_resources(verdict, thresholds or {}),
        *map(_on_change, changes),
        *_on_messages(verdict),
        *_on_faults(summary),
    )
    return Assessment(run, verdict, findings, summary, tuple(changes))


def assess_directory(
    path: Path,
    *,
    control: Path | None = None,
    thresholds: Mapping[str, float] | None = None,
    baseline: Path | None = None,
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
    )


def _on_resources(verdict: Verdict, thresholds: Mapping[str, float]) -> Iterator[Finding]:
    for name, found in verdict.resources.items():
        dead = verdict.exhausted is not None and verdict.exhausted.resource == name
        if name in thresholds:
            yield _on_threshold(found, thresholds[name])
        if dead or name not in thresholds:
            yield _on_verdict(found, dead=dead)


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
    elif severity is Severity.UNKNOWN and not has_limit(found):
        severity = Severity.DOUBT
    return Finding(kind, found.resource, severity, headline.reason(found), _growth(found))


def _on_threshold(found: ResourceVerdict, allowed: float) -> Finding:
    check = check_threshold(found, allowed)
    severity = {True: Severity.PASS, False: Severity.FAIL, None: Severity.UNKNOWN}[check.kept]
    evidence = {"allowed_per_request": allowed, **_growth(found)}
    return Finding(Kind.THRESHOLD, found.resource, severity, check.reason, evidence)


def _growth(found: ResourceVerdict) -> dict[str, float | None]:
    interval = found.per_request_interval
    return {
        "per_request": found.per_request,
        "per_request_low": None if interval is None else interval.low,
        "per_request_high": None if interval is None else interval.high,
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
