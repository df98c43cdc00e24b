"""The clean series of the test part, and those that nobody can tell."""

from __future__ import annotations

import itertools

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
    limit_above,
    seen,
)
from benchmarks.corpus_test_parts import (
    clean_case,
    draw_clock,
    draw_level,
    log_uniform,
)


def clean_two_levels(rng: Rng) -> Case:
    """Back and forth between two levels, as connections fail over."""
    clock = draw_clock(rng)
    turns = np.sort(rng.uniform(0, 1, rng.integers(6, 40)))
    other = rng.uniform(3.75, 46) * (np.searchsorted(turns, clock.share) % 2)
    return clean_case("clean-two-levels", rng, clock, other)


def clean_swinging(rng: Rng) -> Case:
    """A controller that swings around its set point."""
    clock = draw_clock(rng)
    phase = 2 * np.pi * clock.share * rng.uniform(7.5, 57.5) + rng.uniform(0, 6.9)
    return clean_case("clean-swinging", rng, clock, rng.uniform(3.75, 34.5) * np.sin(phase))


def clean_in_flight(rng: Rng) -> Case:
    """Requests in flight: births and deaths around a mean, with a memory of their own."""
    clock = draw_clock(rng)
    mean = rng.uniform(5, 69)
    noise = Noise(float(np.sqrt(mean)), float(rng.uniform(1.25, 11.5)))
    level = seen(draw_level(rng) + mean + noise.draw(rng, clock.at))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    return Case(
        "clean-in-flight", "clean", "fds", clean_is_visible(clock, noise), run, {"noise": noise}
    )


def clean_collector(rng: Rng) -> Case:
    """A connection to each partition leader, opened when it is first needed."""
    clock = draw_clock(rng)
    leaders = int(rng.integers(8, 120))
    draws = np.minimum(
        np.round(clock.share / rng.uniform(0.0245, 0.09) * leaders).astype(int), 10_000
    )
    first_seen = np.sort(rng.exponential(1.0, leaders) * leaders)
    return clean_case(
        "clean-collector", rng, clock, np.searchsorted(first_seen, draws).astype(float)
    )


def clean_root_of_load(rng: Rng) -> Case:
    """Connections follow the root of a load that ramps up and then stays."""
    until = rng.uniform(0.22, 0.5)
    clock = draw_clock(rng, lambda share: np.minimum(0.1 + 0.9 * share / until, 1.0), users=60.0)
    return clean_case(
        "clean-root-of-load", rng, clock, np.sqrt(clock.users) * rng.uniform(1.25, 9.2)
    )


def clean_stairs(rng: Rng) -> Case:
    """The load goes up in stairs, and connections with it."""
    stairs = int(rng.integers(2, 6))
    clock = draw_clock(
        rng, lambda share: (1 + np.floor(np.minimum(share, 0.999) * stairs)) / stairs
    )
    return clean_case(
        "clean-stairs", rng, clock, clock.users * rng.uniform(0.625, 4.6), resource="connections"
    )


def clean_load_peak(rng: Rng) -> Case:
    """A peak of load in the middle; what it needed is reaped after a while."""
    centre, width = rng.uniform(0.266, 0.5), rng.uniform(0.0452, 0.12)
    clock = draw_clock(rng, lambda share: 0.3 + 0.7 * np.exp(-(((share - centre) / width) ** 2)))
    kept = np.zeros(len(clock.at))
    hold = max(1, int(0.05 * len(clock.at)))
    for i in range(len(kept)):
        kept[i] = clock.users[max(0, i - hold) : i + 1].max()
    return clean_case("clean-load-peak", rng, clock, kept * rng.uniform(0.625, 3.45))


def clean_falling(rng: Rng) -> Case:
    """High at first, and ever lower."""
    clock = draw_clock(rng)
    return clean_case(
        "clean-falling", rng, clock, rng.uniform(12.5, 103) * np.exp(-3 * clock.share)
    )


def clean_up_and_down(rng: Rng) -> Case:
    """Up by a step for a while, and down again."""
    clock = draw_clock(rng)
    begin, end = rng.uniform(0.113, 0.3), rng.uniform(0.423, 0.75)
    up = (clock.share > begin) & (clock.share < end)
    return clean_case("clean-up-and-down", rng, clock, rng.uniform(6.25, 92) * up)


def clean_outage(rng: Rng) -> Case:
    """The broker goes down: connections fall, and come back with an overshoot."""
    clock = draw_clock(rng)
    held, down = rng.uniform(7.5, 46), rng.uniform(0.226, 0.6)
    back = down + rng.uniform(0.0252, 0.1)
    level = np.where((clock.share > down) & (clock.share < back), 0.0, held)
    level += np.where(clock.share >= back, 0.6 * held * np.exp(-(clock.share - back) / 0.02), 0.0)
    return clean_case("clean-outage", rng, clock, level, resource="connections", most=3.0)


