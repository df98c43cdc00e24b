"""Takes the samples of the targets and writes them into the run's directory."""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import chain

from tidemark.record.clock import Instant, RunClock
from tidemark.record.events import ClockSet, Event, SamplerStarted
from tidemark.sampler.budget import Budget
from tidemark.sampler.errors import DeniedError
from tidemark.sampler.journal import Journal
from tidemark.sampler.live import Glance
from tidemark.sampler.source import Row, Sample, Source
from tidemark.sampler.unreadable import event_of

Taken = Sequence[tuple[str, Sample]]
"""The samples of one tick, each with its target's id."""

_CLOCK_SLACK_S = 1.0
"""By so much the clock may be corrected unsaid: slewing, and the time between its two readings."""


class CpuMeter:
    """What this process has used of the CPU since the meter was made."""

    def __init__(self) -> None:
        self._began = time.monotonic(), time.process_time()
        self._lap_cpu_s = self._began[1]

    def lap(self) -> float:
        """CPU time since the last lap, seconds."""
        former_s, self._lap_cpu_s = self._lap_cpu_s, time.process_time()
        return self._lap_cpu_s - former_s

    def share(self, least_s: float) -> float:
        """The average since the beginning as a share of one core.

        Args:
            least_s: Seconds to count at least: a beginning says nothing of the average.
        """
        began_s, began_cpu_s = self._began
        lasted_s = max(time.monotonic() - began_s, least_s)
        return (time.process_time() - began_cpu_s) / lasted_s


class WallClock:
    """Notices when somebody sets the clock: Unix time minus elapsed time is constant until then."""

    def __init__(self) -> None:
        self._offset_s: float | None = None

    def look(self, instant: Instant) -> ClockSet | None:
        """The event if it was set since the last look."""
        offset_s = instant.time_s - instant.elapsed_s
        former_s = offset_s if self._offset_s is None else self._offset_s
        was_set = abs(offset_s - former_s) > _CLOCK_SLACK_S
        self._offset_s = offset_s if was_set else former_s
        return ClockSet(round(offset_s - former_s, 3)) if was_set else None


class Recorder:
    """Writes one sample of each target a call of `tick`, all of the same instant.

    Args:
        journal: Where to.
        clock: The run's clock.
        sources: Where samples come from: one for each target.
        budget: What the sampler may use; told what each tick cost.
        interval_s: Seconds between ticks.

    Attributes:
        glance: The last samples in a few figures.
    """

    def __init__(
        self,
        journal: Journal,
        clock: RunClock,
        sources: Sequence[Source],
        budget: Budget,
        interval_s: float,
    ) -> None:
        self.glance = Glance()
        self._journal = journal
        self._clock = clock
        self._sources = tuple(sources)
        self._budget = budget
        self._interval_s = interval_s
        self._wall = WallClock()
        self._meter = CpuMeter()

    def start(self) -> None:
        """Record that it begins, and how connections are read: in the worse way, if in two."""
        share = self._budget.share
        short = [source for source in self._sources if source.shortcoming is not None]
        worst = next(iter(short), self._sources[0])
        started = SamplerStarted(
            source=worst.name,
            interval_s=self._interval_s,
            budget_share=share if math.isfinite(share) else None,
            reason=None if worst.shortcoming is None else str(worst.shortcoming),
        )
        self.say(started)
        for source in short:
            if isinstance(source.shortcoming, DeniedError):
                self.say(event_of(source.shortcoming, target=source.target))

    def say(self, event: Event) -> None:
        """Record an event now."""
        self._journal.event(self._clock.now(), event)

    def tick(self) -> None:
        """Take one sample of each target and write them.

        Raises:
            RunDirectoryError: They cannot be written, for another reason than lack of space.
        """
        self.write(*self.read())

    def read(self, *, full: bool = False) -> tuple[Instant, Taken]:
        """Take one sample of each target.

        Args:
            full: Read the connections whether or not the budget allows for it: the last
                samples of a run are whole ones.
        """
        instant = self._clock.now()
        at_s = instant.elapsed_s
        return instant, [(one.target, one.take(at_s, full=full)) for one in self._sources]

    def write(self, instant: Instant, taken: Taken) -> None:
        """Write the samples of one tick. Raises as `tick` does."""
        samples = [sample for _, sample in taken]
        was_set = self._wall.look(instant)
        for event in (was_set, *chain.from_iterable(sample.events for sample in samples)):
            if event is not None:
                self._journal.event(instant, event)
        cost_s = self._meter.lap()
        counted = next((one.requests for one in samples if one.requests is not None), None)
        self._journal.write(instant, *_rows(taken, cost_s), requests=counted)
        self._budget.settle(cost_s, self._interval_s)
        self.glance.update(instant.elapsed_s, samples, self._meter.share(self._interval_s))


def _rows(taken: Taken, cost_s: float) -> tuple[Iterator[Row], Iterator[Row], Iterator[Row]]:
    """The rows of samples.csv, composition.csv and endpoints.csv, each with its target's id."""
    return (
        ({"target": target, **row} for target, one in taken for row in one.process_rows(cost_s)),
        ({"target": target, **row} for target, one in taken for row in one.composition),
        ({"target": target, **row} for target, one in taken for row in one.endpoint_rows()),
    )
