"""Which runtime a process has, and what bounds its heap: from its files in `/proc` alone."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from tidemark.sampler import procfs
from tidemark.sampler.elf import ElfError, section_names
from tidemark.sampler.errors import DeniedError

CPYTHON, JVM, GO, NODE, RUBY, DOTNET, BEAM, NATIVE = (
    "cpython",
    "jvm",
    "go",
    "node",
    "ruby",
    "dotnet",
    "beam",
    "native",
)

Bound = tuple[int, str]
"""What a heap may grow to, bytes, and what sets it."""

_PROGRAMS = (
    (re.compile(r"python(\d+(\.\d+)*t?d?)?"), CPYTHON),
    (re.compile(r"java"), JVM),
    (re.compile(r"node(js)?"), NODE),
    (re.compile(r"ruby[\d.]*"), RUBY),
    (re.compile(r"dotnet"), DOTNET),
    (re.compile(r"beam(\.\w+)*"), BEAM),
)
"""Whole names of programs -> what they are."""

_LIBRARIES = (
    (b"/libjvm.so", JVM),
    (b"/libcoreclr.so", DOTNET),
    (b"/libnode.so", NODE),
    (b"/libruby", RUBY),
    (b"/libpython", CPYTHON),
)
"""Beginnings of the names of libraries: a program of another name that has one runs in it."""

_GO_SECTIONS = frozenset((".go.buildinfo", ".note.go.buildid"))
"""What the Go linker writes, and `strip` leaves."""

_REPLACED = " (deleted)"
_DECIMAL = re.compile(r"\d{1,12}")
_SIZES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_JAVA_SIZE = re.compile(r"(\d{1,15})([kmgt]?)", re.IGNORECASE)
_JAVA_OPTIONS = (("-Xmx", "-Xmx"), ("-XX:MaxHeapSize=", "-XX:MaxHeapSize"))
_JAVA_VARIABLES = ("JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")
_GO_SIZE = re.compile(r"(\d{1,18})(?:([KMGT])i)?B?")
_NODE_OPTION = "--max-old-space-size"
_LARGEST_BYTES = 2**48
"""What allows for more is no bound."""


def named(program: str) -> str | None:
    """The runtime that a program of this name is; None if the name says nothing."""
    return next((runtime for name, runtime in _PROGRAMS if name.fullmatch(program)), None)


def mapped(maps: bytes) -> str | None:
    """The runtime whose library is mapped, by `/proc/PID/maps`; None if there is none."""
    return next((runtime for library, runtime in _LIBRARIES if library in maps), None)


def recognise(pid: int, name: str) -> str | None:
    """The runtime of a process.

    By the name of its program; where that says nothing, by the libraries that it has mapped; and
    then by the sections of the program. Where none of these may be read, by the kernel's name
    of the process.

    Args:
        pid: The process.
        name: The kernel's name of it (`comm`).

    Returns:
        One of the names above; None if it cannot be told.

    Raises:
        NoSuchProcessError: It has gone, or is a kernel thread.
        ShortageError: The sampler has run short.
    """
    try:
        program = procfs.read_program(pid).removesuffix(_REPLACED)
        return named(PurePath(program).name) or mapped(procfs.read_file(pid, "maps")) or _built(pid)
    except DeniedError:
        return named(name)


def _built(pid: int) -> str | None:
    try:
        with procfs.open_program(pid) as file:
            return NATIVE if _GO_SECTIONS.isdisjoint(section_names(file)) else GO
    except (ElfError, OSError):
        return None


def heap_bound(runtime: str | None, pid: int) -> Bound | None:
    """What bounds the heap of a process, as far as its command line and environment say so.

    Raises:
        NoSuchProcessError: It has gone.
        DeniedError: They may not be read.
    """
    read = _BOUNDS.get(runtime or "")
    return read(procfs.read_command(pid), procfs.read_environment(pid)) if read else None


def java_bound(command: Iterable[str], environment: Mapping[str, str]) -> Bound | None:
    """`-Xmx` of a JVM: the last one counts, and the command line after the environment."""
    found = None
    for argument in (*_words(environment, _JAVA_VARIABLES), *command):
        for option, source in _JAVA_OPTIONS:
            size = _JAVA_SIZE.fullmatch(argument.removeprefix(option))
            if size and argument.startswith(option):
                found = _bound(int(size[1]) * _SIZES[size[2].lower()], source)
    return found


def go_bound(_: Iterable[str], environment: Mapping[str, str]) -> Bound | None:
    """`GOMEMLIMIT` of a Go program, which bounds all of its memory but its code (soft)."""
    size = _GO_SIZE.fullmatch(environment.get("GOMEMLIMIT", ""))
    return _bound(int(size[1]) * _SIZES[(size[2] or "").lower()], "GOMEMLIMIT") if size else None


def node_bound(command: Iterable[str], environment: Mapping[str, str]) -> Bound | None:
    """`--max-old-space-size` of Node, in MiB; the command line counts before `NODE_OPTIONS`."""
    found = None
    words = iter((*_words(environment, ("NODE_OPTIONS",)), *command))
    for word in words:
        option, is_given, value = word.replace("_", "-").partition("=")
        if option == _NODE_OPTION:
            given = value if is_given else next(words, "")
            found = _bound(int(given) * 2**20, option) if _DECIMAL.fullmatch(given) else found
    return found


def _words(environment: Mapping[str, str], names: Iterable[str]) -> Iterator[str]:
    for name in names:
        yield from environment.get(name, "").split()


def _bound(number: int, source: str) -> Bound | None:
    return (number, source) if 0 < number <= _LARGEST_BYTES else None


_BOUNDS = {JVM: java_bound, GO: go_bound, NODE: node_bound}
