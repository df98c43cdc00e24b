"""What it costs a run to be looked at, and what it costs the browser.

    python -m benchmarks.live              # p99 of `shared` with the page open and without
    python -m benchmarks.live --page       # the page of a run of 72 hours, in Chromium

The page is opened and closed again and again during one run: two runs one after the other differ by
more than what is to be measured, and the first answers of a fresh service are slower than all that
follow. The page that is open is a client that asks for what Locust's page with the tab in it asks
for, as often: what a browser draws costs a processor too, but not one of the load generator's.
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
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
from scipy import stats

from benchmarks.latencies import VARIABLE
from benchmarks.live_page import measure_page
from tidemark.analysis.verdict.model import Floats
from tidemark.live.demand import LOOKS_FOR_S
from tidemark.record import layout
from tidemark.record.process import bound_to_this_process

LOCUSTFILES = (
    Path(__file__).parents[1] / "locustfiles" / "ingest.py",
    Path(__file__).with_name("latencies.py"),
)
MOST_RATIO = 1.10
ASKED_EVERY_S = {"tidemark/live.json": 1.0, "stats/requests": 2.0, "tidemark/runs.json": 3.0}
WARM_UP_S = 10.0
SETTLED_S = LOOKS_FOR_S + 1.0
"""So long after the page was closed the run is still judged for it: this belongs to neither."""
LEAST_PAIRS = 5
"""Of fewer, no interval is told."""
_START_S = 60.0


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
        with urllib.request.urlopen(f"{self.url}{path}{query}", timeout=10) as answer:  # noqa: S310
            body = answer.read()
        told = json.loads(body) if query else {}
        if "key" in told:
            self._since = f"{told['key']}.{told['revision']}"
            self.answers.append(len(body))


@dataclass(frozen=True)
class Span:
    """A part of the run, wall-clock seconds, with the page open or without."""

    from_s: float
    until_s: float
    is_seen: bool

    def p99_ms(self, latencies: pd.DataFrame) -> float:
        """The 99th percentile of what was answered in it."""
        is_in = latencies["time_s"].between(self.from_s, self.until_s)
        return float(latencies["latency_ms"][is_in].quantile(0.99))


@contextmanager
def under_load(folder: Path, rate: int, lasts_s: float) -> Iterator[str]:
    """A run of `shared`; gives the address of Locust's page once the load has begun.

    Raises:
        SystemExit: The run has failed.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [
        *(sys.executable, "-m", "locust", f"--locustfile={','.join(map(str, LOCUSTFILES))}"),
        *(f"--web-port={port}", "--autostart", "--autoquit=0", f"--run-time={lasts_s:.0f}s"),
        *("--users=1", "--strategy=shared", f"--rate={rate}", f"--results={folder}"),
        "--no-report",
    ]
    with (folder / "locust.log").open("w") as log:
        process = subprocess.Popen(
            bound_to_this_process(command),
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, VARIABLE: str(folder / "latencies.csv")},
        )
    try:
        _await_load(folder, process)
        yield f"http://127.0.0.1:{port}/"
        process.wait(_START_S)
    finally:
        process.terminate()
        process.wait()
    (about,) = (json.loads(file.read_text()) for file in folder.glob(f"*/{layout.RUN_JSON}"))
    if about["outcome"] != "completed":
        _give_up(folder, about["outcome"])


def _await_load(folder: Path, process: subprocess.Popen[bytes]) -> None:
    give_up_s = time.monotonic() + _START_S
    while not any(file.read_text().count("\n") > 2 for file in folder.glob("*/requests.csv")):
        if process.poll() is not None or time.monotonic() > give_up_s:
            _give_up(folder, "the load did not begin")
        time.sleep(0.1)


def _give_up(folder: Path, why: str) -> NoReturn:
    raise SystemExit(f"{why}: {(folder / 'locust.log').read_text()[-2000:]}")


