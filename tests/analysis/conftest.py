import numpy as np
import pytest


@pytest.fixture
def rng():
    """The same chance in every run of a test."""
    return np.random.default_rng(12)


@pytest.fixture
def ar1(rng):
    """Draws AR(1) noise: its length, its memory in samples, its standard deviation."""

    def draw(n, memory, sigma):
        keep = np.exp(-1.0 / memory) if memory else 0.0
        fresh = rng.normal(size=n) * sigma
        out = np.empty(n)
        out[0] = fresh[0]
        for i in range(1, n):
            out[i] = keep * out[i - 1] + np.sqrt(1 - keep * keep) * fresh[i]
        return out

    return draw
