"""The ledger outlives its process, and what a disk without room has left is not believed."""

import errno
import os

import pytest

from tidemark.run.kept_ledger import LEDGER, KeptLedger, kept_states
from tidemark.run.ledger import ACCEPTED, OPEN, REFUSED, UNDECIDED, Ledger, balance_by_count


@pytest.fixture
def path(tmp_path):
    return tmp_path / LEDGER


def test_what_was_sent_is_there_at_once(path):
    ledger = KeptLedger(path, 10)
    for batch, state in enumerate((ACCEPTED, OPEN, UNDECIDED, REFUSED)):
        ledger.sent(batch)
        if state != OPEN:
            ledger.settle(batch, state)
    assert kept_states(path) == ledger.states() == bytes((ACCEPTED, OPEN, UNDECIDED, REFUSED))
    other = KeptLedger(path.with_name("other"), 10)
    other.go_on(kept_states(path))
    other.sent(70_000)  # further than was taken in advance
    assert other.accepted == 10
    assert kept_states(other._path) == other.states()


def test_without_room_it_is_given_up_and_comes_back_whole(path, monkeypatch):
    ledger = KeptLedger(path, 1)
    ledger.sent(0)

    def full(*_):
        raise OSError(errno.ENOSPC, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        ledger.sent(70_000)
        assert kept_states(path) is None
        ledger.sync()
        assert kept_states(path) in (None, b"")
    ledger.settle(0, ACCEPTED)
    ledger.sync()
    assert kept_states(path) == ledger.states()


@pytest.mark.parametrize("is_gone_on_with", [True, False])
def test_it_stays_only_for_who_can_go_on(path, is_gone_on_with):
    ledger = KeptLedger(path, 1)
    ledger.sent(0)
    ledger.end(is_gone_on_with=is_gone_on_with)
    assert path.exists() is is_gone_on_with


def test_what_went_with_its_brokers_is_not_checked(path):
    ledger = KeptLedger(path, 10)
    ledger.go_on(bytes((ACCEPTED, ACCEPTED, OPEN, REFUSED)))
    ledger.forget_brokers()
    ledger.sent(4)
    ledger.settle(4, ACCEPTED)
    assert kept_states(path) == ledger.states()
    balance = balance_by_count(Ledger(10, ledger.states()), delivered=10)
    assert (balance.accepted, balance.lost, balance.undecided) == (10, 0, 0)
    told = ledger.with_unseen({"accepted": 10, "undecided": 0, "lost": 0})
    assert told == {"accepted": 30, "undecided": 10, "lost": 0, "unchecked": 20}
    assert Ledger(10, bytes((ACCEPTED,))).with_unseen({"accepted": 10}) == {"accepted": 10}
