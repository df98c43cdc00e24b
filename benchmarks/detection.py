"""How soon a leak is called: the run is judged again and again while it goes on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.corpus import Life, Noise, build_run, leaked, make_clock, seen
from tidemark.analysis.verdict.judge import judge

SEEDS = 10
STEPS = 30


@dataclass(frozen=True)
class Question:
    """A leak, and how soon it has to be called."""

    name: str
    per_request: float
    rate: float
    fds_limit: float
    within_s: float
    sigma: float


QUESTIONS = (
    Question("1 per request at 50/s", 1.0, 50.0, 65_536.0, 60.0, 2.0),
    Question("1 per 1,000 requests at 50/s", 1 / 1000, 50.0, 4_096.0, 1_800.0, 1.0),
    Question("1 per 1,000 requests at 50/s", 1 / 1000, 50.0, 1_024.0, 1_800.0, 1.0),
)


def called_after(question: Question, seed: int) -> tuple[float | None, float]:
    """Seconds until `leak` is said (None: never), and the share of the limit gone by then."""
    rng = np.random.default_rng([seed, 99])
    clock = make_clock(rng, question.within_s, 1.0, question.rate)
    noise = Noise(question.sigma, 5.0).draw(rng, clock.at)
    lost = leaked(rng, clock, question.per_request)
    level = seen(40.0 + lost + noise)
    for step in range(1, STEPS + 1):
        until = question.within_s * step / STEPS
        part = np.where(clock.at <= until, level, np.nan)
        shown = type(clock)(
            *(array[clock.at <= until] for array in (clock.at, clock.users, clock.requests))
        )
        run = build_run(
            shown, [Life(11, "gunicorn", part[clock.at <= until])], fds_limit=question.fds_limit
        )
        if judge(run).resources["fds"].verdict == "leak":
            return until, float(lost[clock.at <= until][-1]) / question.fds_limit
    return None, 1.0


def report() -> bool:
    """Print when each leak was called; return whether all were in time."""
    good = True
    print("\nhow soon a leak is called")
    for question in QUESTIONS:
        found = [called_after(question, seed) for seed in range(SEEDS)]
        times = [at for at, _ in found if at is not None]
        gone = max(share for _, share in found)
        in_time = len(times) == SEEDS and (question.within_s <= 60 or gone < 0.1)
        good &= in_time
        span = f"{np.median(times):.0f} s (at most {max(times):.0f} s)" if times else "never"
        print(
            f"  {question.name}, limit {question.fds_limit:,.0f}: {len(times)}/{SEEDS} within "
            f"{question.within_s:.0f} s, after {span}, at most {gone:.1%} of the limit gone"
            f"{'' if in_time else '  TOO LATE'}"
        )
    return good
