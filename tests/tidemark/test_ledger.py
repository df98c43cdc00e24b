"""The ledger: it adds up whatever became of the messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.run.ledger import (
    ACCEPTED,
    OPEN,
    REFUSED,
    UNDECIDED,
    Ledger,
    balance_by_count,
    balance_by_reading,
    label,
    read_label,
)

RUN = "0a1b2c3d"
FILLING = "f" * 100


def ledger_of(*states: int, batch_size: int = 2) -> Ledger:
    ledger = Ledger(batch_size)
    for batch, state in enumerate(states):
        ledger.sent(batch)
        ledger.settle(batch, state)
    return ledger


def messages(*sequences: int) -> list[str]:
    return [label(RUN, sequence, FILLING) for sequence in sequences]


@given(st.integers(0, 10**14 - 1), st.integers(24, 300))
def test_a_label_is_read_back_and_keeps_the_length(sequence: int, length: int) -> None:
    message = label(RUN, sequence, "f" * length)
    assert len(message) == length
    assert read_label(message, RUN) == sequence


@given(st.text())
def test_any_other_message_has_no_label(text: str) -> None:
    assert read_label(text, RUN) is None or text.startswith(f"{RUN}:")
    assert read_label(f"other:{text}", RUN) is None


def test_everything_delivered_once() -> None:
    balance = balance_by_reading(ledger_of(ACCEPTED, ACCEPTED), RUN, messages(0, 1, 2, 3))
    assert (balance.accepted, balance.delivered, balance.lost, balance.duplicated) == (4, 4, 0, 0)


def test_losses_and_duplicates_do_not_cancel() -> None:
    balance = balance_by_reading(ledger_of(ACCEPTED, ACCEPTED), RUN, messages(0, 1, 1, 2))
    assert (balance.delivered, balance.lost, balance.duplicated) == (4, 1, 1)


def test_undecided_messages_are_neither_lost_nor_promised() -> None:
    ledger = ledger_of(ACCEPTED, UNDECIDED, OPEN, REFUSED)
    balance = balance_by_reading(ledger, RUN, messages(0, 1, 2))
    assert (balance.accepted, balance.undecided) == (2, 4)
    assert (balance.lost, balance.undecided_delivered) == (0, 1)


def test_messages_of_somebody_else_are_told_apart() -> None:
    stranger = label("ffffffff", 0, FILLING)
    balance = balance_by_reading(ledger_of(ACCEPTED), RUN, [*messages(0, 1), stranger])
    assert (balance.delivered, balance.unknown, balance.lost) == (3, 1, 0)


@given(
    st.lists(st.sampled_from([OPEN, ACCEPTED, UNDECIDED, REFUSED]), max_size=8),
    st.lists(st.integers(0, 30), max_size=40),
    st.integers(1, 4),
)
def test_the_balance_adds_up(states: list[int], arrived: list[int], batch_size: int) -> None:
    ledger = ledger_of(*states, batch_size=batch_size)
    balance = balance_by_reading(ledger, RUN, messages(*arrived))
    assert balance.lost is not None
    assert balance.undecided_delivered is not None
    assert balance.duplicated is not None
    assert balance.unknown is not None
    assert (
        balance.delivered
        == len(arrived)
        == (
            balance.accepted
            - balance.lost
            + balance.undecided_delivered
            + balance.duplicated
            + balance.unknown
        )
    )
    assert 0 <= balance.lost <= balance.accepted


@pytest.mark.parametrize(
    ("states", "delivered", "lost", "duplicated"),
    [
        ((ACCEPTED, ACCEPTED), 4, 0, 0),
        ((ACCEPTED, ACCEPTED), 1, 3, 0),
        ((ACCEPTED, ACCEPTED), 5, 0, 1),
        ((ACCEPTED, UNDECIDED), 1, 1, None),  # lost, whatever became of the undecided
        ((ACCEPTED, UNDECIDED), 3, None, None),
    ],
)
def test_counts_alone_say_what_they_can(
    states: tuple[int, ...], delivered: int, lost: int | None, duplicated: int | None
) -> None:
    balance = balance_by_count(ledger_of(*states), delivered)
    assert (balance.lost, balance.duplicated) == (lost, duplicated)


@pytest.mark.parametrize(("delivered", "lost"), [(4, None), (854, None), (1, 3)])
def test_messages_of_others_make_no_duplicates(delivered: int, lost: int | None) -> None:
    """Offsets count the messages of all who write to a topic."""
    balance = balance_by_count(ledger_of(ACCEPTED, ACCEPTED), delivered, is_shared=True)
    assert (balance.lost, balance.duplicated) == (lost, None)


def test_the_states_survive_a_file() -> None:
    ledger = ledger_of(ACCEPTED, UNDECIDED)
    again = Ledger(2, ledger.states())
    assert (again.accepted, again.undecided, len(again.states())) == (2, 2, 2)
