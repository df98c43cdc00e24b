"""The process that shows a run, beside the one that drives it: judging and drawing cost time.

    python -m tidemark.live DIR --listen [--facts-every S] [--judge-every S]

It is started by who drives the run, as a child (`tidemark.run.companion`), and ends when a signal
ends it or its parent has gone. It follows the run directory and

- serves what `tidemark.live.server` serves, on 127.0.0.1 and a free port, to whoever has the
  token that it makes up (header `X-Tidemark-Token`);
- writes lines of JSON to standard output: first `{"url": "http://127.0.0.1:N/", "token": "..."}`,
  then every `--facts-every` seconds what `Facts.to_json` says: levels, requests, verdict so far.

Without `--facts-every` there are no further lines. The run is judged while somebody asks for
`live.json`, every `--judge-every` seconds if that is given, and a last time when it has ended,
if anybody wants to know. After the end of the run it goes on, for whoever still looks.
"""

import argparse
import json
import math
import os
import secrets
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from tidemark.live.demand import Demand
from tidemark.live.server import serving
from tidemark.live.watching import Watched
from tidemark.record.errors import TidemarkError

NICENESS = 10
PULSE_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Follow a run until something ends it; an error is one line and an exit code."""
    given = _parser().parse_args(arguments)
    os.nice(NICENESS)
    try:
        accompany(given.directory, given.facts_every, Demand(given.judge_every))
    except TidemarkError as error:
        sys.stderr.write(f"python -m tidemark.live: error: {error}\n")
        return 2
    except BrokenPipeError:  # nobody reads any more
        return 0


def accompany(path: Path, facts_every_s: float, demand: Demand) -> NoReturn:
    """Serve a run and say what is known of it; returns only by an exception.

    Args:
        path: The run directory.
        facts_every_s: Seconds between two lines of facts; infinity for none.
        demand: How often the verdict so far is wanted, while nobody looks at the page.
    """
    watched, token = Watched(path, demand), secrets.token_urlsafe(32)
    with watched.followed(), serving(watched, 0, token) as url:
        _say({"url": url, "token": token})
        due_s = time.monotonic() if math.isfinite(facts_every_s) else math.inf
        while True:
            facts = watched.facts()  # raises what has gone wrong
            if time.monotonic() >= due_s:
                due_s = max(due_s + facts_every_s, time.monotonic())
                _say(facts.to_json())
            time.sleep(min(PULSE_S, facts_every_s))


def _say(what: dict[str, Any]) -> None:
    text = json.dumps(what, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tidemark.live", description=__doc__)
    parser.add_argument("directory", type=Path, metavar="DIR")
    parser.add_argument("--listen", action="store_true", required=True)
    for name in ("--facts-every", "--judge-every"):
        parser.add_argument(name, type=float, default=math.inf, metavar="SECONDS")
    return parser
