"""The clean series of the development part, and those that nobody can tell."""

from __future__ import annotations

import numpy as np

from benchmarks.corpus import (
    Case,
    Life,
    Noise,
    Rng,
    build_run,
    clean_is_visible,
    leaked,
    limit_above,
    seen,
)
from benchmarks.corpus_development_parts import (
    clean_case,
    draw_base,
    draw_clock,
    draw_lives,
    draw_noise,
    draw_rate,
)


def clean_flat(rng: Rng) -> Case:
    """Nothing but noise."""
    clock = draw_clock(rng)
    return clean_case("clean-flat", rng, clock, 0.0, draw_noise(rng, clock))


def clean_warm_up(rng: Rng) -> Case:
    """A warm-up that ends."""
    clock = draw_clock(rng)
    warm = rng.uniform(5, 300) * (1 - np.exp(-clock.share / rng.uniform(0.01, 0.08)))
    return clean_case("clean-warm-up", rng, clock, warm, draw_noise(rng, clock))


def clean_pool(rng: Rng) -> Case:
    """A pool that fills at a steady rate and is then full."""
    clock = draw_clock(rng)
    full = rng.uniform(0.1, 0.6)
    pool = rng.uniform(8, 200) * np.minimum(clock.share / full, 1.0)
    return clean_case("clean-pool", rng, clock, pool, draw_noise(rng, clock))


def clean_sawtooth(rng: Rng) -> Case:
    """A sawtooth: collected now and then."""
    clock = draw_clock(rng)
    teeth = rng.uniform(5, 100) * ((clock.share * rng.uniform(5, 80)) % 1.0)
    return clean_case("clean-sawtooth", rng, clock, teeth, draw_noise(rng, clock))


def clean_ramp(rng: Rng) -> Case:
    """Connections follow users who ramp up to the very end, or nearly."""
    until = rng.uniform(0.4, 1.2)
    clock = draw_clock(rng, lambda share: np.minimum(0.05 + share / until, 1.0))
    noise = draw_noise(rng, clock)
    return clean_case("clean-ramp", rng, clock, clock.users * rng.uniform(0.5, 10), noise)


def clean_high_water(rng: Rng) -> Case:
    """Threads that are kept when the load that needed them has gone."""
    clock = draw_clock(rng, lambda share: 0.2 + 0.8 * np.sin(np.pi * np.minimum(share * 1.2, 1.0)))
    kept = np.maximum.accumulate(clock.users) * rng.uniform(0.5, 5)
    return clean_case("clean-high-water", rng, clock, kept, draw_noise(rng, clock))


def clean_daily(rng: Rng) -> Case:
    """Load in waves, and connections with it."""
    waves = rng.uniform(1.5, 6)
    clock = draw_clock(rng, lambda share: 0.6 + 0.4 * np.sin(2 * np.pi * waves * share))
    return clean_case(
        "clean-daily", rng, clock, clock.users * rng.uniform(1, 8), draw_noise(rng, clock)
    )


def clean_step(rng: Rng) -> Case:
    """One step, for whatever reason, and flat before and after."""
    clock = draw_clock(rng)
    step = rng.uniform(3, 60) * (clock.share > rng.uniform(0.1, 0.75))
    return clean_case("clean-step", rng, clock, step, draw_noise(rng, clock))


def clean_stopped(rng: Rng) -> Case:
    """A leak that stopped."""
    clock = draw_clock(rng)
    level = leaked(rng, clock, draw_rate(rng, clock))
    stop = np.searchsorted(clock.share, rng.uniform(0.3, 0.6))
    return clean_case(
        "clean-stopped", rng, clock, np.minimum(level, level[stop]), draw_noise(rng, clock)
    )


def clean_bursts(rng: Rng) -> Case:
    """Bursts that last a while."""
    clock = draw_clock(rng)
    busy = np.zeros(len(clock.at))
    for at in rng.uniform(0, 1, rng.integers(3, 30)):
        busy += rng.uniform(5, 80) * (np.abs(clock.share - at) < rng.uniform(0.001, 0.012))
    return clean_case("clean-bursts", rng, clock, busy, draw_noise(rng, clock))


def clean_gaps(rng: Rng) -> Case:
    """Noise with holes in the recording."""
    clock = draw_clock(rng)
    begin = rng.uniform(0.1, 0.7)
    gaps = (clock.share > begin) & (clock.share < begin + rng.uniform(0.05, 0.25))
    return clean_case("clean-gaps", rng, clock, 0.0, draw_noise(rng, clock), gaps=gaps)


def clean_restarts(rng: Rng) -> Case:
    """Workers that are restarted and warm up anew each time, to another level."""
    clock = draw_clock(rng)
    count = int(rng.integers(2, 10))
    warm = rng.uniform(5, 60)
    parts = draw_lives(
        rng,
        clock,
        count,
        lambda inside: (
            rng.uniform(15, 60)
            + warm * (1 - np.exp(-np.linspace(0, 1, inside.sum()) / rng.uniform(0.01, 0.05)))
        ),
        Noise(float(rng.choice([0.0, 1.0, 3.0]))),
    )
    return Case(
        "clean-restarts",
        "clean",
        "fds",
        len(clock.at) / count > 40,
        build_run(clock, parts, fds_limit=4096),
        {"lives": count},
    )


def clean_memory(rng: Rng) -> Case:
    """Resident memory that levels off."""
    clock = draw_clock(rng)
    noise = Noise(float(rng.uniform(0.05e6, 1e6)), float(rng.uniform(0, 5)))
    fast = rng.uniform(2e6, 30e6) * (1 - np.exp(-clock.share / rng.uniform(0.01, 0.06)))
    slow = rng.uniform(0, 1.0e6) * np.log1p(clock.share * 50) / np.log(51)
    level = 60e6 + fast + slow + noise.draw(rng, clock.at)
    run = build_run(clock, [Life(11, "gunicorn", np.round(level / 4096) * 4096)], "rss_bytes")
    return Case(
        "clean-memory", "clean", "rss_bytes", clean_is_visible(clock, noise), run, {"noise": noise}
    )


def undecided_fill(rng: Rng) -> Case:
    """A fill that slows down but has not shown its end."""
    clock = draw_clock(rng)
    noise = Noise(float(rng.choice([0.0, 0.5, 1.0])))
    fill = rng.uniform(80, 800) * (1 - np.exp(-clock.share / rng.uniform(0.35, 0.7)))
    level = seen(draw_base(rng) + fill + noise.draw(rng, clock.at))
    run = build_run(clock, [Life(11, "gunicorn", level)], fds_limit=limit_above(level))
    return Case("undecided-fill", "undecided", "fds", True, run, {"noise": noise})
