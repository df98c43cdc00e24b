"""Faults in the judge that were written by hand: what somebody could change by mistake."""

from __future__ import annotations

JUDGE = "analysis/verdict"
DECISION = f"{JUDGE}/decision.py"
GROWTH = f"{JUDGE}/growth.py"
WINDOW = f"{JUDGE}/window.py"
DISTURBANCES = f"{JUDGE}/disturbances.py"
REGRESSION = f"{JUDGE}/regression.py"
FORECAST = f"{JUDGE}/forecast.py"
RESOURCE = f"{JUDGE}/resource.py"
CONTROL = f"{JUDGE}/control.py"
ASSESSMENT = f"{JUDGE}/assessment.py"

WRITTEN: tuple[tuple[str, str, str, str], ...] = (
    (DECISION, "25 times less sure", "SURE = 0.002", "SURE = 0.05"),
    (DECISION, "growth of the last moment", "LATEST_START = 0.65", "LATEST_START = 0.95"),
    (
        DECISION,
        "recent after slowing",
        "LATEST_START_AFTER_SLOWING = 0.55",
        "LATEST_START_AFTER_SLOWING = 0.95",
    ),
    (DECISION, "one test or many", "growth.chance < SURE / tests", "growth.chance < SURE"),
    (DECISION, "suspects of many", "growth.chance < SUSPECT / tests", "growth.chance < SUSPECT"),
    (DECISION, "the second half", "SURE_LATE = 0.1", "SURE_LATE = 0.9"),
    (DECISION, "the ranks", "SURE_MONOTONIC = 0.05", "SURE_MONOTONIC = 0.9"),
    (DECISION, "nothing is suspect", "SUSPECT = 0.03", "SUSPECT = 0.002"),
    (DECISION, "room does not matter", "CLEAN_LIMIT_SHARE = 0.05", "CLEAN_LIMIT_SHARE = 0.0"),
    (DECISION, "half the room", "CLEAN_LIMIT_SHARE = 0.05", "CLEAN_LIMIT_SHARE = 0.5"),
    (DECISION, "steps of the room", "CLEAN_LIMIT_STEPS = 100.0", "CLEAN_LIMIT_STEPS = 1e4"),
    (DECISION, "the level hides much", "CLEAN_LEVEL_SHARE = 0.2", "CLEAN_LEVEL_SHARE = 0.8"),
    (DECISION, "noise hides much", "CLEAN_SPREADS = 3.0", "CLEAN_SPREADS = 30.0"),
    (DECISION, "hardly slower is flat", "SLOWER_SHARE = 0.6", "SLOWER_SHARE = 1.5"),
    (
        RESOURCE,
        "no room",
        "return max(limit - float(track.value.max()), 0.0)",
        "return None",
    ),
    (
        RESOURCE,
        "the weakest leak",
        "return min(leaks, key=lambda found: found.growth.chance if found.growth else 1.0)",
        "return max(leaks, key=lambda found: found.growth.chance if found.growth else 1.0)",
    ),
    (GROWTH, "speeding up", "SURE_OF_BEND = 0.98", "SURE_OF_BEND = 0.5"),
    (GROWTH, "steps by luck", "luck = 6.0 * resolution", "luck = 0.0 * resolution"),
    (
        REGRESSION,
        "no random walk",
        "WALKS = (0.0, 0.1, 1.0, 10.0, 300.0)",
        "WALKS = (0.0, 0.0, 0.0, 0.0, 0.0)",
    ),
    (
        REGRESSION,
        "no memory",
        "MEMORIES = (0.01, 0.03, 0.1, 0.3)",
        "MEMORIES = (0.001, 0.001, 0.001, 0.001)",
    ),
    (
        FORECAST,
        "a band of 50 % until the limit",
        'method="nearest")) for q in (0.05, 0.5, 0.95)]',
        'method="nearest")) for q in (0.25, 0.5, 0.75)]',
    ),
    (
        FORECAST,
        "a band of 50 % of the level",
        "np.quantile(level, [0.05, 0.5, 0.95])",
        "np.quantile(level, [0.25, 0.5, 0.75])",
    ),
    (
        FORECAST,
        "the last worker instead of the first",
        "return remaining.min(axis=1)",
        "return remaining.max(axis=1)",
    ),
    (DISTURBANCES, "no time to settle", "SETTLING_S = 5.0", "SETTLING_S = 0.0"),
    (WINDOW, "at the limit for a moment", "STAYS_SHARE = 0.5", "STAYS_SHARE = 0.0"),
    (
        CONTROL,
        "a little more than the control",
        "beyond.low > max(control.slope, 0.0)",
        "beyond.low > 0.0",
    ),
    (
        ASSESSMENT,
        "the least grave finding",
        "next((one for one in Severity if one in found)",
        "next((one for one in reversed(Severity) if one in found)",
    ),
)
"""File, name, what is right and what is wrong: the right text must be there once."""
