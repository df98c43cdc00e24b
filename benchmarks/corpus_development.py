"""The part of the corpus that the method was developed on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from analysis.run import Event
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

Maker = Callable[[Rng], Case]


def _clock(rng: Rng, shape: Callable[[Floats], Floats] | None = None) -> Clock:
    duration = float(np.exp(rng.uniform(np.log(120), np.log(86_400))))
    interval = float(rng.choice([1.0, 1.0, 0.5])) if duration < 7_200 else 5.0
    return make_clock(
        rng, duration, interval, float(np.exp(rng.uniform(np.log(2), np.log(100)))), shape=shape
    )


def _noise(rng: Rng, clock: Clock) -> Noise:
    kind = rng.choice(["none", "white", "short", "long"])
    sigma = float(rng.choice([1.0, 2.0, 5.0, 10.0]))
    if kind == "none":
        return Noise()
    if kind == "white":
        return Noise(sigma)
    if kind == "short":
        return Noise(sigma, float(rng.uniform(2, 8)))
    return Noise(sigma, float(rng.uniform(0.005, 0.02)) * clock.duration_s)


def _rate(rng: Rng, clock: Clock) -> float:
    """A leak rate between 1 per 2,000 requests and 2 per request that the run has room for."""
    least = max(1 / 2000, 15 / clock.requests[-1])
    return float(np.exp(rng.uniform(np.log(least), np.log(max(2.0, 2 * least)))))


def _base(rng: Rng) -> float:
    return float(rng.integers(15, 150))


def _leak(
    shape: str,
    rng: Rng,
    clock: Clock,
    extra: Floats | float,
    noise: Noise,
    *,
    clump: float = 1.0,
    wave: float = 0.0,
    gaps: np.ndarray | None = None,
) -> Case:
    rate = _rate(rng, clock)
    level = _base(rng) + extra + leaked(rng, clock, rate, clump) + noise.draw(rng, clock.at)
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


def _clean(
    shape: str,
    rng: Rng,
    clock: Clock,
    extra: Floats | float,
    noise: Noise,
    *,
    gaps: np.ndarray | None = None,
) -> Case:
    level = _base(rng) + extra + noise.draw(rng, clock.at)
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


def leak_linear(rng: Rng) -> Case:
    """Steady growth in noise."""
    clock = _clock(rng)
    return _leak("leak-linear", rng, clock, 0.0, _noise(rng, clock))


def leak_after_warm_up(rng: Rng) -> Case:
    """A warm-up that ends, with a leak below it."""
    clock = _clock(rng)
    warm = rng.uniform(5, 60) * (1 - np.exp(-clock.share / rng.uniform(0.01, 0.06)))
    return _leak("leak-after-warm-up", rng, clock, warm, _noise(rng, clock))


def leak_sawtooth(rng: Rng) -> Case:
    """A leak under a sawtooth."""
    clock = _clock(rng)
    wave = rng.uniform(5, 40)
    teeth = wave * ((clock.share * rng.uniform(8, 60)) % 1.0)
    return _leak("leak-sawtooth", rng, clock, teeth, _noise(rng, clock), wave=wave)


def leak_ramp(rng: Rng) -> Case:
    """Connections follow the users, who ramp up for a while; and something leaks."""
    until = rng.uniform(0.2, 0.6)
    clock = _clock(rng, lambda share: np.minimum(0.05 + share / until, 1.0))
    return _leak("leak-ramp", rng, clock, clock.users * rng.uniform(0.5, 3), _noise(rng, clock))


def leak_clumps(rng: Rng) -> Case:
    """A leak of several descriptors at a time, now and then."""
    clock = _clock(rng)
    clump = float(rng.integers(3, 9))
    return _leak("leak-clumps", rng, clock, 0.0, _noise(rng, clock), clump=clump)


def leak_gaps(rng: Rng) -> Case:
    """A leak with holes in the recording."""
    clock = _clock(rng)
    gaps = np.zeros(len(clock.at), dtype=bool)
    for _ in range(3):
        begin = rng.uniform(0.05, 0.85)
        gaps |= (clock.share > begin) & (clock.share < begin + rng.uniform(0.02, 0.12))
    return _leak("leak-gaps", rng, clock, 0.0, _noise(rng, clock), gaps=gaps)


def leak_one_of_two(rng: Rng) -> Case:
    """Two processes of which one leaks."""
    clock = _clock(rng)
    noise, rate = _noise(rng, clock), _rate(rng, clock)
    bad = seen(_base(rng) + leaked(rng, clock, rate) + noise.draw(rng, clock.at))
    good = seen(_base(rng) + noise.draw(rng, clock.at))
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
    clock = _clock(rng)
    lives = int(rng.integers(3, 9))
    rate = _rate(rng, clock)
    warm = rng.uniform(5, 30)
    level = leaked(rng, clock, rate)
    parts = _lives(
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
    clock = _clock(rng)
    noise = Noise(float(rng.choice([0.0, 1.0])))
    base, limit = _base(rng), float(rng.choice([256, 1024, 4096]))
    dies_at = rng.uniform(0.3, 0.9)
    rate = (limit - base) / (clock.requests[-1] * dies_at)
    level = np.minimum(base + leaked(rng, clock, rate), limit)
    died = float(clock.at[np.argmax(level >= limit)]) if (level >= limit).any() else None
    value = np.where(level >= limit, limit, seen(level + noise.draw(rng, clock.at)))
    events = () if died is None else (Event(1.7e9 + died, died, "emfile", {}),)
    run = build_run(clock, [Life(11, "gunicorn", value)], fds_limit=limit, events=events)
    return Case("leak-exhausted", "leak", "fds", True, run, {"limit": limit, "dies_at": dies_at})


def leak_memory(rng: Rng) -> Case:
    """Resident memory: a warm-up that levels off, page noise, and a leak of bytes per request."""
    clock = _clock(rng)
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


def clean_flat(rng: Rng) -> Case:
    """Nothing but noise."""
    clock = _clock(rng)
    return _clean("clean-flat", rng, clock, 0.0, _noise(rng, clock))


def clean_warm_up(rng: Rng) -> Case:
    """A warm-up that ends."""
    clock = _clock(rng)
    warm = rng.uniform(5, 300) * (1 - np.exp(-clock.share / rng.uniform(0.01, 0.08)))
    return _clean("clean-warm-up", rng, clock, warm, _noise(rng, clock))


def clean_pool(rng: Rng) -> Case:
    """A pool that fills at a steady rate and is then full."""
    clock = _clock(rng)
    full = rng.uniform(0.1, 0.6)
    pool = rng.uniform(8, 200) * np.minimum(clock.share / full, 1.0)
    return _clean("clean-pool", rng, clock, pool, _noise(rng, clock))


def clean_sawtooth(rng: Rng) -> Case:
    """A sawtooth: collected now and then."""
    clock = _clock(rng)
    teeth = rng.uniform(5, 100) * ((clock.share * rng.uniform(5, 80)) % 1.0)
    return _clean("clean-sawtooth", rng, clock, teeth, _noise(rng, clock))


def clean_ramp(rng: Rng) -> Case:
    """Connections follow users who ramp up to the very end, or nearly."""
    until = rng.uniform(0.4, 1.2)
    clock = _clock(rng, lambda share: np.minimum(0.05 + share / until, 1.0))
    noise = _noise(rng, clock)
    return _clean("clean-ramp", rng, clock, clock.users * rng.uniform(0.5, 10), noise)


def clean_high_water(rng: Rng) -> Case:
    """Threads that are kept when the load that needed them has gone."""
    clock = _clock(rng, lambda share: 0.2 + 0.8 * np.sin(np.pi * np.minimum(share * 1.2, 1.0)))
    kept = np.maximum.accumulate(clock.users) * rng.uniform(0.5, 5)
    return _clean("clean-high-water", rng, clock, kept, _noise(rng, clock))


def clean_daily(rng: Rng) -> Case:
    """Load in waves, and connections with it."""
    waves = rng.uniform(1.5, 6)
    clock = _clock(rng, lambda share: 0.6 + 0.4 * np.sin(2 * np.pi * waves * share))
    return _clean("clean-daily", rng, clock, clock.users * rng.uniform(1, 8), _noise(rng, clock))


def clean_step(rng: Rng) -> Case:
    """One step, for whatever reason, and flat before and after."""
    clock = _clock(rng)
    step = rng.uniform(3, 60) * (clock.share > rng.uniform(0.1, 0.75))
    return _clean("clean-step", rng, clock, step, _noise(rng, clock))


def clean_stopped(rng: Rng) -> Case:
    """A leak that stopped."""
    clock = _clock(rng)
    level = leaked(rng, clock, _rate(rng, clock))
    stop = np.searchsorted(clock.share, rng.uniform(0.3, 0.6))
    return _clean("clean-stopped", rng, clock, np.minimum(level, level[stop]), _noise(rng, clock))


def clean_bursts(rng: Rng) -> Case:
    """Bursts that last a while."""
    clock = _clock(rng)
    busy = np.zeros(len(clock.at))
    for at in rng.uniform(0, 1, rng.integers(3, 30)):
        busy += rng.uniform(5, 80) * (np.abs(clock.share - at) < rng.uniform(0.001, 0.012))
    return _clean("clean-bursts", rng, clock, busy, _noise(rng, clock))


def clean_gaps(rng: Rng) -> Case:
    """Noise with holes in the recording."""
    clock = _clock(rng)
    begin = rng.uniform(0.1, 0.7)
    gaps = (clock.share > begin) & (clock.share < begin + rng.uniform(0.05, 0.25))
    return _clean("clean-gaps", rng, clock, 0.0, _noise(rng, clock), gaps=gaps)


def clean_restarts(rng: Rng) -> Case:
    """Workers that are restarted and warm up anew each time, to another level."""
    clock = _clock(rng)
    count = int(rng.integers(2, 10))
    warm = rng.uniform(5, 60)
    parts = _lives(
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
    clock = _clock(rng)
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
    clock = _clock(rng)
    noise = Noise(float(rng.choice([0.0, 0.5, 1.0])))
    fill = rng.uniform(80, 800) * (1 - np.exp(-clock.share / rng.uniform(0.35, 0.7)))
    level = seen(_base(rng) + fill + noise.draw(rng, clock.at))
    run = build_run(clock, [Life(11, "gunicorn", level)], fds_limit=limit_above(level))
    return Case("undecided-fill", "undecided", "fds", True, run, {"noise": noise})


def _lives(
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


LEAKS: tuple[Maker, ...] = (
    leak_linear,
    leak_after_warm_up,
    leak_sawtooth,
    leak_ramp,
    leak_clumps,
    leak_gaps,
    leak_one_of_two,
    leak_recycled,
    leak_exhausted,
    leak_memory,
)
CLEAN: tuple[Maker, ...] = (
    clean_flat,
    clean_warm_up,
    clean_pool,
    clean_sawtooth,
    clean_ramp,
    clean_high_water,
    clean_daily,
    clean_step,
    clean_stopped,
    clean_bursts,
    clean_gaps,
    clean_restarts,
    clean_memory,
)
UNDECIDED: tuple[Maker, ...] = (undecided_fill,)
