"""`targets.worker`: the pauses after a failed `accept`."""

from __future__ import annotations

import pytest

from targets.worker import AcceptBackoff


def test_pauses_double_from_5_ms_to_1_s():
    backoff = AcceptBackoff()
    pauses = [backoff.fail(0.0) for _ in range(10)]
    assert pauses == pytest.approx([0.005 * 2**n for n in range(8)] + [1.0, 1.0])


def test_a_success_starts_again():
    backoff = AcceptBackoff()
    backoff.fail(0.0)
    backoff.fail(0.0)
    backoff.succeed()
    assert backoff.fail(0.0) == pytest.approx(0.005)


def test_the_pause_runs_from_the_failure():
    backoff = AcceptBackoff()
    assert backoff.remaining_s(100.0) == 0.0
    backoff.fail(100.0)
    backoff.fail(100.0)
    assert backoff.remaining_s(100.004) == pytest.approx(0.006)
    assert backoff.remaining_s(100.010) == pytest.approx(0.0)
    assert backoff.remaining_s(200.0) == 0.0
