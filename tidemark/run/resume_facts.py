"""What run.json says for whoever goes on with a run that was cut off."""

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeGuard

from tidemark.record.clock import RunClock
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import RUN_JSON

FACTS = "resume"
"""The key of run.json that holds what it takes to go on with a run."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Which start of this machine it is: the monotonic clock counts from there; empty if unknown.

    Source: random(4).
    """
    try:
        return BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def facts_of(
    options: Mapping[str, Any],
    withheld: tuple[str, ...],
    host: str | None,
    planned_s: float | None,
    clock: RunClock,
) -> dict[str, Any]:
    """`resume` of run.json.

    Args:
        options: What was asked for, by name, as texts.
        withheld: Names of options that hold a secret, which is kept nowhere.
        host: The service that ran before; None where one is started.
        planned_s: How long the load was to last.
        clock: The run's.
    """
    return {
        "options": dict(options),
        "withheld": list(withheld),
        "host": host,
        "planned_s": planned_s,
        "boot_id": boot_id(),
        "started_monotonic_s": clock.started_monotonic_s,
        "pid": os.getpid(),
    }


def check_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Refuse facts that no run has written.

    Raises:
        UnusableRunError: They are such.
    """
    options, planned_s, host, offsets = (
        facts.get(name) for name in ("options", "planned_s", "host", "offsets")
    )
    is_good = (
        isinstance(options, dict)
        and all(isinstance(name, str) for name in facts.get("withheld") or ())
        and (planned_s is None or (is_number(planned_s) and planned_s >= 0))
        and (host is None or isinstance(host, str))
        and (offsets is None or isinstance(offsets, dict))
    )
    if not is_good:
        raise UnusableRunError(path / RUN_JSON, f"{FACTS} is not what a run writes", "mend it")


def is_number(value: Any) -> TypeGuard[float]:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
