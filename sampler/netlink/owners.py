"""Which process holds which socket: remembered, and looked up only for what is new."""

import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import chain, filterfalse, repeat
from operator import and_, is_not, rshift

from tidemark.sampler.errors import DeniedError, NoSuchProcessError
from tidemark.sampler.netlink.difference import difference
from tidemark.sampler.netlink.fdtable import FdTable, Found

_SLOT_BITS = 32
_DESCRIPTOR_MASK = (1 << _SLOT_BITS) - 1
_MANY_CHANGES = 1000
"""From about here on, comparing two dumps as sets is quicker."""
_READ_COST, _LIST_COST = 3, 1
"""What reading a link costs, in terms of listing one descriptor."""


_is_known = partial(is_not, None)


class SocketOwners:
    """Remembers process and descriptor of every socket that was seen.

    A dump is not one moment: it can show a socket that was closed while it was taken
    beside the one that took over its descriptor. The second is then not found, because
    its place is taken by the first as far as we know: it is suspended, so that the place
    counts once, and found the next time. What is not found twice is foreign.

    Attributes:
        denied: pid -> what may not be read, of the last update.
        undecided: Sockets of the last update that such a process could hold.
        strangers: Sockets of the last update that nobody of the tree is known to hold.
        learning_cost_s: CPU time that listing descriptors took in the last update, seconds.
    """

    def __init__(self) -> None:
        self._tables: dict[int, FdTable] = {}  # by slot
        self._slots: dict[int, int] = {}  # by pid
        self._next_slot = 0
        self._holders: dict[int, int] = {}  # inode -> slot << 32 | descriptor
        self._totals: Counter[int] = Counter()
        self._before: array[int] = array("I")
        self._changes_much = False
        self._foreign: set[int] = set()
        self._suspended: set[int] = set()
        self.denied: dict[int, str] = {}
        self.undecided: set[int] = set()
        self.strangers: set[int] = set()
        self.learning_cost_s = 0.0

    def update(self, inodes: "array[int]", starts: Mapping[int, int]) -> bool:
        """Learn who holds these sockets now.

        Args:
            inodes: All sockets of the last dump that somebody holds (no 0).
            starts: pid -> start of each process of the tree.

        Returns:
            False if a socket is there twice; nothing was learnt then.
        """
        changes = self._changes(inodes)
        if changes is None:
            return False
        added, removed = changes
        self._before = inodes
        self.denied = {}
        self.learning_cost_s = 0.0
        again = self._follow_processes(starts)
        unknown = added
        unknown |= again
        unknown |= self._suspended
        self._foreign -= removed
        self._forget_closed(removed)
        unknown -= removed
        self._find(unknown)
        self._judge(unknown)
        return True

    def _changes(self, inodes: "array[int]") -> tuple[set[int], set[int]] | None:
        """Added and removed sockets since the last dump; None if one is there twice."""
        if not self._before:
            present = set(inodes)
            return (present, set()) if len(present) == len(inodes) else None
        lists = None if self._changes_much else difference(self._before, inodes, _MANY_CHANGES)
        if lists is None:
            return self._changes_of_sets(inodes)
        inserted, deleted = map(set, lists)
        added = inserted - deleted
        known = any(map(self._holders.__contains__, added))
        known = known or bool(added & (self._foreign | self._suspended))
        twice = known or len(inserted) != len(lists[0])
        return None if twice else (added, deleted - inserted)

    def _changes_of_sets(self, inodes: "array[int]") -> tuple[set[int], set[int]] | None:
        """The same, quicker where there are many; what was there before is known in another way."""
        after = set(inodes)
        if len(after) < len(inodes):
            return None
        others = self._foreign | self._suspended  # beside those that somebody is known to hold
        added = after.difference(self._holders, others)
        removed = set(filterfalse(after.__contains__, chain(self._holders, others)))
        self._changes_much = len(added) + len(removed) > _MANY_CHANGES
        return added, removed

    def _find(self, unknown: set[int]) -> None:
        for slot, table in self._tables.items():
            self._keep(slot, table.take_early(unknown), unknown)
        self._each(unknown, self._probe)
        self._each(unknown, self._recheck)
        before_s = time.process_time()
        self._each(unknown, partial(self._list, bool(unknown & self._suspended)))
        self.learning_cost_s = time.process_time() - before_s

    def _judge(self, unknown: set[int]) -> None:
        """What is left of the unknown ones is suspended at first, and foreign after that."""
        self.undecided = set()
        if self.denied:
            self.undecided = self._suspended = unknown
        else:
            twice = unknown & self._suspended
            self._foreign |= twice
            self._suspended = unknown - twice
        self.strangers = self._foreign | unknown

    def _each(self, unknown: set[int], action: Callable[[set[int], int, FdTable], None]) -> None:
        for slot, table in self._tables.items():
            if not unknown:
                return
            try:
                action(unknown, slot, table)
            except NoSuchProcessError:
                continue
            except DeniedError as error:
                self.denied[table.pid] = error.what

    def _probe(self, unknown: set[int], slot: int, table: FdTable) -> None:
        if table.listed:
            self._keep(slot, table.probe(unknown), unknown)

    def _recheck(self, unknown: set[int], slot: int, table: FdTable) -> None:
        if not table.listed:
            return
        if table.recheck_size() * _READ_COST > self._totals[slot] * _LIST_COST + 100:
            self._walk(unknown, slot, table)
        else:
            self._keep(slot, table.recheck(unknown), unknown)

    def _list(self, seen_twice: bool, unknown: set[int], slot: int, table: FdTable) -> None:
        if not table.listed or (seen_twice and table.unexplained(self._totals[slot]) > 0):
            self._walk(unknown, slot, table)

    def _walk(self, unknown: set[int], slot: int, table: FdTable) -> None:
        known: Iterable[int] = ()
        if self._totals[slot]:
            mine = (held for held in self._holders.values() if held >> _SLOT_BITS == slot)
            known = map(and_, mine, repeat(_DESCRIPTOR_MASK))
        self._keep(slot, table.walk(unknown, known), unknown)

    def _keep(self, slot: int, found: Found, unknown: set[int]) -> None:
        base = slot << _SLOT_BITS
        self._holders.update({inode: base | at for inode, at in found.items()})
        self._totals[slot] += len(found)
        unknown.difference_update(found)

    def _follow_processes(self, starts: Mapping[int, int]) -> set[int]:
        """Forget processes that ended and add new ones; returns sockets to look for anew."""
        again = self._forget_processes(starts)
        for pid, start in starts.items():
            if pid not in self._slots:
                self._slots[pid] = self._next_slot
                self._tables[self._next_slot] = FdTable(pid, start)
                self._next_slot += 1
                again |= self._foreign | self._suspended  # they may be this one's
                self._foreign = set()
                self._suspended = set()
        return again

    def _forget_processes(self, starts: Mapping[int, int]) -> set[int]:
        gone = {
            slot for slot, one in self._tables.items() if starts.get(one.pid) != one.start_ticks
        }
        if not gone:
            return set()
        lost = {inode for inode, held in self._holders.items() if held >> _SLOT_BITS in gone}
        for inode in lost:
            del self._holders[inode]
        for slot in gone:
            self._slots.pop(self._tables.pop(slot).pid)
            self._totals.pop(slot, None)
        return lost

    def _forget_closed(self, removed: set[int]) -> None:
        for inode in removed:
            holder = self._holders.pop(inode, None)
            if holder is not None:
                slot = holder >> _SLOT_BITS
                self._totals[slot] -= 1
                self._tables[slot].release(holder & _DESCRIPTOR_MASK)

    def totals(self) -> dict[int, int]:
        """How many of the last update's sockets each process holds, by pid."""
        return {self._tables[slot].pid: count for slot, count in self._totals.items() if count}

    def count(self, inodes: Iterable[int]) -> Counter[int]:
        """How many of these sockets each process holds, by pid; strangers are left out."""
        holders = filter(_is_known, map(self._holders.get, inodes))
        slots = Counter(map(rshift, holders, repeat(_SLOT_BITS)))
        return Counter({self._tables[slot].pid: count for slot, count in slots.items()})
