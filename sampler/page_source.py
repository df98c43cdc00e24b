"""Samples of a process that nobody may look at, by what its metrics page says."""

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlsplit

from tidemark.record.events import Event, RuntimeSeen, TargetRestarted
from tidemark.sampler.errors import MetricsError, PageError, SamplerError
from tidemark.sampler.exported import REQUESTS, STARTED, Values, figures_of, is_failure, runtime_of
from tidemark.sampler.exposition import heap_in, parse_requests, samples_of
from tidemark.sampler.figures import Figure, ProcessFigures
from tidemark.sampler.heap import HeapFigures
from tidemark.sampler.metrics_endpoint import fetch
from tidemark.sampler.source import Row, Sample
from tidemark.sampler.unreadable import Unreadable

_SAME_START_S = 2.0
"""A process that seems to have begun no later than that is the same: its start is reckoned from the
time at which the host began, which moves a little when its clock is corrected."""

Counter = tuple[str, Mapping[str, str], float]


class AnsweredCount:
    """Requests answered since the first look, by a counter that begins anew with its process."""

    def __init__(self) -> None:
        self._name: str | None = None
        self._last: dict[tuple[tuple[str, str], ...], float] = {}
        self._requests = self._failures = 0.0
        self._tells_failures = False
        self._has_looked = False

    def look(self, counters: Sequence[Counter], *, is_new: bool) -> Row | None:
        """The row of requests.csv, without times; None where no counter is known.

        Args:
            counters: The counters on the page: name, labels, value.
            is_new: Whether they are those of a new process.
        """
        if is_new:
            self._last.clear()
        held = {name for name, _, _ in counters}
        self._name = self._name or next((name for name in REQUESTS if name in held), None)
        mine = [(labels, value) for name, labels, value in counters if name == self._name]
        for labels, value in mine:
            self._add(labels, value)
        self._has_looked = True
        if self._name is None:
            return None
        failures = int(self._failures) if self._tells_failures else None
        return {"requests": int(self._requests), "failures": failures}

    def _add(self, labels: Mapping[str, str], value: float) -> None:
        key = tuple(sorted(labels.items()))
        # What was not there at the first look had counted nothing until then.
        former = self._last.get(key, 0.0 if self._has_looked else value)
        added = value - former if value >= former else value
        self._last[key] = value
        self._requests += added
        failed = is_failure(labels)
        self._tells_failures = self._tells_failures or failed is not None
        self._failures += added if failed else 0.0


class PageSource:
    """Reads a metrics page at every tick; a `Source`.

    Nobody says which process id is behind it: a number stands for it, and another one for the
    process that comes in its place.

    Args:
        url: The page.
        target: The target's id.
        read: Fetches it.
        counts: Whether requests are counted; not where a load generator does.

    Attributes:
        target: The target's id.
        name: Where figures come from.
        shortcoming: There is no better way, so None.

    Raises:
        PageError: The page cannot be read, or says nothing of a process.
    """

    name = "metrics page"

    def __init__(
        self,
        url: str,
        target: str,
        read: Callable[[str], bytes] = fetch,
        *,
        counts: bool = True,
    ) -> None:
        self.target = target
        self.shortcoming: SamplerError | None = None
        self._url = url
        self._read = read
        self._process = urlsplit(url).netloc.rpartition("@")[2]
        self._events: list[Event] = []
        self._unreadable = Unreadable(self._events.append)
        self._pid = 0
        self._started: float | None = None
        self._cpu_s: Figure = None
        self._heap: HeapFigures | None = None
        self._answered = AnsweredCount() if counts else None
        self._page()  # what is not there is said before anything is written

    def _page(self) -> tuple[Values, dict[str, Figure], list[Counter]]:
        try:
            page = self._read(self._url)
        except MetricsError as error:
            raise PageError(error.url, error.what) from error
        values = samples_of(page)
        figures = figures_of(values)
        if not figures:
            what = "says nothing of its process: no process_open_fds, no other that is known"
            raise PageError(self._url, what)
        return values, figures, parse_requests(page)

    def take(self, now_s: float, *, full: bool = False) -> Sample:  # noqa: ARG002 - as a `Source`
        """Read the page; nothing of the process where it cannot be read."""
        sample = Sample([])
        try:
            values, figures, counters = self._page()
        except PageError as error:
            self._unreadable.tell(error)
        else:
            is_new = self._look(values, figures)
            self._add_heap(values, figures, is_new=is_new)
            sample.processes = [ProcessFigures(self._pid, self._process, figures)]
            if self._answered is not None:
                sample.requests = self._answered.look(counters, is_new=is_new)
        sample.events = self._events.copy()
        self._events.clear()
        return sample

    def _look(self, values: Values, figures: Mapping[str, Figure]) -> bool:
        """Whether it is another process than that of the page before."""
        started = next(iter(values.get(STARTED, ())), None)
        cpu_s = figures.get("cpu_s")
        is_new = not self._pid or self._is_another(started, cpu_s)
        self._started, self._cpu_s = started, cpu_s
        if is_new:
            self._pid += 1
            if self._pid > 1:
                event = TargetRestarted(self._pid, self._process, self._pid - 1, self.target)
                self._events.append(event)
            runtime = runtime_of(values)
            seen = RuntimeSeen(self._pid, self._process, runtime, target=self.target)
            self._events.append(seen)
        return is_new

    def _is_another(self, started: float | None, cpu_s: Figure) -> bool:
        if started is not None and self._started is not None:
            return started - self._started > _SAME_START_S
        return cpu_s is not None and self._cpu_s is not None and cpu_s < self._cpu_s

    def _add_heap(self, values: Values, figures: dict[str, Figure], *, is_new: bool) -> None:
        found = heap_in(values)
        self._heap = None if found is None else found.after(None if is_new else self._heap)
        if self._heap is not None:
            figures["heap_bytes"] = self._heap.heap_bytes
            figures["collections"] = self._heap.collections

    def close(self) -> None:
        """It holds nothing."""
