"""How a command that drives runs shows them: in one live panel, by heartbeats, or line by line."""

import contextlib
import math
import time
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from tidemark.analysis import units
from tidemark.analysis.reports.terminal import outcome
from tidemark.live import panel
from tidemark.live.demand import ALWAYS, Demand
from tidemark.live.facts import Facts
from tidemark.live.heartbeat import LEAD_S, heartbeat
from tidemark.live.overview import Entry, overview
from tidemark.live.terminal import keyboard, unechoed
from tidemark.live.watching import Watched
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import RUN_JSON
from tidemark.run.children import say
from tidemark.run.progress import Progress, RunView

DRAW_EVERY_S = 0.5


def progress_of(
    console: Console,
    names: Sequence[str],
    title: str,
    *,
    heartbeat_s: float,
    lasts_s: float,
    has_panel: bool,
) -> Progress:
    """What shows runs that follow each other.

    Args:
        console: Where to.
        names: What they are called, in their order.
        title: What they are together.
        heartbeat_s: How often a log is told of a run that lasts longer, seconds; 0 for never.
        lasts_s: How long each of them lasts, seconds.
        has_panel: Whether a panel is drawn where there is a terminal.
    """
    if console.is_terminal and has_panel and not console.is_dumb_terminal:
        return PanelProgress(console, names, title)
    if lasts_s > heartbeat_s:
        return HeartbeatProgress(console, heartbeat_s)
    return Progress(console)


class Shown:
    """A run that is shown: nothing is known of it before it has begun.

    Args:
        name: What it is called.
        demand: How often the verdict so far is wanted.
    """

    def __init__(self, name: str, demand: Demand = ALWAYS) -> None:
        self.name = name
        self.watched: Watched | None = None
        self._demand = demand
        self._view: RunView | None = None
        self._is_over = False
        self._last: Entry | None = None
        self._stack = ExitStack()

    def begin(self, view: RunView) -> None:
        """It begins."""
        self._view = view

    def end(self) -> None:
        """It is over; its last verdict may be still to come."""
        self._is_over = True

    def close(self) -> None:
        """Nobody looks at it any more."""
        self._stack.close()
        self.watched = None

    def facts(self) -> Facts | None:
        """What is known of it now."""
        if self.watched is None and self._view and not self._last:
            self._open(self._view)
        return self.watched.facts() if self.watched else None

    def _open(self, view: RunView) -> None:
        if not (view.path / RUN_JSON).exists():
            return
        with contextlib.suppress(UnusableRunError):  # it is being written; there is a next time
            self.watched = Watched(view.path, self._demand)
            self._stack.enter_context(self.watched.followed())

    def entry(self) -> Entry:
        """What there is to say of it beside others."""
        if self._last:
            return self._last
        facts = self.facts()
        if self._view is None:
            return Entry(self.name, "to come", "to come")
        if not self._is_over:
            return Entry(self.name, "running", _progress(facts, self._view.duration_s), facts)
        if self.watched is None:
            return Entry(self.name, "over", "nothing was recorded")
        if not self.watched.is_over:
            return Entry(self.name, "over", "being judged", facts)
        judged = self.watched.judge.judged
        ended = outcome(judged.assessment) if judged else self.watched.run.metadata.outcome
        self._last = Entry(self.name, "over", ended, self.watched.facts())
        self.close()
        return self._last


def _progress(facts: Facts | None, lasts_s: float) -> str:
    if facts is None or facts.load_s is None:
        return "starting"
    if facts.load_s > lasts_s:
        return "finishing"
    return f"{units.duration(round(facts.load_s))} of {units.duration(lasts_s)}"


class PanelProgress(Progress):
    """All runs in one live panel on a terminal.

    Args:
        console: The terminal.
        names: What the runs are called, in their order.
        title: What they are together.
    """

    def __init__(self, console: Console, names: Sequence[str], title: str) -> None:
        super().__init__(console)
        self._title = title
        self._runs = {name: Shown(name) for name in names}
        self._stack = ExitStack()
        self._drawn_s = -math.inf
        self._is_given_up = False

    def begin(self, view: RunView) -> None:
        """A run begins."""
        self._runs[view.name].begin(view)
        if self._is_given_up:
            super().begin(view)
        elif self._live is None:
            self._stack.enter_context(unechoed(keyboard()))
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
            self.show(view)

    def show(self, view: RunView) -> None:
        """Bring the display up to date."""
        if self._is_given_up:
            super().show(view)
        elif self._live and time.monotonic() - self._drawn_s >= DRAW_EVERY_S:
            self._drawn_s = time.monotonic()
            try:
                self._live.update(self._drawn(self._runs[view.name]), refresh=True)
            except Exception as error:  # noqa: BLE001 - it must not end what it shows
                self.close()
                say(f"there is no live panel any more ({error!r}); the run goes on")
                self._is_given_up = True

    def end(self, view: RunView) -> None:
        """The run is over."""
        self._runs[view.name].end()
        if self._is_given_up or len(self._runs) == 1:
            super().end(view)

    def close(self) -> None:
        """Give the terminal back."""
        super().close()
        self._stack.close()
        for one in self._runs.values():
            one.close()

    def _drawn(self, shown: Shown) -> RenderableType:
        console = self._console
        if len(self._runs) > 1:
            entries = [one.entry() for one in self._runs.values()]
            with shown.watched.run.lock if shown.watched else contextlib.nullcontext():
                run = shown.watched.run if shown.watched else None
                return overview(self._title, entries, run, console.width, console.height)
        facts = shown.facts()
        if facts is None or shown.watched is None:
            return panel.framed(shown.name, [Text("starting")], "", console.width)
        with shown.watched.run.lock:
            return panel.panel(facts, shown.watched.run, console.width, console.height)


class HeartbeatProgress(Progress):
    """A line at the beginning of a run and at its end, and a heartbeat now and then.

    Args:
        console: Where the beginning and the end are said; heartbeats go to standard error.
        every_s: Seconds between two heartbeats; 0 for none.
    """

    def __init__(self, console: Console, every_s: float) -> None:
        super().__init__(console)
        self._every_s = every_s or math.inf
        self._due_s = math.inf
        self._demand = Demand(math.inf)
        self._shown = Shown("")

    def begin(self, view: RunView) -> None:
        """A run begins."""
        self._due_s = time.monotonic() + self._every_s
        self._demand = Demand(math.inf)
        self._shown = Shown(view.name, self._demand)
        self._shown.begin(view)
        self._print(view)

    def show(self, view: RunView) -> None:
        """Say how it is getting on, if that is due."""
        if time.monotonic() < self._due_s - LEAD_S:
            return
        try:
            self._beat(view)
        except Exception as error:  # noqa: BLE001 - it must not end what it tells of
            self._due_s = math.inf
            say(f"there are no heartbeats any more ({error!r}); the run goes on")

    def _beat(self, view: RunView) -> None:
        facts = self._shown.facts()
        if time.monotonic() < self._due_s:
            self._demand.ask()
            return
        self._due_s += self._every_s
        say(heartbeat(facts) if facts else f"{view.name}: starting")

    def close(self) -> None:
        """Nothing more is said of it."""
        super().close()
        self._shown.close()
