"""Faults: what is done to brokers and target while the load goes on, and when.

A fault is written `KIND@START[+DURATION]`, in seconds since the load began: `outage@20+10`.
"""

import itertools
import re
from dataclasses import dataclass
from typing import Any

from tidemark.record.options import Option, several

DEFAULT_DURATION_S = 10.0


@dataclass(frozen=True)
class BrokerFault:
    """What is done to brokers, and undone after the duration.

    Attributes:
        down: the command that a broker fails by.
        up: the command that brings it back.
        everyone: whether all brokers are hit; if not, the first one is.
    """

    down: str
    up: str
    everyone: bool = False


KINDS: dict[str, BrokerFault | None] = {
    "broker-kill": BrokerFault("kill", "restart"),
    "broker-freeze": BrokerFault("freeze", "thaw"),
    "outage": BrokerFault("kill", "restart", everyone=True),
    "target-kill": None,
}
"""Every kind of fault. None kills one worker of the target with SIGKILL, and is over at once."""

_SECONDS = r"(\d{1,9}(?:\.\d*)?|\.\d+)"
_FORM = re.compile(rf"([a-z-]+)@{_SECONDS}(?:\+{_SECONDS})?", re.ASCII)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        kind: a key of `KINDS`.
        start_s: when, seconds since the load began.
        duration_s: for how long, seconds; 0 for a fault that is over at once.
    """

    kind: str
    start_s: float
    duration_s: float

    def __str__(self) -> str:
        form = f"{self.kind}@{self.start_s:g}"
        return f"{form}+{self.duration_s:g}" if self.duration_s else form


def parse_fault(text: str) -> Fault:
    """Read `KIND@START[+DURATION]`; raises ValueError with what is wanted."""
    wanted = f"KIND@START[+DURATION] in seconds, KIND one of {', '.join(KINDS)}"
    match = _FORM.fullmatch(text.strip())
    if not match or match[1] not in KINDS:
        raise ValueError(f"must be {wanted}, not {text[:60]!r}")
    kind, start, duration = match.groups()
    if KINDS[kind] is None:
        if duration:
            raise ValueError(f"{kind} is over at once: leave out the duration of {text!r}")
        return Fault(kind, float(start), 0.0)
    duration_s = float(duration) if duration else DEFAULT_DURATION_S
    if not duration_s:
        raise ValueError(f"the duration of {text!r} must be greater than 0")
    return Fault(kind, float(start), duration_s)


def check_apart(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return the faults in order; raises ValueError when one begins before another is over."""
    ordered = tuple(sorted(faults, key=lambda fault: fault.start_s))
    for earlier, later in itertools.pairwise(ordered):
        if later.start_s < earlier.start_s + earlier.duration_s:
            raise ValueError(f"{later} begins before {earlier} is over")
    return ordered


def _faults(given: Any) -> tuple[Fault, ...]:
    each = given if isinstance(given, tuple) else several(given)
    return check_apart(
        tuple(one if isinstance(one, Fault) else parse_fault(str(one)) for one in each)
    )


FAULT = Option(
    "fault",
    _faults,
    (),
    f"{', '.join(KINDS)}: seconds into the load, and for how long; repeatable",
    "KIND@START[+DURATION]",
    is_repeatable=True,
)
