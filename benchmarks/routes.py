"""Which route leaks: a service with three routes, of which one does or none.

    python -m benchmarks.routes                 # 20 seeds that leak and 20 that do not, simulated
    python -m benchmarks.routes --real 3        # three of each for real, two at a time
    python -m benchmarks.routes --how-long      # how long it takes, by rate and interval

The routes have 60, 30 and 10 % of the requests. One request of five of the last one leaves a
descriptor behind, at random. Of a seed that leaks, that route has to be named and no other, with a
figure within 10 % of 0.2, and the others have to be excluded from more than a tenth of it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from benchmarks.corpus import Clock, Floats, Life, build_run
from benchmarks.routes_real import Real, drive
from benchmarks.routes_service import ROUTES
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import ResourceVerdict
from tidemark.record import layout

SHARES = (0.6, 0.3, 0.1)
LEAK, LEAKING = 0.2, f"POST {ROUTES[-1]}"
TOLERANCE, OTHERS = 0.1, 0.1
MOST_MISSED = 1
IN_FLIGHT_S = 0.003
"""For how long a request holds a descriptor."""
APART_S = 0.02
"""How long after a sample its requests are counted."""


@dataclass(frozen=True)
class Test:
    """How a service is driven: for how long, how fast, and how often it is sampled."""

    seconds: float = 480.0
    rate: float = 50.0
    interval_s: float = 0.25


@dataclass(frozen=True)
class Answer:
    """What was said of one run, and what was so.

    Attributes:
        seed: Of the run.
        leaks: Whether a route leaked.
        left: What the leaking route left behind per request, by count.
        found: The verdict on its descriptors.
    """

    seed: int
    leaks: bool
    left: float
    found: ResourceVerdict

    @property
    def named(self) -> list[str]:
        """The routes that were said to leak."""
        return [name for name, one in self.found.routes.items() if one.verdict == "leaks"]

    @property
    def figure(self) -> float:
        """What was said to be left behind with each request of the route that leaks."""
        one = self.found.routes.get(LEAKING)
        return np.nan if one is None or one.per_request is None else one.per_request

    @property
    def covered(self) -> bool:
        """Whether the interval holds what was so."""
        one = self.found.routes.get(LEAKING)
        interval = one.per_request_interval if one else None
        return interval is not None and interval.contains(LEAK)

    @property
    def others(self) -> float:
        """What the other routes are excluded from leaving behind more than."""
        bounds = [
            np.inf if one.excluded_per_request is None else one.excluded_per_request
            for name, one in self.found.routes.items()
            if name != LEAKING
        ]
        return max(bounds, default=np.inf)

    @property
    def is_right(self) -> bool:
        """Whether the bar is met."""
        if not self.leaks:
            return not self.named
        is_near = abs(self.figure / LEAK - 1) <= TOLERANCE
        return self.named == [LEAKING] and is_near and self.others < OTHERS * LEAK


def simulate(seed: int, test: Test, leak: float) -> tuple[Run, float]:
    """A run in memory, and what the leaking route left behind per request in it."""
    rng = np.random.default_rng([seed, int(leak > 0)])
    came = np.sort(rng.uniform(0, test.seconds, rng.poisson(test.rate * test.seconds)))
    route = rng.choice(len(SHARES), len(came), p=SHARES)
    leaking = (route == len(SHARES) - 1) & (rng.random(len(came)) < leak)
    at = np.arange(0.0, test.seconds, test.interval_s)
    in_flight = rng.poisson(test.rate * IN_FLIGHT_S, len(at))
    level = np.asarray(12.0 + np.searchsorted(came[leaking], at) + in_flight, float)
    counted = at + APART_S
    clock = Clock(counted, np.ones(len(at)), np.searchsorted(came, counted).astype(float))
    run = build_run(replace(clock, at=at), [Life(10, "service", level)], fds_limit=65536.0)
    rows = pd.concat(
        [_rows(counted, came[route == n], f"POST {name}") for n, name in enumerate(ROUTES)]
    )
    routes = rows.sort_values("elapsed_s", kind="stable").astype({"route": "category"})
    return replace(run, routes=routes), float(leaking.sum() / (route == len(SHARES) - 1).sum())


def _rows(at: Floats, came: Floats, route: str) -> pd.DataFrame:
    counts = np.searchsorted(came, at).astype(float)
    columns: dict[str, object] = dict.fromkeys(layout.ROUTES.columns, 0.0)
    columns |= {"time_s": 1.7e9 + at, "elapsed_s": at, "route": route, "requests": counts}
    return pd.DataFrame(columns)


def answer(seed: int, test: Test, *, leaks: bool) -> Answer:
    """Simulate one run and judge it."""
    run, left = simulate(seed, test, LEAK if leaks else 0.0)
    return Answer(seed, leaks, left, judge(run).resources["fds"])


def print_answers(answers: list[Answer]) -> bool:
    """Print a line for each, and how many are right; return whether that meets the bar."""
    print(
        f"{'seed':>4}  {'verdict':<12} {'named':<14} {'figure':>7} {'so':>7} {'others below':>13}"
    )
    for one in answers:
        others = f"{one.others:.4f}" if one.leaks else ""
        figure = f"{one.figure:.4f}" if one.leaks else ""
        print(
            f"{one.seed:>4}  {one.found.verdict:<12} {', '.join(one.named) or '-':<14} "
            f"{figure:>7} {one.left:>7.4f} {others:>13}  {'' if one.is_right else 'WRONG'}",
            flush=True,
        )
    leaking, clean = ([one for one in answers if one.leaks is leaks] for leaks in (True, False))
    missed, false = (sum(not one.is_right for one in part) for part in (leaking, clean))
    covered = sum(one.covered for one in leaking)
    print(f"{len(leaking)} leaks: {missed} missed; the interval held 0.2 in {covered}")
    print(f"{len(clean)} without a leak: a route was named in {false}")
    return missed <= MOST_MISSED and not false


def how_long(seeds: int) -> None:
    """Print for several tests how often the bar is met."""
    print(
        f"{'rate':>5} {'interval':>9} {'minutes':>8}  {'named':>6} {'right':>6} "
        f"{'others below':>13}"
    )
    with ProcessPoolExecutor(2) as pool:
        for rate in (10.0, 20.0, 50.0):
            for interval_s in (1.0, 0.25):
                for minutes in (2, 5, 8, 15, 30):
                    test = Test(60.0 * minutes, rate, interval_s)
                    said = list(pool.map(partial(answer, test=test, leaks=True), range(seeds)))
                    named = sum(one.named == [LEAKING] for one in said)
                    right = sum(one.is_right for one in said)
                    others = float(np.median([one.others for one in said]))
                    print(
                        f"{rate:>5g} {interval_s:>8g}s {minutes:>8}  {named:>3}/{seeds}"
                        f" {right:>3}/{seeds} {others:>13.4f}",
                        flush=True,
                    )


def real(count: int, test: Test) -> Iterator[Answer]:
    """Drive so many services that leak, and as many that do not, two at a time."""
    tasks = [
        Real(seed, "fds" if leaks else "nothing")
        for leaks in (True, False)
        for seed in range(count)
    ]
    with ProcessPoolExecutor(2) as pool:
        for task, driven in zip(
            tasks,
            pool.map(
                partial(drive, rate=test.rate, seconds=test.seconds, interval_s=test.interval_s),
                tasks,
            ),
            strict=True,
        ):
            left = driven.left / max(driven.requests.get(ROUTES[-1], 0), 1)
            yield Answer(
                task.seed, task.leak != "nothing", left, judge(driven.run).resources["fds"]
            )


def main() -> int:
    """Run and print; return the exit code."""
    parser = argparse.ArgumentParser(description="Which of three routes leaks.")
    parser.add_argument("--seeds", type=int, default=20, help="simulated runs of each kind")
    parser.add_argument("--real", type=int, default=0, help="real runs of each kind instead")
    parser.add_argument("--how-long", action="store_true", help="by rate and interval")
    parser.add_argument("--seconds", type=float, default=Test.seconds)
    parser.add_argument("--rate", type=float, default=Test.rate)
    parser.add_argument("--interval", type=float, default=Test.interval_s)
    given = parser.parse_args()
    test = Test(given.seconds, given.rate, given.interval)
    if given.how_long:
        how_long(given.seeds)
        return 0
    if given.real:
        return 0 if print_answers(list(real(given.real, test))) else 1
    with ProcessPoolExecutor(2) as pool:
        answers = [
            one
            for leaks in (True, False)
            for one in pool.map(partial(answer, test=test, leaks=leaks), range(given.seeds))
        ]
    return 0 if print_answers(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
