"""What it costs a run to be looked at, and what it costs the browser.

    python -m benchmarks.live              # p99 of `shared` with the page open and without
    python -m benchmarks.live --page       # the page of a run of 72 hours, in Chromium

The runs alternate, and their order does in every other pair. The page that is open is a client
that asks for what Locust's page with the tab in it asks for, as often: what a browser draws costs
a processor too, but not one of the load generator's.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.live_page import measure_page
from tidemark.record import layout

LOCUSTFILE = Path(__file__).parents[1] / "locustfiles" / "ingest.py"
MOST_RATIO = 1.10
ASKED_EVERY_S = {"tidemark/live.json": 1.0, "stats/requests": 2.0, "tidemark/runs.json": 3.0}
_START_S = 90.0


@dataclass
class Looker:
    """Asks as the page does, from now until it is stopped.

    Attributes:
        answers: Bytes of each answer to `live.json`.
    """

    url: str
    answers: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stopped = threading.Event()
        self._since = ""
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def stop(self) -> None:
        """Look away."""
        self._stopped.set()
        self._thread.join()

    def _look(self) -> None:
        due = dict.fromkeys(ASKED_EVERY_S, time.monotonic())
        while not self._stopped.wait(0.02):
            for path, every_s in ASKED_EVERY_S.items():
                if time.monotonic() >= due[path]:
                    due[path] += every_s
                    self._ask(path)

    def _ask(self, path: str) -> None:
        query = f"?since={self._since}" if path.endswith("live.json") else ""
        try:
            with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=10) as answer:  # noqa: S310
                body = answer.read()
        except (urllib.error.HTTPError, OSError):
            return  # Locust is not up yet, or ends
        told = json.loads(body) if query else {}
        if "key" in told:
            self._since = f"{told['key']}.{told['revision']}"
            self.answers.append(len(body))


def run_once(folder: Path, rate: int, lasts_s: int, *, is_seen: bool) -> tuple[float, list[int]]:
    """The p99 of a run, milliseconds, and the answers that the page got.

    Raises:
        SystemExit: The run has failed.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "locust", f"--locustfile={LOCUSTFILE}", f"--web-port={port}"),
        *("--autostart", "--autoquit=0", f"--run-time={lasts_s}s", "--users=1"),
        *("--strategy=shared", f"--rate={rate}", f"--results={folder}", "--no-report"),
    ]
    looker = Looker(f"http://127.0.0.1:{port}/") if is_seen else None
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=lasts_s + _START_S,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    finally:
        if looker:
            looker.stop()
    run = max(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    about = json.loads((run / layout.RUN_JSON).read_text())
    if about["outcome"] != "completed":
        raise SystemExit(f"{run}: {about['outcome']}: {done.stderr[-2000:]}")
    return float(about["latency_ms"]["p99"]), looker.answers if looker else []


def compare(pairs: int, rate: int, lasts_s: int) -> bool:
    """Measure pairs of runs and print them; whether the bar is met."""
    found: dict[bool, list[float]] = {False: [], True: []}
    answers: list[int] = []
    print(f"shared at {rate} requests/s, {lasts_s} s a run; load average {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="tidemark-live-") as folder:
        for pair in range(pairs):
            for is_seen in (False, True) if pair % 2 == 0 else (True, False):
                p99_ms, got = run_once(Path(folder), rate, lasts_s, is_seen=is_seen)
                found[is_seen].append(p99_ms)
                answers += got[1:]
            without, seen = found[False][-1], found[True][-1]
            print(
                f"  {pair + 1}: p99 {without:6.2f} ms, with the page open {seen:6.2f} ms: "
                f"{seen / without:.2f}; load average {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    ratios = [seen / without for without, seen in zip(found[False], found[True], strict=True)]
    ratio = statistics.median(found[True]) / statistics.median(found[False])
    is_good = ratio <= MOST_RATIO
    print(
        f"medians: {statistics.median(found[False]):.2f} ms and "
        f"{statistics.median(found[True]):.2f} ms: {ratio:.2f} (bar {MOST_RATIO:.2f}); of the "
        f"pairs: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"an update: {statistics.median(answers) / 1000:.1f} kB"
        f"{'' if is_good else '  TOO MUCH'}"
    )
    return is_good


def main() -> int:
    """Measure; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--page", action="store_true", help="measure the page in Chromium instead")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long --page looks")
    parser.add_argument("--runs", type=Path, default=Path("results/bench-scale"))
    given = parser.parse_args()
    if given.page:
        return 0 if measure_page(given.runs, given.minutes * 60) else 1
    return 0 if compare(given.pairs, given.rate, given.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
