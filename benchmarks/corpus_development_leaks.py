"""The leaks of the development part."""

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
from benchmarks.corpus_development_parts import (
    draw_base,
    draw_clock,
    draw_lives,
    draw_noise,
    draw_rate,
    leak_case,
)


def leak_linear(rng: Rng) -> Case:
    """Steady growth in noise."""
    clock = draw_clock(rng)
    return leak_case("leak-linear", rng, clock, 0.0, draw_noise(rng, clock))


def leak_after_warm_up(rng: Rng) -> Case:
    """A warm-up that ends, with a leak below it."""
    clock = draw_clock(rng)
    warm = rng.uniform(5, 60) * (1 - np.exp(-clock.share / rng.uniform(0.01, 0.06)))
    return leak_case("leak-after-warm-up", rng, clock, warm, draw_noise(rng, clock))


def leak_sawtooth(rng: Rng) -> Case:
    """A leak under a sawtooth."""
    clock = draw_clock(rng)
    wave = rng.uniform(5, 40)
    teeth = wave * ((clock.share * rng.uniform(8, 60)) % 1.0)
    return leak_case("leak-sawtooth", rng, clock, teeth, draw_noise(rng, clock), wave=wave)


def leak_ramp(rng: Rng) -> Case:
    """Connections follow the users, who ramp up for a while; and something leaks."""
    until = rng.uniform(0.2, 0.6)
    clock = draw_clock(rng, lambda share: np.minimum(0.05 + share / until, 1.0))
    return leak_case(
        "leak-ramp", rng, clock, clock.users * rng.uniform(0.5, 3), draw_noise(rng, clock)
    )


def leak_clumps(rng: Rng) -> Case:
    """A leak of several descriptors at a time, now and then."""
    clock = draw_clock(rng)
    clump = float(rng.integers(3, 9))
    return leak_case("leak-clumps", rng, clock, 0.0, draw_noise(rng, clock), clump=clump)


def leak_gaps(rng: Rng) -> Case:
    """A leak with holes in the recording."""
    clock = draw_clock(rng)
    gaps = np.zeros(len(clock.at), dtype=bool)
    for _ in range(3):
        begin = rng.uniform(0.05, 0.85)
        gaps |= (clock.share > begin) & (clock.share < begin + rng.uniform(0.02, 0.12))
    return leak_case("leak-gaps", rng, clock, 0.0, draw_noise(rng, clock), gaps=gaps)


def leak_one_of_two(rng: Rng) -> Case:
    """Two processes of which one leaks."""
    clock = draw_clock(rng)
    noise, rate = draw_noise(rng, clock), draw_rate(rng, clock)
    bad = seen(draw_base(rng) + leaked(rng, clock, rate) + noise.draw(rng, clock.at))
    good = seen(draw_base(rng) + noise.draw(rng, clock.at))
    run = build_run(
        clock, [Life(11, "gunicorn", bad), Life(12, "gunicorn", good)], fds_limit=limit_above(bad)
    )
    growth = rate * clock.requests[-1]
    return Case(
        "leak-one-of-two",
        "leak",
        "fds",
        leak_is_visible(clock, growth, noise),
        run,
        {"rate": rate, "growth": growth, "noise": noise},
    )


def leak_recycled(rng: Rng) -> Case:
    """Workers that are recycled before the leak kills them."""
    clock = draw_clock(rng)
    lives = int(rng.integers(3, 9))
    rate = draw_rate(rng, clock)
    warm = rng.uniform(5, 30)
    level = leaked(rng, clock, rate)
    parts = draw_lives(
        rng,
        clock,
        lives,
        lambda inside: (
            20
            + level[inside]
            - level[inside][0]
            + warm * (1 - np.exp(-np.linspace(0, 1, inside.sum()) / 0.04))
        ),
        Noise(1.0),
    )
    growth = rate * clock.requests[-1] / lives
    return Case(
        "leak-recycled",
        "leak",
        "fds",
        leak_is_visible(clock, growth, Noise(1.0)) and len(clock.at) / lives > 40,
        build_run(clock, parts, fds_limit=65536),
        {"rate": rate, "lives": lives},
    )


def leak_exhausted(rng: Rng) -> Case:
    """A leak that reaches the limit and stays there."""
    clock = draw_clock(rng)
    noise = Noise(float(rng.choice([0.0, 1.0])))
    base, limit = draw_base(rng), float(rng.choice([256, 1024, 4096]))
    dies_at = rng.uniform(0.3, 0.9)
    rate = (limit - base) / (clock.requests[-1] * dies_at)
    level = np.minimum(base + leaked(rng, clock, rate), limit)
    died = float(clock.at[np.argmax(level >= limit)]) if (level >= limit).any() else None
    value = np.where(level >= limit, limit, seen(level + noise.draw(rng, clock.at)))
    run = build_run(
        clock, [Life(11, "gunicorn", value)], fds_limit=limit, events=out_of_descriptors(died)
    )
    return Case("leak-exhausted", "leak", "fds", True, run, {"limit": limit, "dies_at": dies_at})


def leak_memory(rng: Rng) -> Case:
    """Resident memory: a warm-up that levels off, page noise, and a leak of bytes per request."""
    clock = draw_clock(rng)
    noise = Noise(float(rng.uniform(0.1e6, 1e6)), float(rng.uniform(0, 5)))
    growth = float(np.exp(rng.uniform(np.log(8e6), np.log(400e6))))
    warm = rng.uniform(2e6, 10e6) * (1 - np.exp(-clock.share / rng.uniform(0.01, 0.05)))
    level = 60e6 + warm + growth * clock.requests / clock.requests[-1] + noise.draw(rng, clock.at)
    run = build_run(clock, [Life(11, "gunicorn", np.round(level / 4096) * 4096)], "rss_bytes")
    return Case(
        "leak-memory",
        "leak",
        "rss_bytes",
        leak_is_visible(clock, growth, noise),
        run,
        {"growth": growth, "noise": noise},
    )