def clean_staggered(rng: Rng) -> Case:
    """Four workers that are recycled in turn, each warming up for a while."""
    clock = draw_clock(rng)
    lives, warm = [], rng.uniform(5, 46)
    cycles = int(rng.integers(2, 6))
    for worker in range(4):
        cuts = np.r_[0, np.sort((np.arange(cycles) + rng.uniform(0.2, 0.8, cycles)) / cycles), 1.01]
        for number, (begin, end) in enumerate(itertools.pairwise(cuts)):
            inside = (clock.share >= begin) & (clock.share < end)
            age = (clock.share - begin) / 0.02
            level = (
                20 + warm * (1 - np.exp(-np.maximum(age, 0))) + rng.normal(0, 0.8, len(clock.at))
            )
            lives.append(
                Life(100 * worker + number + 1, "worker", np.where(inside, seen(level), np.nan))
            )
    run = build_run(clock, lives, fds_limit=1024.0)
    return Case(
        "clean-staggered", "clean", "fds", len(clock.at) / cycles > 60, run, {"cycles": cycles}
    )


def clean_cron(rng: Rng) -> Case:
    """A job that comes at fixed times and needs much for a while."""
    clock = draw_clock(rng)
    busy = (clock.share * rng.uniform(5, 34.5) + rng.uniform()) % 1.0 < rng.uniform(0.0663, 0.3)
    return clean_case("clean-cron", rng, clock, rng.uniform(6.25, 69) * busy)


def clean_many_memories(rng: Rng) -> Case:
    """Noise with memories from a second to a hundredth of the run, all at once."""
    clock = draw_clock(rng)
    memories = np.geomspace(1.0, max(2.0, 0.012 * clock.duration_s), 4)
    total = np.sum(
        [Noise(log_uniform(rng, 0.5, 4), m).draw(rng, clock.at) for m in memories], axis=0
    )
    level = seen(draw_level(rng) + total)
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    worst = Noise(1.0, float(memories[-1]))
    return Case("clean-many-memories", "clean", "fds", clean_is_visible(clock, worst), run, {})


def clean_cache(rng: Rng) -> Case:
    """A cache in memory that fills up to its bound."""
    clock = draw_clock(rng)
    full = rng.uniform(0.179, 0.6)
    cache = rng.uniform(1.25e07, 3.45e08) * np.minimum(clock.share / full, 1.0)
    noise = Noise(log_uniform(rng, 0.1e6, 1.5e6), float(rng.uniform(0, 9.2)))
    return _memory_case("clean-cache", clock, cache + noise.draw(rng, clock.at), noise)


def clean_arenas(rng: Rng) -> Case:
    """An allocator that takes a few large pieces early on, and breathes."""
    clock = draw_clock(rng)
    jumps = np.sort(rng.exponential(0.06, rng.integers(2, 6)))
    taken = rng.uniform(2.5e06, 2.3e07) * np.searchsorted(jumps, clock.share)
    noise = Noise(log_uniform(rng, 0.1e6, 1.0e6), float(rng.uniform(0, 9.2)))
    return _memory_case("clean-arenas", clock, taken + noise.draw(rng, clock.at), noise)


def _memory_case(shape: str, clock: Clock, extra: Floats, noise: Noise) -> Case:
    level: NDArray[np.float64] = np.round((95e6 + extra) / 4096) * 4096
    run = build_run(clock, [Life(7, "worker", level)], "rss_bytes")
    return Case(shape, "clean", "rss_bytes", clean_is_visible(clock, noise), run, {"noise": noise})


def clean_returning(rng: Rng) -> Case:
    """High after the start, low for a while, and back at its level before the middle."""
    clock = draw_clock(rng)
    depth, width = rng.uniform(6, 50), rng.uniform(0.05, 0.12)
    dip = -depth * np.exp(-(((clock.share - 0.15) / width) ** 2))
    start = rng.uniform(3, 30) * np.exp(-clock.share / 0.02)
    return clean_case("clean-returning", rng, clock, depth + dip + start)


def undecided_hyperbola(rng: Rng) -> Case:
    """A fill that slows down like a hyperbola and is far from its end."""
    clock = draw_clock(rng)
    scale = rng.uniform(0.173, 0.5)
    fill = log_uniform(rng, 150, 3_000) * clock.share / (clock.share + scale)
    level = seen(draw_level(rng) + fill + Noise(0.7, 2.0).draw(rng, clock.at))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    return Case("undecided-hyperbola", "undecided", "fds", True, run, {"scale": scale})


def undecided_two_fills(rng: Rng) -> Case:
    """One fill that ends soon, and one that has not ended."""
    clock = draw_clock(rng)
    fill = rng.uniform(25, 92) * (1 - np.exp(-clock.share / 0.03))
    fill = fill + log_uniform(rng, 150, 900) * (1 - np.exp(-clock.share / rng.uniform(0.313, 0.5)))
    level = seen(draw_level(rng) + fill + Noise(0.5, 0.0).draw(rng, clock.at))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    return Case("undecided-two-fills", "undecided", "fds", True, run, {})
