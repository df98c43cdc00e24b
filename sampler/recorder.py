"""Takes the samples of one target and writes them into the run's directory."""

import math
import time

from tidemark.record.clock import Instant, RunClock
from tidemark.record.events import ClockSet, Event, SamplerStarted
from tidemark.sampler.budget import Budget
from tidemark.sampler.errors import DeniedError
from tidemark.sampler.journal import Journal
from tidemark.sampler.live import Glance
from tidemark.sampler.source import Sample, Source
from tidemark.sampler.unreadable import event_of

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
    """Writes one sample a call of `tick`.

    Args:
        journal: Where to.
        clock: The run's clock.
        source: Where samples come from.
        budget: What the sampler may use; told what each tick cost.
        interval_s: Seconds between ticks.

    Attributes:
        glance: The last sample in a few figures.
    """

    def __init__(
        self, journal: Journal, clock: RunClock, source: Source, budget: Budget, interval_s: float
    ) -> None:
        self.glance = Glance()
        self._journal = journal
        self._clock = clock
        self._source = source
        self._budget = budget
        self._interval_s = interval_s
        self._wall = WallClock()
        self._meter = CpuMeter()

    def start(self) -> None:
        """Record that it begins, and how connections are read."""
        share, shortcoming = self._budget.share, self._source.shortcoming
        started = SamplerStarted(
            source=self._source.name,
            interval_s=self._interval_s,
            budget_share=share if math.isfinite(share) else None,
            reason=None if shortcoming is None else str(shortcoming),
        )
        self.say(started)
        if isinstance(shortcoming, DeniedError):
            self.say(event_of(shortcoming))

    def say(self, event: Event) -> None:
        """Record an event now."""
        self._journal.event(self._clock.now(), event)

    def tick(self) -> None:
        """Take one sample and write it.

        Raises:
            RunDirectoryError: It cannot be written, for another reason than lack of space.
        """
        self.write(*self.read())

    def read(self, *, full: bool = False) -> tuple[Instant, Sample]:
        """Take one sample.

        Args:
            full: Read the connections whether or not the budget allows for it: the last
                sample of a run is a whole one.
        """
        instant = self._clock.now()
        return instant, self._source.take(instant.elapsed_s, full=full)

    def write(self, instant: Instant, sample: Sample) -> None:
        """Write a sample. Raises as `tick` does."""
        was_set = self._wall.look(instant)
        for event in (was_set, *sample.events):
            if event is not None:
                self._journal.event(instant, event)
        cost_s = self._meter.lap()
        tables = sample.process_rows(cost_s), sample.composition, sample.endpoint_rows()
        self._journal.write(instant, self._source.target, *tables, requests=sample.requests)
        self._budget.settle(cost_s, self._interval_s)
        self.glance.update(instant.elapsed_s, sample, self._meter.share(self._interval_s))
