"""The leaks of the test part."""

from __future__ import annotations

import numpy as np

from benchmarks.corpus import (
    Case,
    Life,
    Noise,
    Rng,
    build_run,
    leak_is_visible,
    leaked,
    limit_above,
    out_of_descriptors,
    seen,
)
from benchmarks.corpus_test_parts import (
    disturbance_of,
    draw_clock,
    draw_level,
    draw_rate,
    leak_case,
    log_uniform,
    visible_noise,
)


def leak_faster_later(rng: Rng) -> Case:
    """A leak whose rate doubles or triples on the way."""
    clock = draw_clock(rng)
    change = rng.uniform(0.32, 0.6)
    steps = clock.arrivals * np.where(clock.share > change, rng.uniform(2.5, 3.45), 1.0)
    return leak_case(
        "leak-faster-later", rng, clock, np.cumsum(rng.poisson(steps * draw_rate(rng, clock)))
    )


def leak_by_time(rng: Rng) -> Case:
    """A timer leaks, whatever the load does."""
    clock = draw_clock(rng)
    total = log_uniform(rng, 25, 2_000)
    lost = np.cumsum(rng.poisson(total / len(clock.at), len(clock.at))).astype(float)
    return leak_case("leak-by-time", rng, clock, lost)


def leak_in_episodes(rng: Rng) -> Case:
    """It leaks only while something is amiss, which happens time and again."""
    clock = draw_clock(rng)
    count = int(rng.integers(10, 24))
    amiss = (clock.share * count + rng.uniform()) % 1.0 < rng.uniform(0.226, 0.6)
    lost = np.cumsum(rng.poisson(clock.arrivals * amiss * 2 * draw_rate(rng, clock))).astype(float)
    return leak_case("leak-in-episodes", rng, clock, lost, clump=float(lost[-1]) / count / 3 + 1)


def leak_under_waves(rng: Rng) -> Case:
    """Load in waves, connections with it, and a leak below."""
    waves = rng.uniform(3.12, 10.3)
    clock = draw_clock(rng, lambda share: 0.65 + 0.35 * np.cos(2 * np.pi * waves * share))
    busy = clock.users * rng.uniform(0.375, 2.3)
    return leak_case(
        "leak-under-waves", rng, clock, leaked(rng, clock, draw_rate(rng, clock)), busy
    )


def leak_four_workers(rng: Rng) -> Case:
    """Four workers of unequal shares, all of which leak."""
    clock = draw_clock(rng)
    rate, shares = draw_rate(rng, clock, 60.0), rng.dirichlet([4.0] * 4)
    disturbance = disturbance_of(rng, clock, 3.0)
    lives, lost = [], 0.0
    for number, share in enumerate(shares):
        own = np.cumsum(rng.poisson(clock.arrivals * rate * share)).astype(float)
        lost += float(own[-1])
        level = seen(draw_level(rng) + own + disturbance.draw(rng, clock))
        lives.append(Life(20 + number, "worker", level))
    highest = max(float(np.max(life.value)) for life in lives)
    run = build_run(clock, lives, fds_limit=limit_above(np.array([highest])))
    noise = visible_noise(disturbance)
    visible = leak_is_visible(clock, lost, Noise(2 * noise.sigma, noise.memory_s))
    return Case(
        "leak-four-workers", "leak", "fds", visible, run, {"lost": lost, "noise": disturbance}
    )


def leak_restarted_once(rng: Rng) -> Case:
    """A leaking process is restarted somewhere in the middle and leaks on."""
    clock = draw_clock(rng)
    rate, at = draw_rate(rng, clock, 60.0), rng.uniform(0.326, 0.7)
    disturbance = disturbance_of(rng, clock, 4.0)
    lost = leaked(rng, clock, rate)
    level = draw_level(rng) + disturbance.draw(rng, clock)
    first, second = clock.share < at, clock.share >= at + 0.005
    lives = [
        Life(30, "worker", np.where(first, seen(level + lost), np.nan)),
        Life(31, "worker", np.where(second, seen(level + lost - lost[second][0]), np.nan)),
    ]
    longest = max(at, 1 - at)
    run = build_run(clock, lives, fds_limit=limit_above(level + lost))
    visible = leak_is_visible(clock, float(lost[-1]) * longest, visible_noise(disturbance))
    return Case(
        "leak-restarted-once", "leak", "fds", visible, run, {"at": at, "noise": disturbance}
    )


def leak_below_pool(rng: Rng) -> Case:
    """A pool fills in jumps, is full after a fifth of the run at most, and something leaks."""
    clock = draw_clock(rng)
    jumps = np.sort(rng.uniform(0, 0.2, rng.integers(3, 9)))
    pool = rng.uniform(5, 18.4) * np.searchsorted(jumps, clock.share)
    return leak_case(
        "leak-below-pool", rng, clock, leaked(rng, clock, draw_rate(rng, clock)), pool, share=0.8
    )


