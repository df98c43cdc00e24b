"""What was found, one thing at a time: its kind, its severity, its reason and its figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

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
    DIED = "died"
    NOT_A_TEST = "not a test"
    CUT_OFF = "cut off"
    NOT_SAMPLED = "not sampled"
    BROKER_LOST = "broker lost"
    UNLIKE = "unlike the baseline"


ON_RESOURCES = frozenset(
    {Kind.LEAK, Kind.EXHAUSTED, Kind.CANNOT_TELL, Kind.CLEAN, Kind.THRESHOLD, Kind.REGRESSION}
)
"""Those whose subject is a resource."""
ON_THE_RUN = frozenset(
    {Kind.DIED, Kind.NOT_A_TEST, Kind.CUT_OFF, Kind.NOT_SAMPLED, Kind.BROKER_LOST, Kind.UNLIKE}
)
"""Those that say what the verdict rests on, or that there is nothing it could rest on."""


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
        route: The route it was found on; None where it is about all of them.
        heading: What a reader knows the subject as, where that is not the resource's title.
        target: The target it was found on, of a run that has several; None where it is about
            the whole run.
    """

    kind: Kind
    subject: str
    severity: Severity
    reason: str
    evidence: Mapping[str, float | None] = field(default_factory=dict)
    remedy: str = ""
    route: str | None = None
    heading: str = ""
    target: str | None = None

    @property
    def title(self) -> str:
        """The subject as a reader knows it."""
        title = self.heading or self.subject
        if not self.heading and self.kind in ON_RESOURCES:
            title = metric(self.subject).title
        return title if self.route is None else f"{title} of {self.route}"

    @property
    def statement(self) -> str:
        """The reason under its title, which some reasons begin with already."""
        named = self.reason.startswith((self.title, self.phrase))
        return self.reason if named else f"{self.title}: {self.reason}"

    @property
    def phrase(self) -> str:
        """The same as a sentence goes on with it."""
        return self.title[0].lower() + self.title[1:]
