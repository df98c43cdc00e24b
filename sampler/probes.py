"""What is done once when something happens to a process of the tree."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

from tidemark.record.events import Event
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.host import Host
from tidemark.sampler.tree import Process
from tidemark.sampler.unreadable import Say, Unreadable


class Probe(Protocol):
    """Looks closer at a process when it appears."""

    def appeared(self, process: Process) -> Event:
        """Look at a process that was not there before, and say what there is to record.

        Raises:
            NoSuchProcessError: It has gone.
            DeniedError: It may not be read.
            ShortageError: The sampler has run out of something.
        """
        ...


class LimitsProbe:
    """Reads what bounds a process.

    Args:
        host: How to read processes.
        target: The target's id.
    """

    def __init__(self, host: Host, target: str) -> None:
        self._host = host
        self._target = target

    def appeared(self, process: Process) -> Event:
        """See `Probe.appeared`."""
        limits = self._host.limits(process.pid)
        return replace(limits, process=process.name, target=self._target)


class Probes:
    """Runs probes on every process that appears, once.

    Args:
        probes: Which ones.
        say: Is given what they found.
        unreadable: Is told what cannot be read.
    """

    def __init__(self, probes: Iterable[Probe], say: Say, unreadable: Unreadable) -> None:
        self._probes = tuple(probes)
        self._say = say
        self._unreadable = unreadable
        self._known: set[Process] = set()

    def look(self, processes: Iterable[Process]) -> None:
        """Run them on those of the processes that were not there the last time."""
        there = tuple(processes)
        for process in there:
            for probe in self._probes if process not in self._known else ():
                self._run(probe, process)
        self._known = set(there)

    def _run(self, probe: Probe, process: Process) -> None:
        try:
            self._say(probe.appeared(process))
        except NoSuchProcessError:
            return
        except (DeniedError, ShortageError) as error:
            self._unreadable.tell(error, process.pid)