def leak_from_later_on(rng: Rng) -> Case:
    """It begins to leak after a quarter or so, when a feature is switched on."""
    clock = draw_clock(rng)
    begin = rng.uniform(0.166, 0.4)
    steps = clock.arrivals * (clock.share > begin) * draw_rate(rng, clock, 40.0)
    return leak_case(
        "leak-from-later-on", rng, clock, np.cumsum(rng.poisson(steps)).astype(float), share=0.7
    )


def leak_threads(rng: Rng) -> Case:
    """Threads, three at a time, over a pool that breathes."""
    clock = draw_clock(rng)
    breath = 4.0 * np.sin(2 * np.pi * clock.share * rng.uniform(6.25, 46))
    lost = leaked(rng, clock, draw_rate(rng, clock, 60.0), 3.0)
    return leak_case(
        "leak-threads", rng, clock, lost, breath, resource="threads", clump=3.0, wave=8.0
    )


def leak_connections_on_stairs(rng: Rng) -> Case:
    """The load goes up in stairs, and connections leak."""
    stairs = int(rng.integers(2, 5))
    clock = draw_clock(
        rng, lambda share: (1 + np.floor(np.minimum(share, 0.999) * stairs)) / stairs
    )
    held = clock.users * rng.uniform(0.25, 1.72)
    return leak_case(
        "leak-connections-on-stairs",
        rng,
        clock,
        leaked(rng, clock, draw_rate(rng, clock, 80.0)),
        held,
        resource="connections",
        share=0.5,
    )


def leak_few_pieces(rng: Rng) -> Case:
    """No noise at all, and only 20 to 40 pieces in the whole run."""
    clock = draw_clock(rng)
    pieces = rng.uniform(25, 46)
    level = seen(draw_level(rng) + leaked(rng, clock, pieces / clock.requests[-1]))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=1024.0)
    grown = float(level[-1] - level[0])
    return Case("leak-few-pieces", "leak", "fds", grown >= 20, run, {"pieces": pieces})


def leak_until_dead(rng: Rng) -> Case:
    """Under a ramp to the limit, where it stays; the sampler loses some ticks."""
    rise = rng.uniform(0.113, 0.3)
    clock = draw_clock(rng, lambda share: np.minimum(0.2 + 0.8 * share / rise, 1.0))
    base, limit = float(rng.integers(20, 60)), float(rng.choice([512.0, 2048.0, 8192.0]))
    each = float(rng.integers(1, 9))
    rate = (limit - base) / (clock.requests[-1] * rng.uniform(0.382, 0.85))
    lost = base + leaked(rng, clock, rate, each)
    dead = lost >= limit
    level = np.minimum(lost, limit)
    kept = np.where(rng.random(len(level)) < 0.03, np.nan, seen(level))
    at = float(clock.at[np.argmax(dead)]) if dead.any() else None
    run = build_run(
        clock, [Life(7, "worker", kept)], fds_limit=limit, events=out_of_descriptors(at)
    )
    return Case(
        "leak-until-dead",
        "leak",
        "fds",
        bool(dead.any()) and rate * clock.requests[-1] > 10 * each,
        run,
        {"limit": limit, "each": each},
    )


def leak_memory_collected(rng: Rng) -> Case:
    """Memory that is collected now and then, with a floor that rises."""
    clock = draw_clock(rng)
    growth = log_uniform(rng, 20e6, 900e6)
    wave = rng.uniform(3.75e06, 1.72e07)
    teeth = wave * ((clock.share * rng.uniform(18.8, 103)) % 1.0)
    noise = Noise(log_uniform(rng, 0.1e6, 0.8e6), float(rng.uniform(0, 9.2)))
    level = 85e6 + teeth + growth * clock.requests / clock.requests[-1] + noise.draw(rng, clock.at)
    run = build_run(clock, [Life(7, "worker", np.round(level / 4096) * 4096)], "rss_bytes")
    visible = leak_is_visible(clock, growth, noise, 1.0, wave)
    return Case("leak-memory-collected", "leak", "rss_bytes", visible, run, {"growth": growth})


def leak_partly_released(rng: Rng) -> Case:
    """A third of what has leaked is given back now and then."""
    clock = draw_clock(rng)
    lost = leaked(rng, clock, draw_rate(rng, clock, 90.0))
    level = np.zeros(len(lost))
    released, turns = 0.0, np.sort(rng.uniform(0.05, 0.98, rng.integers(6, 20)))
    since = np.searchsorted(turns, clock.share)
    for turn in range(len(turns) + 1):
        inside = since == turn
        if inside.any():
            level[inside] = lost[inside] - released
            released += 0.33 * (level[inside][-1] - level[inside][0])
    wave = float(level[-1]) / len(turns)
    return leak_case("leak-partly-released", rng, clock, level, wave=wave)
