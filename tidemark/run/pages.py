"""One byte per number, in little memory: what has come to rest is packed.

Numbers are handed out in ascending order and mostly come to rest soon, nearly all of them in the
same way. So a page is written to for a while and then hardly ever again, and 65,536 bytes that are
alike pack to some eighty.
"""

import zlib
from collections.abc import Iterator

PAGE_BYTES = 65_536
MOST_OPEN = 4
"""So many pages are held unpacked: those that were opened last."""


class Pages:
    """A byte for each number from 0 on, 0 where none was put.

    Args:
        content: The first bytes.
    """

    def __init__(self, content: bytes = b"") -> None:
        self._length = 0
        self._counts = [0] * 256  # by byte
        self._packed: dict[int, bytes] = {}
        self._open: dict[int, bytearray] = {}  # the one that was opened first is the first
        for at in range(0, len(content), PAGE_BYTES):
            part = content[at : at + PAGE_BYTES]
            self._opened(at // PAGE_BYTES)[: len(part)] = part
        self._length = len(content)
        for byte in range(256):
            self._counts[byte] = content.count(byte)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, number: int) -> int:
        """The byte of a number; 0 beyond the last one."""
        if number >= self._length:
            return 0
        page, at = divmod(number, PAGE_BYTES)
        return (self._open.get(page) or self._opened(page))[at]

    def __setitem__(self, number: int, byte: int) -> None:
        page, at = divmod(number, PAGE_BYTES)
        held = self._open.get(page) or self._opened(page)
        if number >= self._length:
            self._counts[0] += number + 1 - self._length
            self._length = number + 1
        self._counts[held[at]] -= 1
        self._counts[byte] += 1
        held[at] = byte

    def count(self, byte: int) -> int:
        """How many numbers have this byte."""
        return self._counts[byte]

    def parts(self) -> Iterator[bytes]:
        """All bytes, a page at a time."""
        for page in range(-(-self._length // PAGE_BYTES)):
            held = self._open.get(page)
            whole = self._unpacked(page) if held is None else bytes(held)
            yield whole[: self._length - page * PAGE_BYTES]

    def translated(self, table: bytes) -> "Pages":
        """The same with each byte replaced, as `bytes.translate` does it."""
        return Pages(b"".join(part.translate(table) for part in self.parts()))

    def _opened(self, page: int) -> bytearray:
        held = bytearray(self._unpacked(page))
        self._packed.pop(page, None)
        self._open[page] = held
        if len(self._open) > MOST_OPEN:
            oldest = next(iter(self._open))
            self._packed[oldest] = zlib.compress(self._open.pop(oldest))
        return held

    def _unpacked(self, page: int) -> bytes:
        packed = self._packed.get(page)
        return bytes(PAGE_BYTES) if packed is None else zlib.decompress(packed)
