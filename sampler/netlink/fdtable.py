"""What is known of one process's descriptors, and the reading of what is not."""

import os
from collections.abc import Iterable
from functools import partial
from itertools import chain, compress, count, islice

from tidemark.sampler import procfs
from tidemark.sampler.procfs import SOCKET_PREFIX, reading, socket_inode

_MISSES = 16
"""Free descriptors in a row after which nothing more is expected above."""

_MOST_AT_ONCE = 512
"""So many links are read together at most, of those of which it shows which is the last."""

Found = dict[int, int]
"""Inode of a socket -> the descriptor that it has."""


class FdFolder:
    """`/proc/PID/fd`, held open so that each link costs one short look-up.

    Raises:
        NoSuchProcessError: The process has gone; so do all methods.
        DeniedError: Its descriptors may not be read; so do all methods.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._path = f"/proc/{pid}/fd"
        with reading(pid, self._path):
            self._descriptor = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def names(self) -> list[str]:
        """All open descriptors, as text."""
        with reading(self._pid, self._path):
            return os.listdir(self._descriptor)  # noqa: PTH208 (of a descriptor)

    def inode(self, name: str) -> int | None:
        """Inode of the socket behind a descriptor, 0 for another kind, None if closed."""
        with reading(self._pid, self._path):
            try:
                return socket_inode(os.readlink(name, dir_fd=self._descriptor))
            except FileNotFoundError:
                return None

    def inodes(self, descriptors: Iterable[int]) -> list[int | None]:
        """The same for many, quicker."""
        links = map(partial(os.readlink, dir_fd=self._descriptor), map(str, descriptors))
        found: list[str | None] = []
        with reading(self._pid, self._path):
            while True:
                try:
                    found.extend(links)
                    break
                except FileNotFoundError:  # it goes on with the next
                    found.append(None)
        return [
            (int(link[8:-1]) if link[:8] == SOCKET_PREFIX else 0) if link is not None else None
            for link in found
        ]

    def __enter__(self) -> "FdFolder":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


class FdTable:
    """Sorts the descriptors of one process into known sockets, free ones and others.

    Every number up to the highest is one of the three, so that a new socket can be found by
    looking at what was free, what was something else, and above: the known sockets, which
    are the many, need not be read again.

    Args:
        pid: The process.
        start_ticks: When it began; a PID that comes back is another process.
    """

    def __init__(self, pid: int, start_ticks: int) -> None:
        self.pid = pid
        self.start_ticks = start_ticks
        self.listed = False
        self._top = -1
        self._free: set[int] = set()
        self._others: set[int] = set()
        self._early: Found = {}

    def release(self, descriptor: int) -> None:
        """Note that a known socket was closed."""
        self._free.add(descriptor)

    def take_early(self, wanted: set[int]) -> Found:
        """Sockets that were seen last time before any dump had them; reads nothing."""
        found = {inode: at for inode, at in self._early.items() if inode in wanted}
        self._free.update(at for inode, at in self._early.items() if inode not in wanted)
        self._early = {}
        return found

    def probe(self, wanted: set[int]) -> Found:
        """Look where the kernel puts new descriptors: at the lowest free number.

        Returns:
            The wanted sockets that were there. Goes on until 16 in a row are still free.
        """
        found: Found = {}
        misses, size = 0, 1
        descriptors = chain(sorted(self._free), count(self._top + 1))
        with FdFolder(self.pid) as folder:
            while misses < _MISSES and len(found) < len(wanted):
                # Twice as many each time: few reads are in vain, however many are new.
                size = min(2 * size, len(wanted) - len(found), _MOST_AT_ONCE)
                some = list(islice(descriptors, size))
                for descriptor, inode in zip(some, folder.inodes(some), strict=True):
                    misses = misses + 1 if inode is None else 0
                    if inode is not None:
                        self._free.discard(descriptor)
                        self._top = max(self._top, descriptor)
                        self._sort(descriptor, inode, wanted, found)
        return found

    def recheck(self, wanted: set[int]) -> Found:
        """Look at everything that is not a known socket: what was free, and the others."""
        found: Found = {}
        descriptors = sorted(self._others | self._free)
        self._others, self._free = set(), set()
        with FdFolder(self.pid) as folder:
            for descriptor, inode in zip(descriptors, folder.inodes(descriptors), strict=True):
                if inode is None:
                    self._free.add(descriptor)
                else:
                    self._sort(descriptor, inode, wanted, found)
        return found

    def recheck_size(self) -> int:
        """How many links `recheck` would read."""
        return len(self._others) + len(self._free)

    def walk(self, wanted: set[int], known: Iterable[int]) -> Found:
        """Read all descriptors except those of known sockets."""
        held = set(known)
        with FdFolder(self.pid) as folder:
            numbers, inodes = ([], []) if held else self._read_lowest(folder)
            if not numbers or len(numbers) != procfs.count_fds_by_size(self.pid):
                rest = set(map(int, folder.names())) - held - set(numbers)
                new = sorted(rest)
                numbers += new
                inodes += folder.inodes(new)
        self.listed = True
        pairs = zip(inodes, numbers, strict=True)
        found: Found = {inode: at for inode, at in pairs if inode in wanted}
        closed = {at for inode, at in zip(inodes, numbers, strict=True) if inode is None}
        listed = held.union(numbers) - closed
        self._top = max(listed, default=-1)
        self._free = set(range(self._top)) - listed
        self._early = {}
        self._others = listed.difference(held, found.values())
        return found

    def _read_lowest(self, folder: FdFolder) -> tuple[list[int], list[int | None]]:
        """The descriptors below their number, and as many above as there are holes: most often all.

        Reading them without asking for a list first saves a seventh. Closed ones are left out.
        """
        size = procfs.count_fds_by_size(self.pid)
        inodes = folder.inodes(range(size))
        if None not in inodes:
            return list(range(size)), inodes
        inodes += folder.inodes(range(size, size + inodes.count(None) + _MISSES))
        there = [inode is not None for inode in inodes]
        return list(compress(count(), there)), list(compress(inodes, there))

    def _sort(self, descriptor: int, inode: int, wanted: set[int], found: Found) -> None:
        if inode in wanted:
            found[inode] = descriptor
        elif inode:
            self._early[inode] = descriptor
        else:
            self._others.add(descriptor)

    def unexplained(self, held: int) -> int:
        """How many descriptors are open that are neither known sockets nor others.

        Args:
            held: How many sockets of the process are known.

        Returns:
            At least 0; where the kernel does not count, everything is unexplained.
        """
        size = procfs.count_fds_by_size(self.pid)
        if not size:
            return held + 1
        return max(size - held - len(self._others) - len(self._early), 0)
