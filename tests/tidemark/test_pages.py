"""A byte per number, packed where nothing changes any more."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidemark.run import pages
from tidemark.run.pages import MOST_OPEN, Pages

PUTS = st.lists(st.tuples(st.integers(0, 100), st.integers(0, 255)), max_size=40)


def held_bytes(held: Pages) -> int:
    """What it takes in memory, about."""
    kept = [*held._packed.values(), *held._open.values()]
    return sum(map(sys.getsizeof, kept)) + sys.getsizeof(held._packed)


@settings(max_examples=50)
@given(st.binary(max_size=40), PUTS)
def test_it_is_a_bytearray_that_grows(content: bytes, puts: list[tuple[int, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "PAGE_BYTES", 8)  # so that pages are packed, and opened again
        held, plain = Pages(content), bytearray(content)
        for number, byte in puts:
            plain.extend(bytes(max(number + 1 - len(plain), 0)))
            held[number] = plain[number] = byte
        assert b"".join(held.parts()) == bytes(plain)
        assert len(held) == len(plain)
        assert [held[number] for number in range(len(plain))] == list(plain)
        assert held[len(plain)] == 0
        assert [held.count(byte) for byte in range(256)] == [plain.count(n) for n in range(256)]


def test_memory_does_not_grow_with_what_has_come_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGE_BYTES", 4096)
    held = Pages()
    sizes = []
    for number in range(80_000):
        held[number] = 1
        if number >= 100:
            held[number - 100] = 2
        if (number + 1) % 40_000 == 0:
            sizes.append(held_bytes(held))
    assert len(held._open) == MOST_OPEN
    assert sizes[1] - sizes[0] < 2_000
    assert sizes[-1] < (MOST_OPEN + 1) * 4096


def test_some_of_another_kind_are_packed_as_well() -> None:
    held = Pages()
    for number in range(200_000):
        held[number] = 3 if number % 100 == 7 else 2
    packed = sum(map(len, held._packed.values()))
    assert packed < 200_000 / 100
    assert held.count(3) == 2_000
