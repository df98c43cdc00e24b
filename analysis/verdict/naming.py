"""Sentences about one target of several, and lists of such targets."""

from collections.abc import Iterable, Sequence

from tidemark.analysis import units
from tidemark.analysis.run import named
from tidemark.analysis.verdict.findings import Finding


def of_target_named(reason: str, target: str, subjects: Iterable[str]) -> str:
    """A sentence with the target named in it: "descriptors of target-2: grow by ...".

    Args:
        reason: The sentence.
        target: The target's id.
        subjects: What it may begin with; if it begins with none of them, the id goes first.
    """
    for subject in subjects:
        if subject and reason.lower().startswith(f"{subject.lower()}:"):
            return f"{reason[: len(subject)]} of {target}{reason[len(subject) :]}"
    return f"{target}: {reason}"


def naming_target(finding: Finding, target: str) -> str:
    """The reason of a finding with the target named in it."""
    return of_target_named(finding.reason, target, [finding.title, finding.phrase])


def likewise(ids: Sequence[str], count: int) -> str:
    """What is said of other targets of which the same was found, of so many in all."""
    if not ids:
        return ""
    if len(ids) == count - 1 and len(ids) > 1:
        return f"; likewise the {units.count(len(ids))} other targets"
    return f"; likewise {named(ids)}"
