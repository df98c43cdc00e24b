"""Faults: what is done to brokers and target while the load goes on, and when.

A fault is written `KIND@START[+DURATION]`, in seconds since the load began: `outage@20+10`.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

DEFAULT_DURATION_S = 10.0

BROKER_KILL = "broker-kill"
BROKER_FREEZE = "broker-freeze"
OUTAGE = "outage"
TARGET_KILL = "target-kill"
KINDS = {
    BROKER_KILL: "one broker is killed, and started again after the duration",
    BROKER_FREEZE: "one broker answers nothing, and goes on after the duration",
    OUTAGE: "all brokers are killed, and started again after the duration",
    TARGET_KILL: "one worker of the target is killed with SIGKILL",
}

_FORM = re.compile(r"([a-z-]+)@([0-9.]+)(?:\+([0-9.]+))?")


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
        raise ValueError(f"must be {wanted}, not {text!r}")
    kind, start, duration = match.groups()
    start_s = _seconds(start, text)
    if kind == TARGET_KILL:
        if duration:
            raise ValueError(f"{TARGET_KILL} is over at once: leave out the duration of {text!r}")
        return Fault(kind, start_s, 0.0)
    duration_s = _seconds(duration, text) if duration else DEFAULT_DURATION_S
    if not duration_s:
        raise ValueError(f"the duration of {text!r} must be greater than 0")
    return Fault(kind, start_s, duration_s)


def _seconds(text: str, fault: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise ValueError(f"{text!r} in {fault!r} is no number of seconds")
    return seconds


def check_apart(faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    """Return the faults in order; raises ValueError when one begins before another is over."""
    ordered = tuple(sorted(faults, key=lambda fault: fault.start_s))
    for earlier, later in itertools.pairwise(ordered):
        if later.start_s < earlier.start_s + earlier.duration_s:
            raise ValueError(f"{later} begins before {earlier} is over")
    return ordered
