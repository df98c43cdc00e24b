"""What the development part is made of."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.corpus import (
    Case,
    Clock,
    Floats,
    Life,
    Noise,
    Rng,
    build_run,
    clean_is_visible,
    leak_is_visible,
    leaked,
    limit_above,
    make_clock,
    seen,
)


def draw_clock(rng: Rng, shape: Callable[[Floats], Floats] | None = None) -> Clock:
    """Two minutes to a day, with Poisson arrivals at 2 to 100 a second."""
    duration = float(np.exp(rng.uniform(np.log(120), np.log(86_400))))
    interval = float(rng.choice([1.0, 1.0, 0.5])) if duration < 7_200 else 5.0
    return make_clock(
        rng, duration, interval, float(np.exp(rng.uniform(np.log(2), np.log(100)))), shape=shape
    )


def draw_noise(rng: Rng, clock: Clock) -> Noise:
    """None, white, or with a short or a long memory."""
    kind = rng.choice(["none", "white", "short", "long"])
    sigma = float(rng.choice([1.0, 2.0, 5.0, 10.0]))
    if kind == "none":
        return Noise()
    if kind == "white":
        return Noise(sigma)
    if kind == "short":
        return Noise(sigma, float(rng.uniform(2, 8)))
    return Noise(sigma, float(rng.uniform(0.005, 0.02)) * clock.duration_s)


def draw_rate(rng: Rng, clock: Clock) -> float:
    """A leak rate between 1 per 2,000 requests and 2 per request that the run has room for."""
    least = max(1 / 2000, 15 / clock.requests[-1])
    return float(np.exp(rng.uniform(np.log(least), np.log(max(2.0, 2 * least)))))


def draw_base(rng: Rng) -> float:
    """A level to begin with."""
    return float(rng.integers(15, 150))


def draw_lives(
    rng: Rng, clock: Clock, count: int, level: Callable[[np.ndarray], Floats], noise: Noise
) -> list[Life]:
    """That many lives one after the other."""
    ends = np.linspace(0, 1, count + 1) + np.r_[0, rng.uniform(-0.2, 0.2, count - 1) / count, 0]
    parts = []
    for number in range(count):
        inside = (clock.share >= ends[number]) & (clock.share < ends[number + 1])
        if number == count - 1:
            inside |= clock.share >= ends[-1]
        value = np.full(len(clock.at), np.nan)
        value[inside] = seen(level(inside) + noise.draw(rng, clock.at[inside]))
        parts.append(Life(100 + number, "gunicorn", value))
    return parts


def leak_case(
    shape: str,
    rng: Rng,
    clock: Clock,
    extra: NDArray[np.floating] | float,
    noise: Noise,
    *,
    clump: float = 1.0,
    wave: float = 0.0,
    gaps: np.ndarray | None = None,
) -> Case:
    """A process that leaks, below something else and noise."""
    rate = draw_rate(rng, clock)
    level = draw_base(rng) + extra + leaked(rng, clock, rate, clump) + noise.draw(rng, clock.at)
    run = build_run(
        clock, [Life(11, "gunicorn", seen(level))], gaps=gaps, fds_limit=limit_above(level)
    )
    growth = rate * clock.requests[-1]
    return Case(
        shape,
        "leak",
        "fds",
        leak_is_visible(clock, growth, noise, clump, wave),
        run,
        {"rate": rate, "growth": growth, "noise": noise, "duration_s": clock.duration_s},
    )


def clean_case(
    shape: str,
    rng: Rng,
    clock: Clock,
    extra: NDArray[np.floating] | float,
    noise: Noise,
    *,
    gaps: np.ndarray | None = None,
) -> Case:
    """A process that does not leak: something else and noise."""
    level = draw_base(rng) + extra + noise.draw(rng, clock.at)
    run = build_run(
        clock,
        [Life(11, "gunicorn", seen(level))],
        gaps=gaps,
        fds_limit=limit_above(level),
    )
    return Case(
        shape,
        "clean",
        "fds",
        clean_is_visible(clock, noise),
        run,
        {"noise": noise, "duration_s": clock.duration_s},
    )
