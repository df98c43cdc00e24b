"""How targets are named on a command line: by the root of their tree, or by their port."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tidemark.record.layout import ONLY_TARGET
from tidemark.record.options import integer, one_word

_pid = integer(1)
_port = integer(0, 65535)


@dataclass(frozen=True, slots=True)
class Root:
    """One process that is to be watched, with all below it.

    Attributes:
        pid: Its process id.
        target: The target's id; empty where nobody gave one.
    """

    pid: int
    target: str = ""

    def __str__(self) -> str:
        """As it is given: `4711`, or `web1=4711`."""
        return f"{self.target}={self.pid}" if self.target else str(self.pid)


def target_id(value: Any) -> str:
    """The id of a target: a plain name."""
    if not str(value):
        raise ValueError("must not be empty")
    return one_word(value)


def read_root(value: Any) -> Root:
    """A process id, maybe with the target's id before it: `4711`, `web1=4711`."""
    if isinstance(value, Root):
        return value
    target, equals, pid = str(value).strip().rpartition("=")
    return Root(_pid(pid), target_id(target) if equals else "")


def read_roots(given: Any) -> tuple[Root, ...]:
    """Roots, one after the other; a single value is one of them."""
    values = given if isinstance(given, list | tuple) else (given,)
    return tuple(map(read_root, values))


def listed_roots(given: Any) -> tuple[Root, ...]:
    """The same, separated by commas; 0 is none."""
    return tuple(read_root(value) for value in _listed(given))


def listed_ports(given: Any) -> tuple[int, ...]:
    """TCP ports, separated by commas; 0 is none."""
    return tuple(dict.fromkeys(_port(value) for value in _listed(given)))


def _listed(given: Any) -> list[Any]:
    values = given if isinstance(given, list | tuple) else str(given).split(",")
    return [value for value in values if str(value).strip() not in {"", "0"}]


def named(roots: Sequence[Root], name: str = ONLY_TARGET) -> tuple[Root, ...]:
    """The roots, each with an id: `target`, or `target-1`, `target-2`, ... where there are several.

    Raises:
        ValueError: Two have the same id, or are the same process.
    """
    found = tuple(
        root if root.target else replace(root, target=f"{name}-{at}" if len(roots) > 1 else name)
        for at, root in enumerate(roots, start=1)
    )
    if twice := _twice(root.target for root in found):
        raise ValueError(f"two targets are called {twice}: give each an id of its own, ID=PID")
    if twice := _twice(str(root.pid) for root in found):
        raise ValueError(f"process {twice} is named twice: leave one out")
    return found


def _twice(names: Iterable[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            return name
        seen.add(name)
    return None
