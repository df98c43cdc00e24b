"""What changed between two long, almost equal sequences, at the speed of comparing bytes."""

from array import array

_BLOCK = 64
_ANCHOR = 4
"""So many equal elements in a row mean that the two are in step again."""
_REACH = 24
"""How far to look for that."""


def difference(
    before: "array[int]", after: "array[int]", limit: int
) -> tuple[list[int], list[int]] | None:
    """Elements that `after` has and `before` has not, and the other way round.

    The kernel dumps its socket table in the order of its hash chains, which does not change
    for the sockets that stay: two dumps differ in a few places, and between these they are
    equal as bytes. Elements that moved are reported on both sides.

    Args:
        before: The former sequence, 32-bit elements.
        after: The present one.
        limit: After how many places that differ to give up.

    Returns:
        Inserted and deleted elements, with repetitions; None if the sequences differ in
        more than `limit` places or by too much in one of them: compare them as sets then.
    """
    old, new = before.tobytes(), after.tobytes()
    size = before.itemsize
    inserted: list[int] = []
    deleted: list[int] = []
    i = j = 0
    block, window = _BLOCK * size, (_REACH + _ANCHOR) * size
    while i < len(old) and j < len(new):
        one, other = old[i : i + block], new[j : j + block]
        if one == other:
            i += len(one)
            j += len(one)
            continue
        equal = _common_prefix(one, other) // size * size
        i += equal
        j += equal
        if i == len(old) or j == len(new):
            break
        step = _step(old[i : i + window], new[j : j + window], size)
        limit -= 1
        if step is None or limit < 0:
            return None
        deleted += before[i // size : i // size + step[0]]
        inserted += after[j // size : j // size + step[1]]
        i += step[0] * size
        j += step[1] * size
    deleted += before[i // size :]
    inserted += after[j // size :]
    return inserted, deleted


def _common_prefix(one: bytes, other: bytes) -> int:
    """Length of the beginning that two byte strings share."""
    length = min(len(one), len(other))
    differing = int.from_bytes(one[:length], "little") ^ int.from_bytes(other[:length], "little")
    return ((differing & -differing).bit_length() - 1) // 8 if differing else length


def _step(old: bytes, new: bytes, size: int) -> tuple[int, int] | None:
    """How many elements to pass over on each side to be in step again; the fewest that do."""
    anchor = _ANCHOR * size
    for total in range(1, 2 * _REACH + 1):
        for passed in range(max(0, total - _REACH), min(total, _REACH) + 1):
            one = old[passed * size :][:anchor]
            if one == new[(total - passed) * size :][:anchor] and len(one) == anchor:
                return passed, total - passed
    return _step_at_end(old, new, size)


def _step_at_end(old: bytes, new: bytes, size: int) -> tuple[int, int] | None:
    """Where the rest is too short to be in step again, it is all different."""
    window = (_REACH + _ANCHOR) * size
    if len(old) < window and len(new) < window:
        return len(old) // size, len(new) // size
    return None
