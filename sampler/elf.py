"""The names of the sections of an ELF file, see elf(5)."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

_MAGIC = b"\x7fELF"
_MOST_BYTES = 1 << 20
"""No table of a program is larger; what says so is damaged, or means harm."""
_LONGEST_NAME = 256


class ElfError(ValueError):
    """It is no ELF file, or a damaged one."""


@dataclass(frozen=True, slots=True)
class _Class:
    """Where the fields are in files of 32 or 64 bit; the layouts of elf(5), Ehdr and Shdr."""

    header: str
    section: str


_CLASSES = {
    1: _Class("16xHHIIIIIHHHHHH", "IIIIIIIIII"),
    2: _Class("16xHHIQQQIHHHHHH", "IIQQQQIIQQ"),
}
_ORDERS = {1: "<", 2: ">"}


def section_names(file: BinaryIO) -> frozenset[str]:
    """The names of all sections; none where the section table was stripped.

    Args:
        file: The file, which can be sought in.

    Raises:
        ElfError: It is no ELF file, or a damaged one.
        OSError: It cannot be read.
    """
    start = _read(file, 0, 64, least=16)
    kind, order = _CLASSES.get(start[4]), _ORDERS.get(start[5])
    if start[:4] != _MAGIC or kind is None or order is None:
        raise ElfError("not an ELF file")
    header = struct.Struct(order + kind.header)
    if len(start) < header.size:
        raise ElfError("the ELF header is cut short")
    fields = header.unpack_from(start)
    at, each, count, names_index = fields[5], fields[10], fields[11], fields[12]
    section = struct.Struct(order + kind.section)
    if not at or not count:
        return frozenset()
    if each < section.size or names_index >= count:
        raise ElfError("the table of sections is damaged")
    table = _read(file, at, each * count, least=each * count)
    sections = [section.unpack_from(table, each * number) for number in range(count)]
    names_at, names_bytes = sections[names_index][4:6]
    names = _read(file, names_at, names_bytes, least=names_bytes)
    return frozenset(_name(names, one[0]) for one in sections)


def _name(names: bytes, at: int) -> str:
    end = names.find(b"\0", at, at + _LONGEST_NAME)
    return names[at : max(end, at)].decode("latin-1")


def _read(file: BinaryIO, at: int, count: int, least: int) -> bytes:
    if count > _MOST_BYTES or at >= 1 << 63:
        raise ElfError("a table of the file is too large to be true")
    file.seek(at)
    data = file.read(count)
    if len(data) < least:
        raise ElfError("the file is cut short")
    return data
