"""When requests arrive and what they carry: pure functions of a seed.

The same seed gives every strategy the same arrival times and the same payloads, so that a
difference between two runs is the strategy's.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator

from tidemark.run.ledger import label


def arrival_times(rate: float, seed: int, ramp_s: float = 0.0) -> Iterator[float]:
    """Yield the due times of a Poisson process, in seconds since the load began.

    The rate rises linearly from 0 to `rate` over `ramp_s` seconds and stays there. Arrivals of an
    inhomogeneous Poisson process are those of a unit-rate process put through the inverse of the
    cumulative rate (Çinlar, Introduction to Stochastic Processes, 1975).

    Args:
        rate: arrivals per second once the ramp is over, greater than 0.
        seed: the same seed gives the same times.
        ramp_s: length of the ramp in seconds; 0 for none.
    """
    rng = random.Random(f"arrivals-{seed}")  # noqa: S311 - repeatable, not secret
    expected = 0.0
    while True:
        expected += rng.expovariate(1.0)
        yield time_of_arrival(expected, rate, ramp_s)


def time_of_arrival(expected: float, rate: float, ramp_s: float) -> float:
    """The time in seconds at which `expected` arrivals are due on average."""
    during_ramp = rate * ramp_s / 2
    if expected < during_ramp:
        return float((2 * ramp_s * expected / rate) ** 0.5)
    return ramp_s + (expected - during_ramp) / rate


def batches(batch_size: int, payload_bytes: int, seed: int, run_id: str) -> Iterator[bytes]:
    """Yield request bodies: JSON arrays of `batch_size` strings of `payload_bytes` bytes each.

    Each string begins with the run's id and its sequence number; the rest depends on the seed
    alone.
    """
    rng = random.Random(f"payloads-{seed}")  # noqa: S311 - repeatable, not secret
    sequence = itertools.count()
    while True:
        yield json.dumps(
            [label(run_id, next(sequence), _filling(rng, payload_bytes)) for _ in range(batch_size)]
        ).encode()


def _filling(rng: random.Random, size: int) -> str:
    return rng.randbytes((size + 1) // 2).hex()[:size]
