"""What the test part is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
    limit_above,
    make_clock,
    seen,
)

Shape = Callable[[Floats], Floats]


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """A figure whose logarithm is evenly spread."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_clock(rng: Rng, shape: Shape | None = None, users: float = 24.0) -> Clock:
    """Two minutes to a day; sampled at 0.2 to 8 s with jitter in the load, not in the clock."""
    duration = log_uniform(rng, 121, 86_000)
    choices = [0.2, 0.4] if duration < 500 else [0.8, 1.5] if duration < 6_000 else [4.0, 8.0]
    interval, rate = float(rng.choice(choices)), log_uniform(rng, 4, 220)
    return make_clock(rng, duration, interval, rate, shape=shape, users=users)


@dataclass(frozen=True)
class Disturbance:
    """Noise on top of a series: a sum of AR(1) parts, tails, or requests in flight."""

    kind: str
    noise: Noise

    def draw(self, rng: Rng, clock: Clock) -> Floats:
        """The noise at each sample."""
        base = self.noise.draw(rng, clock.at)
        if self.kind == "tails":
            return np.asarray(base * np.sqrt(4.0 / rng.chisquare(4.0, len(clock.at))))
        if self.kind == "two memories":
            slow = Noise(0.6 * self.noise.sigma, 4 * self.noise.memory_s + 1.0)
            return 0.8 * base + slow.draw(rng, clock.at)
        if self.kind == "in flight":
            return rng.poisson(self.noise.sigma**2, len(clock.at)) + 0.0 * base
        return base


def disturbance_of(rng: Rng, clock: Clock, most: float = 8.0) -> Disturbance:
    """None, AR(1), with tails, with two memories, or requests in flight."""
    kind = str(rng.choice(["quiet", "gauss", "tails", "two memories", "in flight"]))
    if kind == "quiet":
        return Disturbance(kind, Noise())
    memory = float(rng.choice([0.0, 1.5, 7.0]))
    if rng.random() < 0.4:
        memory = clock.duration_s * 0.006
    sigma = log_uniform(rng, 0.8, 1.2 * most)
    return Disturbance(kind, Noise(sigma, 0.0 if kind == "in flight" else memory))


def draw_rate(rng: Rng, clock: Clock, room: float = 22.0) -> float:
    """A leak rate of at least 1 per 2,000 requests that the run has room for."""
    least = max(1 / 2000, room / clock.requests[-1])
    return log_uniform(rng, least, max(0.7, 4 * least))


def draw_level(rng: Rng) -> float:
    """A level to begin with."""
    return float(rng.integers(35, 330))


def visible_noise(disturbance: Disturbance) -> Noise:
    """AR(1) noise that is at least as hard to see through."""
    worse = 1.7 if disturbance.kind == "tails" else 1.2
    memory = disturbance.noise.memory_s * (4 if disturbance.kind == "two memories" else 1)
    return Noise(disturbance.noise.sigma * worse, memory)


def leak_case(
    shape: str,
    rng: Rng,
    clock: Clock,
    lost: NDArray[np.floating],
    extra: NDArray[np.floating] | float = 0.0,
    *,
    resource: str = "fds",
    clump: float = 1.0,
    wave: float = 0.0,
    share: float = 1.0,
) -> Case:
    """A case of one process that leaks; `share` is the part of the run that shows the leak."""
    disturbance = disturbance_of(rng, clock)
    level = seen(draw_level(rng) + extra + lost + disturbance.draw(rng, clock))
    run = build_run(clock, [Life(7, "worker", level)], resource, fds_limit=limit_above(level))
    noise = visible_noise(disturbance)
    visible = leak_is_visible(clock, float(lost[-1]) * share, noise, clump, wave)
    return Case(
        shape,
        "leak",
        resource,
        visible,
        run,
        {"lost": float(lost[-1]), "noise": disturbance, "duration_s": clock.duration_s},
    )


def clean_case(
    shape: str,
    rng: Rng,
    clock: Clock,
    extra: NDArray[np.floating] | float,
    *,
    resource: str = "fds",
    most: float = 8.0,
) -> Case:
    """A process that does not leak."""
    disturbance = disturbance_of(rng, clock, most)
    level = seen(draw_level(rng) + extra + disturbance.draw(rng, clock))
    run = build_run(clock, [Life(7, "worker", level)], resource, fds_limit=limit_above(level))
    return Case(
        shape,
        "clean",
        resource,
        clean_is_visible(clock, visible_noise(disturbance)),
        run,
        {"noise": disturbance, "duration_s": clock.duration_s},
    )
