"""What threads and descriptors are: counts by name."""

import re
from collections import Counter
from collections.abc import Iterable

_TRAILING_NUMBER = re.compile(r"[-_ ]?\d+$")
_BRACKETED = re.compile(r"(?:anon_inode:)?\[?([a-zA-Z_]+)\]?(?::.*)?")


def fold_thread_name(name: str) -> str:
    """Thread name without its number: `rdk:broker-1`, `rdk:broker17` -> `rdk:broker*`."""
    folded = _TRAILING_NUMBER.sub("*", name.strip())
    return folded if folded != "*" else name.strip()


def descriptor_kind(link: str) -> str:
    """Kind of a descriptor from what it links to.

    `socket:[17]` -> `socket`, `anon_inode:[eventpoll]` -> `eventpoll`, a path -> `file`,
    a path in `/dev` -> `device`.
    """
    if link.startswith("/dev/"):
        return "device"
    if link.startswith("/"):
        return "file"
    match = _BRACKETED.match(link)
    return match[1] if match else "other"


def count_threads(names: Iterable[str]) -> Counter[str]:
    """Threads by folded name."""
    return Counter(map(fold_thread_name, names))


def count_descriptors(links: Iterable[str]) -> Counter[str]:
    """Descriptors by kind."""
    return Counter(map(descriptor_kind, links))
