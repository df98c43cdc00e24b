"""The process that shows a run, beside the one that drives it: judging and drawing cost time.

    python -m tidemark.live DIR --listen [--facts-every S] [--judge-every S]
        [--heartbeat-every S] [--terminal FD --lines FD]

It is started by who drives the run, as a child (`tidemark.run.companion`), and ends when a signal
ends it or its parent has gone. It follows the run directory and

- serves what `tidemark.live.server` serves, on 127.0.0.1 and a free port, to whoever has the
  token that it makes up (header `X-Tidemark-Token`);
- writes lines of JSON to standard output: first `{"url": "http://127.0.0.1:N/", "token": "..."}`,
  then every `--facts-every` seconds what `Facts.to_json` says: levels, requests, verdict so far.

With `--heartbeat-every` there is `{"heartbeat": LINE}` so often. With `--terminal` a panel is drawn
on that terminal, below what is read from `--lines`, until nobody can write there any more.

The run is judged while somebody asks for `live.json` or a panel is drawn, for each heartbeat,
every `--judge-every` seconds if that is given, and a last time when it has ended, if anybody wants
to know. After the end of the run it goes on, for whoever still looks.
"""

import argparse
import json
import math
import os
import secrets
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from tidemark.live.demand import Demand
from tidemark.live.heartbeat import LEAD_S, heartbeat
from tidemark.live.screen import Screen
from tidemark.live.server import serving
from tidemark.live.watching import Watched
from tidemark.record.errors import TidemarkError
from tidemark.record.process import outlive_parent

NICENESS = 10
PULSE_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow a run until something ends it; an error is one line and an exit code."""
    given = _parser().parse_args(arguments)
    os.nice(NICENESS)
    try:
        accompany(given)
    except TidemarkError as error:
        sys.stderr.write(f"python -m tidemark.live: error: {error}\n")
        return 2
    except BrokenPipeError:  # nobody reads any more
        return 0


def accompany(given: argparse.Namespace) -> NoReturn:
    """Serve a run and say what is known of it; returns only by an exception.

    Args:
        given: What the command line says: see `_parser`.
    """
    is_drawn = given.terminal is not None
    watched = Watched(given.directory, Demand(0.0 if is_drawn else given.judge_every))
    token = secrets.token_urlsafe(32)
    screen = Screen(watched, given.terminal, given.lines, _leave) if is_drawn else None
    with watched.followed(), serving(watched, 0, token) as url, _drawn(screen):
        _say({"url": url, "token": token})
        facts_due, heart = Due(given.facts_every, is_at_once=True), Due(given.heartbeat_every)
        while True:
            facts = watched.facts()  # raises what has gone wrong
            if facts_due.comes():
                _say(facts.to_json())
            if heart.comes_within(LEAD_S):
                watched.demand.ask()
            if heart.comes():
                _say({"heartbeat": heartbeat(facts)})
            if screen:
                screen.expect_well()
            time.sleep(min(PULSE_S, given.facts_every))


class Due:
    """When something is to be done again.

    Args:
        every_s: Seconds between two times; infinity for never.
        is_at_once: Whether the first time is now.
    """

    def __init__(self, every_s: float, *, is_at_once: bool = False) -> None:
        self._every_s = every_s
        now_s = time.monotonic()
        self._due_s = now_s if is_at_once and math.isfinite(every_s) else now_s + every_s

    def comes_within(self, seconds: float) -> bool:
        """Whether it is time, or soon will be."""
        return time.monotonic() >= self._due_s - seconds

    def comes(self) -> bool:
        """Whether it is time; the next time is put down then."""
        if not self.comes_within(0):
            return False
        self._due_s = max(self._due_s + self._every_s, time.monotonic())
        return True


def _leave() -> NoReturn:
    os._exit(0)  # at once: a judgement under way would go on for a while


@contextmanager
def _drawn(screen: Screen | None) -> Iterator[None]:
    """With a panel, leave nothing of it on the terminal, whatever ends us or who has started us."""
    if screen is None:
        yield
        return
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    outlive_parent()
    try:
        with screen.drawn():
            yield
    except SystemExit:
        _leave()


def _say(what: dict[str, Any]) -> None:
    text = json.dumps(what, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tidemark.live", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--listen", action="store_true", required=True)
    for name in ("--facts-every", "--judge-every", "--heartbeat-every"):
        parser.add_argument(name, type=float, default=math.inf, metavar="SECONDS")
    for name in ("--terminal", "--lines"):
        parser.add_argument(name, type=int, metavar="FD")
    return parser
