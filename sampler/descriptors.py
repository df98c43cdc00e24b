"""What descriptors are called: files by the pattern of their path, sockets by their remote end.

A service that leaks files gives each a name of its own. What varies in a path is folded, so that
they are counted together: numbers, hexadecimal digits, UUIDs and what looks random at once, and
words as soon as several names of a folder differ in nothing else.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from tidemark.record.objects import shown_text
from tidemark.sampler.procfs import socket_inode

MOST_FILES, MOST_SOCKETS = 40, 40
"""So many patterns, and so many names of sockets, are told of a process; the rest is `file`, and
`tcp`."""
_ALIKE = 4
"""So many names of a folder may differ in a word alone before that is folded."""
_OF_A_KIND, _MIXED = 8, 16
"""So many patterns of one ending, and of any, may be in a folder before they are one."""
_MOST_GROUPS = 4096
_LONGEST = 200
"""Characters of a pattern."""

DELETED = " (deleted)"
OTHER_FILES, OTHER_TCP = "file", "tcp"

_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_HEXADECIMAL = r"(?=[0-9a-fA-F]*[0-9])(?=[0-9a-fA-F]*[a-fA-F])[0-9a-fA-F]{8,}"
_NUMBER = r"[0-9]+(?:[.:_-][0-9]+)*"
_PYTHON_TEMPORARY = r"(?<![0-9A-Za-z])tmp[a-z0-9_]{8}(?![0-9A-Za-z])"
_FORMED = re.compile(f"{_UUID}|{_PYTHON_TEMPORARY}")
_DIGITS = re.compile(f"{_HEXADECIMAL}|{_NUMBER}")
_TOKEN = re.compile(r"[0-9A-Za-z]{6,40}")
_CHANGE = re.compile(r"[a-z](?=[A-Z](?![a-z])|[0-9])|[A-Z](?=[0-9])|[0-9](?=[A-Za-z])")
_RANDOM_CHANGES = 3
"""A word that changes so often between small letters, capitals and digits looks random."""
_STARS = re.compile(r"\*+")
_HEAD = re.compile(r"[A-Za-z]+[-_]|[A-Za-z]+(?=\*)")
_TAIL = re.compile(r"\.[A-Za-z0-9]{1,8}$")
_BRACKETED = re.compile(r"(?:anon_inode:)?\[?([a-zA-Z_]+)\]?(?::.*)?")
_PROTOCOLS = (("TCP", OTHER_TCP), ("UDP", "udp"), ("UNIX", "unix"))


def _unless_word(token: re.Match[str]) -> str:
    return "*" if len(_CHANGE.findall(token[0])) >= _RANDOM_CHANGES else token[0]


def _unless_prefix(found: re.Match[str]) -> str:
    return "tmp*" if found[0].startswith("tmp") else "*"


@lru_cache(maxsize=16_384)
def fold_path(path: str) -> str:
    """A path without what varies: `/proc/17/stat` -> `/proc/*/stat`, `/tmp/a-3f9c21d0.tmp`
    -> `/tmp/a-*.tmp`.
    """  # noqa: D205 - an example each
    folded = _TOKEN.sub(_unless_word, _FORMED.sub(_unless_prefix, path))
    return shown_text(_STARS.sub("*", _DIGITS.sub("*", folded)), _LONGEST)


def descriptor_kind(link: str) -> str:
    """Kind of a descriptor from what it links to.

    `socket:[17]` -> `socket`, `anon_inode:[eventpoll]` -> `eventpoll`, a path -> `file`.
    """
    if link.startswith("/"):
        return "memfd" if link.startswith("/memfd:") else OTHER_FILES
    match = _BRACKETED.match(link)
    return match[1] if match else "other"


def protocol_name(protocol: str | None) -> str:
    """What a socket is called of which its protocol alone is known, as the kernel names it."""
    if protocol is None:
        return "socket"
    return next((name for prefix, name in _PROTOCOLS if protocol.startswith(prefix)), "") or (
        protocol.lower()
    )


class FilePatterns:
    """Folds paths together that differ in a word alone, once several of them have been seen.

    What was folded once stays so, as long as it is met now and then: a count goes on under its
    name.
    """

    def __init__(self) -> None:
        self._seen: dict[tuple[str, ...], set[str]] = {}
        self._folded: dict[tuple[str, ...], None] = {}  # what was met last is last

    def name(self, link: str) -> str:
        """The pattern of a path; one of a deleted file says so."""
        path = fold_path(link.removesuffix(DELETED))
        folder, _, base = path.rpartition("/")
        head, tail = _HEAD.match(base), _TAIL.search(base)
        first, last = head[0] if head else "", tail[0] if tail else ""
        base = self._fold((folder, first, last), base, f"{first}*{last}", _ALIKE)
        base = self._fold((folder, last), base, f"*{last}", _OF_A_KIND)
        base = self._fold((folder,), base, "*", _MIXED)
        return f"{folder}/{base}{DELETED if link.endswith(DELETED) else ''}"

    def _fold(self, group: tuple[str, ...], name: str, together: str, most: int) -> str:
        if group not in self._folded:
            if len(self._seen) >= _MOST_GROUPS:
                self._seen.clear()
            seen = self._seen.setdefault(group, set())
            seen.add(name)
            if len(seen) <= most:
                return name
            del self._seen[group]
            if len(self._folded) >= _MOST_GROUPS:
                del self._folded[next(iter(self._folded))]
        else:
            del self._folded[group]
        self._folded[group] = None
        return together


def limited(counts: Mapping[str, int], most: int, rest: str) -> Counter[str]:
    """The names with the highest counts, and one for what is left."""
    chosen = Counter(dict(sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:most]))
    left = sum(counts.values()) - sum(chosen.values())
    if left:
        chosen[rest] += left
    return chosen


@dataclass(frozen=True, slots=True)
class Descriptors:
    """Descriptors of a process by name.

    Attributes:
        files: By pattern of the path.
        tcp: TCP sockets by remote end.
        others: By kind.
    """

    files: Counter[str]
    tcp: Counter[str]
    others: Counter[str]

    @property
    def told(self) -> Counter[str]:
        """The counts as they are written: with a bounded number of names."""
        files = limited(self.files, MOST_FILES, OTHER_FILES)
        return files + limited(self.tcp, MOST_SOCKETS, OTHER_TCP) + self.others


def count_descriptors(
    links: Iterable[str],
    sockets: Mapping[int, str],
    others: Mapping[int, str],
    patterns: FilePatterns,
) -> Descriptors:
    """Count descriptors by name.

    Args:
        links: What each links to.
        sockets: Inode -> name of the sockets that connections are known of.
        others: The same of others; one that is in neither is a `socket`.
        patterns: What has been folded so far.
    """
    found = Descriptors(Counter(), Counter(), Counter())
    for link in links:
        kind = descriptor_kind(link)
        if kind == OTHER_FILES:
            found.files[patterns.name(link)] += 1
        elif kind == "socket":
            inode = socket_inode(link)
            name = sockets.get(inode) or others.get(inode, kind)
            (found.tcp if name.startswith(OTHER_TCP) else found.others)[name] += 1
        else:
            found.others[kind] += 1
    return found