def look_and_look_away(url: str, pairs: int, lasts_s: float) -> tuple[list[Span], list[int]]:
    """Open the page and close it, `pairs` times; gives both kinds of span and the answers."""
    spans, answers = [], []
    time.sleep(WARM_UP_S)
    for _ in range(pairs):
        looker = Looker(url)
        begun_s = time.time()
        time.sleep(lasts_s)
        looker.stop()
        answers += looker.answers[1:]
        spans.append(Span(begun_s, time.time(), is_seen=True))
        time.sleep(SETTLED_S)
        begun_s = time.time()
        time.sleep(lasts_s)
        spans.append(Span(begun_s, time.time(), is_seen=False))
    return spans, answers


def ratio_of_medians(seen: Floats, without: Floats, axis: int = -1) -> Floats:
    """How many times as high the one median is."""
    return np.asarray(np.median(seen, axis=axis) / np.median(without, axis=axis))


def interval_of_ratio(seen: Sequence[float], without: Sequence[float]) -> tuple[float, float]:
    """Where the ratio of their medians is with 90 %: pairs drawn again, 9,999 times."""
    if len(seen) < LEAST_PAIRS:
        return float("nan"), float("nan")
    found = stats.bootstrap(
        (np.asarray(seen), np.asarray(without)),
        ratio_of_medians,
        paired=True,
        confidence_level=0.9,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    return float(found.low), float(found.high)


def compare(pairs: int, rate: int, lasts_s: float) -> bool:
    """Measure pairs of spans of one run and print them; whether the bar is met."""
    whole_s = WARM_UP_S + pairs * (2 * lasts_s + SETTLED_S) + 5.0
    print(
        f"shared at {rate} requests/s for {whole_s:.0f} s, the page open for {lasts_s:g} s "
        f"{pairs} times; load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="tidemark-live-") as name:
        folder = Path(name)
        with under_load(folder, rate, whole_s) as url:
            spans, answers = look_and_look_away(url, pairs, lasts_s)
        latencies = pd.read_csv(folder / "latencies.csv", names=["time_s", "latency_ms"])
    p99_ms = {
        is_seen: [span.p99_ms(latencies) for span in spans if span.is_seen is is_seen]
        for is_seen in (True, False)
    }
    ratios = [seen / without for seen, without in zip(p99_ms[True], p99_ms[False], strict=True)]
    for seen, without, ratio in zip(p99_ms[True], p99_ms[False], ratios, strict=True):
        print(f"  p99 with the page open {seen:6.2f} ms, without {without:6.2f} ms: {ratio:.2f}")
    ratio = float(ratio_of_medians(np.asarray(p99_ms[True]), np.asarray(p99_ms[False])))
    low, high = interval_of_ratio(p99_ms[True], p99_ms[False])
    is_good = ratio <= MOST_RATIO
    is_sure = high <= MOST_RATIO or low > MOST_RATIO
    print(
        f"medians: {statistics.median(p99_ms[True]):.2f} ms and "
        f"{statistics.median(p99_ms[False]):.2f} ms: {ratio:.2f} "
        f"({low:.2f} to {high:.2f} with 90 %; bar {MOST_RATIO:.2f}); of the pairs: "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}); "
        f"an update: {statistics.median(answers) / 1000:.1f} kB; load average "
        f"{os.getloadavg()[0]:.1f}{'' if is_good else '  TOO MUCH'}"
        f"{'' if is_sure else '  NOT SURE: open it more often'}"
    )
    return is_good


def main() -> int:
    """Measure; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=10, help="how often the page is opened")
    parser.add_argument("--rate", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it stays so")
    parser.add_argument("--page", action="store_true", help="measure the page in Chromium instead")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long --page looks")
    parser.add_argument("--runs", type=Path, default=Path("results/bench-scale"))
    given = parser.parse_args()
    if given.page:
        return 0 if measure_page(given.runs, given.minutes * 60) else 1
    return 0 if compare(given.pairs, given.rate, given.seconds) else 1


if __name__ == "__main__":
    sys.exit(main())
