"""One way to break a run, and what has to come of it."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults_bench import INTERVAL_S, PATIENCE_S, Bench
from tidemark.record.layout import RUN_JSON

LEAKING = "per-request-leaked"
STRATEGIES = (LEAKING, "shared", LEAKING, "pooled", LEAKING, "per-request-closed")
FIRST_S, LAST_S = 1.0, 10.0
"""When things break, seconds into the load."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run: what was said, and what is wrong with it, if anything."""

    said: str
    wrong: str
    tried: bool = True


Break = Callable[[Bench, random.Random], None]


@dataclass(frozen=True)
class Case:
    """One way to break a run.

    Attributes:
        name: What the command line calls it.
        title: What the table calls it.
        times: How often it is tried.
        breaks: Does it, at a random moment of the load.
        codes: What `locust` or `compare` may exit with.
        checks: What `check` may exit with, of a clean strategy; of a leaking one, 1 and 3 may be,
            or what is here if the service died.
        events: One of these has to stand in events.jsonl; empty if none has to.
        outcomes: What `outcome` of run.json may be.
        program: What is run.
        more: Its further options.
        needs: Says what is missing on this machine, if anything.
        disk: The size of the file system for its results, as `mount` takes it.
        bench: What is run, if that is something else.
        interval_s: Of its samples.
        lives: The files whose writers go on; a tick of each may be missing.
        then: What is done when it has ended; returns what it exits with.
        also: What else has to be; says what is wrong, if anything.
    """

    name: str
    title: str
    times: int
    breaks: Break
    codes: frozenset[int]
    checks: frozenset[int]
    events: frozenset[str] = frozenset()
    outcomes: frozenset[str | None] = frozenset({"completed"})
    program: str = "locust"
    more: tuple[str, ...] = ()
    needs: Callable[[], str] = str
    disk: str = ""
    bench: type[Bench] = Bench
    interval_s: float = INTERVAL_S
    lives: tuple[str, ...] = ()
    then: Callable[[Bench, int | None], int | None] | None = None
    also: tuple[Callable[[Bench], str], ...] = ()

    def missing(self) -> str:
        """What is missing to try it."""
        return self.needs()

    def try_once(self, rng: random.Random, number: int, place: Path) -> Outcome:
        """Run, break, and look at what there is."""
        strategy = STRATEGIES[number % len(STRATEGIES)]
        bench = self.bench(place, strategy, self.program, self.more, self.interval_s)
        bench.results.mkdir()
        with bench.on_disk(self.disk):
            try:
                bench.start()
                time.sleep(rng.uniform(FIRST_S, LAST_S))
                bench.broken_s = time.time()
                self.breaks(bench, rng)
                code = bench.wait()
                code = self.then(bench, code) if self.then else code
            finally:
                left = bench.end()
            return self.judged(bench, code, left)

    def judged(self, bench: Bench, code: int | None, left: list[str]) -> Outcome:
        """What came of it."""
        wrong = [f"left: {line}" for line in left]
        if code not in self.codes:
            wrong.append(f"{self.name}: {self.program} exits {code}")
        wrong += _torn(bench.run, self.outcomes)
        wrong += [f"{self.name}: {text}" for text in map(bench.missing_ticks, self.lives) if text]
        wrong += [f"{self.name}: {text}" for text in (one(bench) for one in self.also) if text]
        if "Traceback" in (bench.place / "said.log").read_text(errors="replace"):
            wrong.append(f"{self.name}: a traceback")
        if self.events and not self.events & events_of(bench.run):
            wrong.append(f"{self.name}: none of {', '.join(sorted(self.events))}")
        check = subprocess.run(
            [sys.executable, "-m", "tidemark", "check", str(bench.run)],
            capture_output=True, text=True, check=False, timeout=PATIENCE_S,
        )  # fmt: skip
        word = (check.stdout or check.stderr).partition(":")[0].strip().splitlines()[0][:30]
        is_leaking = bench.strategy == LEAKING
        may = self.checks | {1, 3} if is_leaking and self.checks != {1} else self.checks
        may = may - {0} if is_leaking else may
        if check.returncode not in may:
            why = (
                f"{check.returncode} of {bench.strategy}: {(check.stdout or check.stderr)[:200]!r}"
            )
            wrong.append(f"{self.name}: check exits {why}")
        if not is_leaking and word in {"leak", "exhausted"}:
            wrong.append(f"{self.name}: false alarm on {bench.strategy}")
        return Outcome(f"{code}, {check.returncode} {word}", "; ".join(wrong))


def _torn(run: Path, outcomes: frozenset[str | None]) -> list[str]:
    try:
        content: dict[str, Any] = json.loads((run / RUN_JSON).read_text())
    except (OSError, ValueError) as error:
        return [f"run.json is not whole: {error}"]
    found = content.get("outcome") if content.get("ended_at") else None
    return [] if found in outcomes else [f"outcome {found}, not {' or '.join(map(str, outcomes))}"]


def events_of(run: Path) -> set[str]:
    """The names of what happened in a run."""
    path = run / "events.jsonl"
    lines = path.read_text(errors="replace").split("\n")[:-1] if path.exists() else []
    found = set()
    for line in lines:
        with contextlib.suppress(ValueError):
            found.add(str(json.loads(line).get("event")))
    return found
