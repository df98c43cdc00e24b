"""The part of the corpus that the figures come from.

None of these shapes, rates, levels, noises or load patterns was used while the method was
developed; all of them were drawn anew after its last change. Shapes that share a name with the
development part in everyday speech (a fill, a ramp) have another form here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
from benchmarks.corpus_development import Maker

Shape = Callable[[Floats], Floats]


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _clock(rng: Rng, shape: Shape | None = None, users: float = 24.0) -> Clock:
    """Two minutes to a day; sampled at 0.2 to 8 s with jitter in the load, not in the clock."""
    duration = _log_uniform(rng, 121, 86_000)
    choices = [0.2, 0.4] if duration < 500 else [0.8, 1.5] if duration < 6_000 else [4.0, 8.0]
    interval, rate = float(rng.choice(choices)), _log_uniform(rng, 4, 220)
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


def _disturbance(rng: Rng, clock: Clock, most: float = 8.0) -> Disturbance:
    kind = str(rng.choice(["quiet", "gauss", "tails", "two memories", "in flight"]))
    if kind == "quiet":
        return Disturbance(kind, Noise())
    memory = float(rng.choice([0.0, 1.5, 7.0]))
    if rng.random() < 0.4:
        memory = clock.duration_s * 0.006
    sigma = _log_uniform(rng, 0.8, 1.2 * most)
    return Disturbance(kind, Noise(sigma, 0.0 if kind == "in flight" else memory))


def _rate(rng: Rng, clock: Clock, room: float = 22.0) -> float:
    least = max(1 / 2000, room / clock.requests[-1])
    return _log_uniform(rng, least, max(0.7, 4 * least))


def _level(rng: Rng) -> float:
    return float(rng.integers(35, 330))


def _visible_noise(disturbance: Disturbance) -> Noise:
    worse = 1.7 if disturbance.kind == "tails" else 1.2
    memory = disturbance.noise.memory_s * (4 if disturbance.kind == "two memories" else 1)
    return Noise(disturbance.noise.sigma * worse, memory)


def _leak_case(
    shape: str,
    rng: Rng,
    clock: Clock,
    lost: Floats,
    extra: Floats | float = 0.0,
    *,
    resource: str = "fds",
    clump: float = 1.0,
    wave: float = 0.0,
    share: float = 1.0,
) -> Case:
    """A case of one process that leaks; `share` is the part of the run that shows the leak."""
    disturbance = _disturbance(rng, clock)
    level = seen(_level(rng) + extra + lost + disturbance.draw(rng, clock))
    run = build_run(clock, [Life(7, "worker", level)], resource, fds_limit=limit_above(level))
    noise = _visible_noise(disturbance)
    visible = leak_is_visible(clock, float(lost[-1]) * share, noise, clump, wave)
    return Case(
        shape,
        "leak",
        resource,
        visible,
        run,
        {"lost": float(lost[-1]), "noise": disturbance, "duration_s": clock.duration_s},
    )


def _clean_case(
    shape: str,
    rng: Rng,
    clock: Clock,
    extra: Floats | float,
    *,
    resource: str = "fds",
    most: float = 8.0,
) -> Case:
    disturbance = _disturbance(rng, clock, most)
    level = seen(_level(rng) + extra + disturbance.draw(rng, clock))
    run = build_run(clock, [Life(7, "worker", level)], resource, fds_limit=limit_above(level))
    return Case(
        shape,
        "clean",
        resource,
        clean_is_visible(clock, _visible_noise(disturbance)),
        run,
        {"noise": disturbance, "duration_s": clock.duration_s},
    )


# -- leaks -----------------------------------------------------------------------------------


def leak_faster_later(rng: Rng) -> Case:
    """A leak whose rate doubles or triples on the way."""
    clock = _clock(rng)
    change = rng.uniform(0.32, 0.6)
    steps = clock.arrivals * np.where(clock.share > change, rng.uniform(2.5, 3.45), 1.0)
    return _leak_case(
        "leak-faster-later", rng, clock, np.cumsum(rng.poisson(steps * _rate(rng, clock)))
    )


def leak_by_time(rng: Rng) -> Case:
    """A timer leaks, whatever the load does."""
    clock = _clock(rng)
    total = _log_uniform(rng, 25, 2_000)
    lost = np.cumsum(rng.poisson(total / len(clock.at), len(clock.at))).astype(float)
    return _leak_case("leak-by-time", rng, clock, lost)


def leak_in_episodes(rng: Rng) -> Case:
    """It leaks only while something is amiss, which happens time and again."""
    clock = _clock(rng)
    count = int(rng.integers(10, 24))
    amiss = (clock.share * count + rng.uniform()) % 1.0 < rng.uniform(0.226, 0.6)
    lost = np.cumsum(rng.poisson(clock.arrivals * amiss * 2 * _rate(rng, clock))).astype(float)
    return _leak_case("leak-in-episodes", rng, clock, lost, clump=float(lost[-1]) / count / 3 + 1)


def leak_under_waves(rng: Rng) -> Case:
    """Load in waves, connections with it, and a leak below."""
    waves = rng.uniform(3.12, 10.3)
    clock = _clock(rng, lambda share: 0.65 + 0.35 * np.cos(2 * np.pi * waves * share))
    busy = clock.users * rng.uniform(0.375, 2.3)
    return _leak_case("leak-under-waves", rng, clock, leaked(rng, clock, _rate(rng, clock)), busy)


def leak_four_workers(rng: Rng) -> Case:
    """Four workers of unequal shares, all of which leak."""
    clock = _clock(rng)
    rate, shares = _rate(rng, clock, 60.0), rng.dirichlet([4.0] * 4)
    disturbance = _disturbance(rng, clock, 3.0)
    lives, lost = [], 0.0
    for number, share in enumerate(shares):
        own = np.cumsum(rng.poisson(clock.arrivals * rate * share)).astype(float)
        lost += float(own[-1])
        level = seen(_level(rng) + own + disturbance.draw(rng, clock))
        lives.append(Life(20 + number, "worker", level))
    highest = max(float(np.max(life.value)) for life in lives)
    run = build_run(clock, lives, fds_limit=limit_above(np.array([highest])))
    noise = _visible_noise(disturbance)
    visible = leak_is_visible(clock, lost, Noise(2 * noise.sigma, noise.memory_s))
    return Case(
        "leak-four-workers", "leak", "fds", visible, run, {"lost": lost, "noise": disturbance}
    )


def leak_restarted_once(rng: Rng) -> Case:
    """A leaking process is restarted somewhere in the middle and leaks on."""
    clock = _clock(rng)
    rate, at = _rate(rng, clock, 60.0), rng.uniform(0.326, 0.7)
    disturbance = _disturbance(rng, clock, 4.0)
    lost = leaked(rng, clock, rate)
    level = _level(rng) + disturbance.draw(rng, clock)
    first, second = clock.share < at, clock.share >= at + 0.005
    lives = [
        Life(30, "worker", np.where(first, seen(level + lost), np.nan)),
        Life(31, "worker", np.where(second, seen(level + lost - lost[second][0]), np.nan)),
    ]
    longest = max(at, 1 - at)
    run = build_run(clock, lives, fds_limit=limit_above(level + lost))
    visible = leak_is_visible(clock, float(lost[-1]) * longest, _visible_noise(disturbance))
    return Case(
        "leak-restarted-once", "leak", "fds", visible, run, {"at": at, "noise": disturbance}
    )


def leak_below_pool(rng: Rng) -> Case:
    """A pool fills in jumps, is full after a fifth of the run at most, and something leaks."""
    clock = _clock(rng)
    jumps = np.sort(rng.uniform(0, 0.2, rng.integers(3, 9)))
    pool = rng.uniform(5, 18.4) * np.searchsorted(jumps, clock.share)
    return _leak_case(
        "leak-below-pool", rng, clock, leaked(rng, clock, _rate(rng, clock)), pool, share=0.8
    )


def leak_from_later_on(rng: Rng) -> Case:
    """It begins to leak after a quarter or so, when a feature is switched on."""
    clock = _clock(rng)
    begin = rng.uniform(0.166, 0.4)
    steps = clock.arrivals * (clock.share > begin) * _rate(rng, clock, 40.0)
    return _leak_case(
        "leak-from-later-on", rng, clock, np.cumsum(rng.poisson(steps)).astype(float), share=0.7
    )


def leak_threads(rng: Rng) -> Case:
    """Threads, three at a time, over a pool that breathes."""
    clock = _clock(rng)
    breath = 4.0 * np.sin(2 * np.pi * clock.share * rng.uniform(6.25, 46))
    lost = leaked(rng, clock, _rate(rng, clock, 60.0), 3.0)
    return _leak_case(
        "leak-threads", rng, clock, lost, breath, resource="threads", clump=3.0, wave=8.0
    )


def leak_connections_on_stairs(rng: Rng) -> Case:
    """The load goes up in stairs, and connections leak."""
    stairs = int(rng.integers(2, 5))
    clock = _clock(rng, lambda share: (1 + np.floor(np.minimum(share, 0.999) * stairs)) / stairs)
    held = clock.users * rng.uniform(0.25, 1.72)
    return _leak_case(
        "leak-connections-on-stairs",
        rng,
        clock,
        leaked(rng, clock, _rate(rng, clock, 80.0)),
        held,
        resource="connections",
        share=0.5,
    )


def leak_few_pieces(rng: Rng) -> Case:
    """No noise at all, and only 20 to 40 pieces in the whole run."""
    clock = _clock(rng)
    pieces = rng.uniform(25, 46)
    level = seen(_level(rng) + leaked(rng, clock, pieces / clock.requests[-1]))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=1024.0)
    grown = float(level[-1] - level[0])
    return Case("leak-few-pieces", "leak", "fds", grown >= 20, run, {"pieces": pieces})


def leak_until_dead(rng: Rng) -> Case:
    """Under a ramp to the limit, where it stays; the sampler loses some ticks."""
    rise = rng.uniform(0.113, 0.3)
    clock = _clock(rng, lambda share: np.minimum(0.2 + 0.8 * share / rise, 1.0))
    base, limit = float(rng.integers(20, 60)), float(rng.choice([512.0, 2048.0, 8192.0]))
    each = float(rng.integers(1, 9))
    rate = (limit - base) / (clock.requests[-1] * rng.uniform(0.382, 0.85))
    lost = base + leaked(rng, clock, rate, each)
    dead = lost >= limit
    level = np.minimum(lost, limit)
    kept = np.where(rng.random(len(level)) < 0.03, np.nan, seen(level))
    at = float(clock.at[np.argmax(dead)]) if dead.any() else None
    events = () if at is None else (Event(1.7e9 + at, at, "emfile", {}),)
    run = build_run(clock, [Life(7, "worker", kept)], fds_limit=limit, events=events)
    return Case(
        "leak-until-dead",
        "leak",
        "fds",
        dead.any() and rate * clock.requests[-1] > 10 * each,
        run,
        {"limit": limit, "each": each},
    )


def leak_memory_collected(rng: Rng) -> Case:
    """Memory that is collected now and then, with a floor that rises."""
    clock = _clock(rng)
    growth = _log_uniform(rng, 20e6, 900e6)
    wave = rng.uniform(3.75e06, 1.72e07)
    teeth = wave * ((clock.share * rng.uniform(18.8, 103)) % 1.0)
    noise = Noise(_log_uniform(rng, 0.1e6, 0.8e6), float(rng.uniform(0, 9.2)))
    level = 85e6 + teeth + growth * clock.requests / clock.requests[-1] + noise.draw(rng, clock.at)
    run = build_run(clock, [Life(7, "worker", np.round(level / 4096) * 4096)], "rss_bytes")
    visible = leak_is_visible(clock, growth, noise, 1.0, wave)
    return Case("leak-memory-collected", "leak", "rss_bytes", visible, run, {"growth": growth})


def leak_partly_released(rng: Rng) -> Case:
    """A third of what has leaked is given back now and then."""
    clock = _clock(rng)
    lost = leaked(rng, clock, _rate(rng, clock, 90.0))
    level = np.zeros(len(lost))
    released, turns = 0.0, np.sort(rng.uniform(0.05, 0.98, rng.integers(6, 20)))
    since = np.searchsorted(turns, clock.share)
    for turn in range(len(turns) + 1):
        inside = since == turn
        if inside.any():
            level[inside] = lost[inside] - released
            released += 0.33 * (level[inside][-1] - level[inside][0])
    wave = float(level[-1]) / len(turns)
    return _leak_case("leak-partly-released", rng, clock, level, wave=wave)


# -- clean -----------------------------------------------------------------------------------


def clean_two_levels(rng: Rng) -> Case:
    """Back and forth between two levels, as connections fail over."""
    clock = _clock(rng)
    turns = np.sort(rng.uniform(0, 1, rng.integers(6, 40)))
    other = rng.uniform(3.75, 46) * (np.searchsorted(turns, clock.share) % 2)
    return _clean_case("clean-two-levels", rng, clock, other)


def clean_swinging(rng: Rng) -> Case:
    """A controller that swings around its set point."""
    clock = _clock(rng)
    phase = 2 * np.pi * clock.share * rng.uniform(7.5, 57.5) + rng.uniform(0, 6.9)
    return _clean_case("clean-swinging", rng, clock, rng.uniform(3.75, 34.5) * np.sin(phase))


def clean_in_flight(rng: Rng) -> Case:
    """Requests in flight: births and deaths around a mean, with a memory of their own."""
    clock = _clock(rng)
    mean = rng.uniform(5, 69)
    noise = Noise(float(np.sqrt(mean)), float(rng.uniform(1.25, 11.5)))
    level = seen(_level(rng) + mean + noise.draw(rng, clock.at))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    return Case(
        "clean-in-flight", "clean", "fds", clean_is_visible(clock, noise), run, {"noise": noise}
    )


def clean_collector(rng: Rng) -> Case:
    """A connection to each partition leader, opened when it is first needed."""
    clock = _clock(rng)
    leaders = int(rng.integers(8, 120))
    draws = np.minimum(
        np.round(clock.share / rng.uniform(0.0245, 0.09) * leaders).astype(int), 10_000
    )
    first_seen = np.sort(rng.exponential(1.0, leaders) * leaders)
    return _clean_case(
        "clean-collector", rng, clock, np.searchsorted(first_seen, draws).astype(float)
    )


def clean_root_of_load(rng: Rng) -> Case:
    """Connections follow the root of a load that ramps up and then stays."""
    until = rng.uniform(0.22, 0.5)
    clock = _clock(rng, lambda share: np.minimum(0.1 + 0.9 * share / until, 1.0), users=60.0)
    return _clean_case(
        "clean-root-of-load", rng, clock, np.sqrt(clock.users) * rng.uniform(1.25, 9.2)
    )


def clean_stairs(rng: Rng) -> Case:
    """The load goes up in stairs, and connections with it."""
    stairs = int(rng.integers(2, 6))
    clock = _clock(rng, lambda share: (1 + np.floor(np.minimum(share, 0.999) * stairs)) / stairs)
    return _clean_case(
        "clean-stairs", rng, clock, clock.users * rng.uniform(0.625, 4.6), resource="connections"
    )


def clean_load_peak(rng: Rng) -> Case:
    """A peak of load in the middle; what it needed is reaped after a while."""
    centre, width = rng.uniform(0.266, 0.5), rng.uniform(0.0452, 0.12)
    clock = _clock(rng, lambda share: 0.3 + 0.7 * np.exp(-(((share - centre) / width) ** 2)))
    kept = np.zeros(len(clock.at))
    hold = max(1, int(0.05 * len(clock.at)))
    for i in range(len(kept)):
        kept[i] = clock.users[max(0, i - hold) : i + 1].max()
    return _clean_case("clean-load-peak", rng, clock, kept * rng.uniform(0.625, 3.45))


def clean_falling(rng: Rng) -> Case:
    """High at first, and ever lower."""
    clock = _clock(rng)
    return _clean_case(
        "clean-falling", rng, clock, rng.uniform(12.5, 103) * np.exp(-3 * clock.share)
    )


def clean_up_and_down(rng: Rng) -> Case:
    """Up by a step for a while, and down again."""
    clock = _clock(rng)
    begin, end = rng.uniform(0.113, 0.3), rng.uniform(0.423, 0.75)
    up = (clock.share > begin) & (clock.share < end)
    return _clean_case("clean-up-and-down", rng, clock, rng.uniform(6.25, 92) * up)


def clean_outage(rng: Rng) -> Case:
    """The broker goes down: connections fall, and come back with an overshoot."""
    clock = _clock(rng)
    held, down = rng.uniform(7.5, 46), rng.uniform(0.226, 0.6)
    back = down + rng.uniform(0.0252, 0.1)
    level = np.where((clock.share > down) & (clock.share < back), 0.0, held)
    level += np.where(clock.share >= back, 0.6 * held * np.exp(-(clock.share - back) / 0.02), 0.0)
    return _clean_case("clean-outage", rng, clock, level, resource="connections", most=3.0)


def clean_staggered(rng: Rng) -> Case:
    """Four workers that are recycled in turn, each warming up for a while."""
    clock = _clock(rng)
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
    clock = _clock(rng)
    busy = (clock.share * rng.uniform(5, 34.5) + rng.uniform()) % 1.0 < rng.uniform(0.0663, 0.3)
    return _clean_case("clean-cron", rng, clock, rng.uniform(6.25, 69) * busy)


def clean_many_memories(rng: Rng) -> Case:
    """Noise with memories from a second to a hundredth of the run, all at once."""
    clock = _clock(rng)
    memories = np.geomspace(1.0, max(2.0, 0.012 * clock.duration_s), 4)
    total = np.sum(
        [Noise(_log_uniform(rng, 0.5, 4), m).draw(rng, clock.at) for m in memories], axis=0
    )
    level = seen(_level(rng) + total)
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    worst = Noise(1.0, float(memories[-1]))
    return Case("clean-many-memories", "clean", "fds", clean_is_visible(clock, worst), run, {})


def clean_cache(rng: Rng) -> Case:
    """A cache in memory that fills up to its bound."""
    clock = _clock(rng)
    full = rng.uniform(0.179, 0.6)
    cache = rng.uniform(1.25e07, 3.45e08) * np.minimum(clock.share / full, 1.0)
    noise = Noise(_log_uniform(rng, 0.1e6, 1.5e6), float(rng.uniform(0, 9.2)))
    return _memory_case("clean-cache", clock, cache + noise.draw(rng, clock.at), noise)


def clean_arenas(rng: Rng) -> Case:
    """An allocator that takes a few large pieces early on, and breathes."""
    clock = _clock(rng)
    jumps = np.sort(rng.exponential(0.06, rng.integers(2, 6)))
    taken = rng.uniform(2.5e06, 2.3e07) * np.searchsorted(jumps, clock.share)
    noise = Noise(_log_uniform(rng, 0.1e6, 1.0e6), float(rng.uniform(0, 9.2)))
    return _memory_case("clean-arenas", clock, taken + noise.draw(rng, clock.at), noise)


def _memory_case(shape: str, clock: Clock, extra: Floats, noise: Noise) -> Case:
    level: NDArray[np.float64] = np.round((95e6 + extra) / 4096) * 4096
    run = build_run(clock, [Life(7, "worker", level)], "rss_bytes")
    return Case(shape, "clean", "rss_bytes", clean_is_visible(clock, noise), run, {"noise": noise})


def clean_returning(rng: Rng) -> Case:
    """High after the start, low for a while, and back at its level before the middle."""
    clock = _clock(rng)
    depth, width = rng.uniform(6, 50), rng.uniform(0.05, 0.12)
    dip = -depth * np.exp(-(((clock.share - 0.15) / width) ** 2))
    start = rng.uniform(3, 30) * np.exp(-clock.share / 0.02)
    return _clean_case("clean-returning", rng, clock, depth + dip + start)


# -- what nobody can tell yet ------------------------------------------------------------------


def undecided_hyperbola(rng: Rng) -> Case:
    """A fill that slows down like a hyperbola and is far from its end."""
    clock = _clock(rng)
    scale = rng.uniform(0.173, 0.5)
    fill = _log_uniform(rng, 150, 3_000) * clock.share / (clock.share + scale)
    level = seen(_level(rng) + fill + Noise(0.7, 2.0).draw(rng, clock.at))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    return Case("undecided-hyperbola", "undecided", "fds", True, run, {"scale": scale})


def undecided_two_fills(rng: Rng) -> Case:
    """One fill that ends soon, and one that has not ended."""
    clock = _clock(rng)
    fill = rng.uniform(25, 92) * (1 - np.exp(-clock.share / 0.03))
    fill = fill + _log_uniform(rng, 150, 900) * (1 - np.exp(-clock.share / rng.uniform(0.313, 0.5)))
    level = seen(_level(rng) + fill + Noise(0.5, 0.0).draw(rng, clock.at))
    run = build_run(clock, [Life(7, "worker", level)], fds_limit=limit_above(level))
    return Case("undecided-two-fills", "undecided", "fds", True, run, {})


LEAKS: tuple[Maker, ...] = (
    leak_faster_later,
    leak_by_time,
    leak_in_episodes,
    leak_under_waves,
    leak_four_workers,
    leak_restarted_once,
    leak_below_pool,
    leak_from_later_on,
    leak_threads,
    leak_connections_on_stairs,
    leak_few_pieces,
    leak_until_dead,
    leak_memory_collected,
    leak_partly_released,
)
CLEAN: tuple[Maker, ...] = (
    clean_two_levels,
    clean_swinging,
    clean_in_flight,
    clean_collector,
    clean_root_of_load,
    clean_stairs,
    clean_load_peak,
    clean_falling,
    clean_up_and_down,
    clean_outage,
    clean_staggered,
    clean_cron,
    clean_many_memories,
    clean_cache,
    clean_arenas,
    clean_returning,
)
UNDECIDED: tuple[Maker, ...] = (undecided_hyperbola, undecided_two_fills)
