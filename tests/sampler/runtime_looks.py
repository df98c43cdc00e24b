"""Looks at what runs a process, and at what it tells of its heap."""

from tidemark.sampler.figures import ProcessFigures
from tidemark.sampler.runtime_watch import RuntimeWatch
from tidemark.sampler.tree import ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable


class RuntimeLooks:
    """A watch of a process, and what it says."""

    def __init__(self, pid):
        self.said = []
        self.tree = ProcessTree(identify(pid))
        say = self.said.append
        self.watch = RuntimeWatch(self.tree, "api", say, Unreadable(say))

    def look(self, now_s=0.0):
        """What was said until now."""
        self.tree.refresh(now_s)
        self.watch.look(now_s)
        return self.said

    def heap(self, now_s=0.0):
        """The figures of the root, its heap among them."""
        self.look(now_s)
        found = [ProcessFigures(pid, one.name) for pid, one in self.tree.members.items()]
        self.watch.add_heaps(found)
        return found[0].figures if found else None

    def close(self):
        self.watch.close()
