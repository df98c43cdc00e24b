"""What a run that has been judged amounts to: findings, and what follows from them.

An assessment holds a verdict against what was asked for (thresholds, an earlier run) and puts
beside it what else happened, each as a finding with its reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tidemark.analysis import units
from tidemark.analysis.run import Run
from tidemark.analysis.verdict import headline
from tidemark.analysis.verdict.baseline import ResourceChange
from tidemark.analysis.verdict.findings import ON_THE_RUN, Finding, Kind, Severity
from tidemark.analysis.verdict.model import Verdict
from tidemark.analysis.verdict.resource_findings import on_change, on_resources
from tidemark.analysis.verdict.summary import Summary, summarise
from tidemark.analysis.verdict.target_result import TargetResult, stated
from tidemark.analysis.verdict.validity import examine
from tidemark.record.events import LevelReached
from tidemark.record.metrics import RESOURCES, metric

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
        targets: What each target of the run amounts to, the worst first; empty where there is
            but one.
    """

    run: Run
    verdict: Verdict
    findings: tuple[Finding, ...]
    summary: Summary
    changes: tuple[ResourceChange, ...] = ()
    targets: tuple[TargetResult, ...] = ()

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
        if not self._is_no_test:
            return [one for one in self.findings if one.severity is not Severity.NOTE]
        return [one for one in self.findings if one.kind in ON_THE_RUN]

    @property
    def result(self) -> str:
        """The whole in a word or two: what a program reads."""
        if self.gravest is Severity.FAIL or self._is_no_test:
            return self.leading.kind.value
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
    def _is_no_test(self) -> bool:
        """Whether nothing was tested: of several targets, none."""
        leading = self.leading
        return leading.kind is Kind.NOT_A_TEST and leading.target is None

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
        return f"{self.run.title}: {self.statement}"

    @property
    def statement(self) -> str:
        """The finding in one line."""
        leading = self.leading
        if self.targets and (leading.target is not None or leading.kind not in ON_THE_RUN):
            return stated(self.targets, leading.target)
        if leading.kind is Kind.DIED:
            return leading.reason
        if leading.kind in ON_THE_RUN:
            return f"{self.result}: {leading.reason}"
        unsure = self._unsure if self.verdict.verdict == "clean" else ""
        return headline.statement(self.run, self.verdict) + unsure

    @property
    def _unsure(self) -> str:
        doubts = [one for one in self.findings if one.severity is Severity.DOUBT]
        return but_for([one.phrase for one in doubts if one.kind is Kind.CANNOT_TELL])

    @property
    def reason(self) -> str:
        """Why, in a sentence; that of what cannot be told names each such resource."""
        if self.verdict.verdict == "inconclusive" and self.leading.kind not in ON_THE_RUN:
            return self.verdict.reason
        return self.because


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
        *on_resources(verdict, thresholds or {}),
        *_on_levels(run),
        *(() if unlike else map(on_change, changes)),
        *on_happenings(verdict, summary),
    )
    return Assessment(run, verdict, findings, summary, tuple(changes))


def _on_levels(run: Run) -> Iterator[Finding]:
    """What has reached the level that the run was asked to end at."""
    for recorded in run.events_of(LevelReached):
        event = recorded.event
        is_of_another = run.target is not None and event.target not in (None, run.target)
        if is_of_another or event.resource not in RESOURCES or event.level is None:
            continue
        known = metric(event.resource)
        of = "" if event.limit is None else f" of {units.level(known, event.limit)}"
        whose = "" if event.process is None else f" of {units.shortened(event.process, 64)}"
        reason = (
            f"{known.phrase}{whose}: {units.level(known, event.level)}{of} at "
            f"{units.duration(recorded.elapsed_s)}, where the run was asked to stop"
        )
        evidence = {"level": float(event.level), "elapsed_s": recorded.elapsed_s}
        evidence |= {} if event.limit is None else {"limit": float(event.limit)}
        yield Finding(Kind.THRESHOLD, event.resource, Severity.FAIL, reason, evidence)


def _naming_doubts(verdict: Verdict) -> Verdict:
    """The verdict with a reason that names what cannot be told beside what is clean."""
    resources = verdict.resources.values()
    doubts = [found.metric.phrase for found in resources if found.verdict == "inconclusive"]
    unsure = but_for(doubts) if verdict.verdict == "clean" else ""
    if not unsure or verdict.reason.startswith("no resource leaks but"):
        return verdict
    clean = next((one.reason for one in verdict.resources.values() if one.verdict == "clean"), "")
    return replace(verdict, reason=f"no resource leaks{unsure}; {clean}")


def but_for(phrases: Sequence[str]) -> str:
    """What is not known beside what is clean: of resources that have no limit to run into."""
    return f" but for {headline.listed(phrases)}, which cannot be told" if phrases else ""


def on_happenings(verdict: Verdict, summary: Summary) -> Iterator[Finding]:
    """What happened to the messages and to the faults, which judges nothing."""
    yield from _on_messages(verdict)
    yield from _on_faults(summary)


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
