"""The counters that a HotSpot JVM keeps in a file, `/tmp/hsperfdata_USER/PID`.

The file is mapped into the JVM, which writes the counters in place: what is read is as of now,
and nothing in the JVM is asked. Format 2.0: hotspot/share/runtime/perfMemory.hpp (the prologue)
and perfData.hpp (the entries) of OpenJDK; `jstat` reads the same.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tidemark.sampler.errors import PerfDataError

Value = int | str
"""A counter: a number in the unit that its name implies, or a text."""

_MAGIC = 0xCAFEC0C0
_ORDERS = {0: ">", 1: "<"}
_MAJOR = 2
_PROLOGUE_BYTES = 32
_IS_LONG, _IS_TEXT = b"J", b"B"
"""Types of entries, as JNI has them: a `long`, and a vector of bytes."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the value of a counter stands: it never moves while the JVM lives.

    Attributes:
        at: Offset from the beginning of the file, bytes.
        length: Bytes of a text; 0 of a number.
        order: Its byte order, as `struct` has it.
    """

    at: int
    length: int
    order: str

    @property
    def end(self) -> int:
        """The offset behind it."""
        return self.at + (self.length or 8)

    def value(self, data: bytes) -> Value:
        """Its value now.

        Raises:
            PerfDataError: The file does not reach to it.
        """
        if self.end > len(data):
            raise PerfDataError("has a value behind its end")
        if self.length:
            text = data[self.at : self.end].split(b"\0", 1)[0]
            return text.decode("utf-8", "replace")
        (number,) = struct.unpack_from(self.order + "q", data, self.at)
        return int(number)


def locate(data: bytes) -> dict[str, Place]:
    """Where the values are, by name; empty while the JVM is still writing the table.

    Raises:
        PerfDataError: It is not such a file, or a damaged one.
    """
    if len(data) < _PROLOGUE_BYTES or struct.unpack_from(">I", data)[0] != _MAGIC:
        raise PerfDataError("does not begin as performance counters do")
    order, major, is_accessible = _ORDERS.get(data[4]), data[5], data[7]
    if order is None or major != _MAJOR:
        raise PerfDataError(f"has version {major}, and {_MAJOR} is known")
    if not is_accessible:
        return {}
    return dict(_entries(data, order))


def _entries(data: bytes, order: str) -> Iterator[tuple[str, Place]]:
    at, count = struct.unpack_from(order + "ii", data, 24)
    entry = struct.Struct(order + "iiiccbbi")
    for _ in range(count):
        if at < _PROLOGUE_BYTES or at + entry.size > len(data):
            raise PerfDataError("has an entry behind its end")
        length, name_at, vector, kind, _, _, _, value_at = entry.unpack_from(data, at)
        if length < entry.size or name_at < entry.size or value_at < entry.size or vector < 0:
            raise PerfDataError("has a damaged entry")
        is_text = kind == _IS_TEXT and vector > 0
        place = Place(at + value_at, vector if is_text else 0, order)
        name_end = data.find(b"\0", at + name_at, at + length)
        if name_end < 0 or place.end > len(data):
            raise PerfDataError("has a damaged entry")
        if is_text or (kind == _IS_LONG and not vector):
            yield data[at + name_at : name_end].decode("utf-8", "replace"), place
        at += length


def parse(data: bytes) -> dict[str, Value]:
    """All counters, by name. Raises as `locate` does."""
    return {name: place.value(data) for name, place in locate(data).items()}
