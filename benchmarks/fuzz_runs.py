"""Run directories that were damaged in every way that came to mind, and what is said of them.

Whether a run may be passed is told here from its files alone, by other code than the assessment's.
"""

from __future__ import annotations

import atexit
import contextlib
import csv
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmarks.fuzz_case import Ended, Found, refusal, run
from benchmarks.fuzz_damage import DAMAGES
from tests.analysis.rundirs import write_run
from tidemark.cli import _exit_code
from tidemark.record.layout import RUN_JSON

ROOT = Path(__file__).parents[1]
REPORTED = 10
"""Every so many cases is reported as well, ..."""
APART = 50
"""... and every so many is checked by a process of its own."""
MOST_BYTES = 1 << 26
"""A file that is larger is damaged no further."""


@cache
def bases() -> tuple[Path, ...]:
    """Runs to damage: the recorded ones, and some that were made to be clean."""
    made = Path(tempfile.mkdtemp(prefix="tidemark-fuzz-bases-"))
    atexit.register(shutil.rmtree, made)
    recorded = [path.parent for path in sorted((ROOT / "tests" / "data").rglob(RUN_JSON))]
    results = [path.parent for path in sorted((ROOT / "results").rglob(RUN_JSON))[:20]]
    return (
        *recorded,
        *(path for path in results if (path / "samples.csv").exists()),
        write_run(made / "1", strategy="shared", requests=60),
        write_run(made / "2", strategy="pooled", requests=40, workers=2, rate=6.0),
        write_run(made / "3", strategy="per-request-closed", requests=50, interval_s=0.4),
    )


def try_one(seed: int, number: int, folder: Path) -> Found:
    """Damage a run and check it."""
    rng = random.Random(f"runs {seed} {number}")
    known = bases()
    base = known[number % len(known)]
    path = folder / "run"
    shutil.copytree(base, path)
    made = [base.name]
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        damage = rng.choice(DAMAGES)
        made.append(damage.__name__.strip("_"))
        with contextlib.suppress(OSError, ValueError, LookupError):  # it is damaged already
            damage(rng, path)
        if not all(map(_can_be_damaged, path.iterdir())):
            break  # to read it once more would take for ever, or all memory
    command = ["check", str(path)]
    ended = _apart(command) if number % APART == 0 else run(lambda: _exit_code(command))
    wrong = _wrong(ended, path)
    if not wrong and number % REPORTED == 0:
        wrong = _wrong_report(run(lambda: _exit_code(["report", str(path)])))
    return Found(number, " ".join(made), f"exit {ended.code}", wrong)


def _can_be_damaged(file: Path) -> bool:
    return file.is_file() and file.stat().st_size < MOST_BYTES


def _apart(command: list[str]) -> Ended:
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "tidemark", *command],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Ended(-1, "", "", "hang: waits")
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def _wrong(ended: Ended, path: Path) -> str:
    if ended.wrong:
        return ended.wrong
    if ended.code not in {0, 1, 2, 3}:
        return f"exit code: {ended.code}"
    if ended.code == 2:
        return refusal(ended)
    if ended.err:
        return f"noise: {ended.err[:200]!r}"
    if ended.code == 0 and (reason := why_not_passed(path)):
        return f"passed: {reason}"
    return ""


def _wrong_report(ended: Ended) -> str:
    if ended.wrong:
        return f"report {ended.wrong}"
    if ended.code == 2:
        wrong = refusal(ended)
        return f"report {wrong}" if wrong else ""
    return f"report noise: {ended.err[:200]!r}" if ended.err else ""


# -- whether it may be passed ----------------------------------------------------------------------


def why_not_passed(path: Path) -> str:
    """Why a run cannot be one that passes, from its files; empty if it may."""
    samples = list(_rows(path / "samples.csv"))
    living = [row for row in samples if _number(row, "pid") and _lives(row)]
    if not living:
        return "no sample of a living process"
    if not os.path.lexists(path / "requests.csv"):
        return ""  # it was watched, and not driven
    requests = [row for row in _rows(path / "requests.csv") if row.get("requests")]
    sent = max((_number(row, "requests") for row in requests), default=0.0)
    answered = sent - max((_number(row, "failures") for row in requests), default=0.0)
    if answered <= 0:
        return "no request was answered"
    times = [_number(row, "elapsed_s") for row in requests]
    if not any(times[0] <= _number(row, "elapsed_s") <= times[-1] for row in living):
        return "no sample of a living process during the load"
    return ""


def _lives(row: dict[str, str]) -> bool:
    return _number(row, "fds") > 0 or (not row.get("fds") and _number(row, "rss_bytes") > 0)


def _number(row: dict[str, str], name: str) -> float:
    try:
        return float(row.get(name) or 0.0)
    except ValueError:
        return 0.0


def _rows(path: Path) -> Iterator[dict[str, str]]:
    lines = path.read_bytes().decode("utf-8-sig", "replace").split("\n")[:-1]
    yield from csv.DictReader(line.rstrip("\r") for line in lines)
