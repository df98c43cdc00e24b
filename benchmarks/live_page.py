"""The page of a run of 72 hours that goes on, in Chromium: its first picture, and its memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.scale import HOUR_S, MIB, SIZES, make
from tests.e2e.chromium import Browser, Page, chromium
from tidemark.record import layout

FIRST_PICTURE_S = 2.0
MOST_GROWTH = 1.25
"""The page's memory at the end, as a share of what it was after a minute."""
_SIZE = SIZES[0]
_SETTLED_S = 60.0
_DRAWN = "!!document.querySelector('#fds canvas') && !!document.querySelector('#tiles dd')"


@contextmanager
def under_way(source: Path) -> Iterator[Path]:
    """A copy of a run that somebody goes on to write, a row of each process a second."""
    with tempfile.TemporaryDirectory(prefix="tidemark-page-", dir=source.parent) as folder:
        path = Path(folder) / source.name
        shutil.copytree(source, path)
        about = json.loads((path / layout.RUN_JSON).read_text())
        about |= {"ended_at": None, "outcome": None}
        (path / layout.RUN_JSON).write_text(json.dumps(about))
        stopped = threading.Event()
        writer = threading.Thread(target=_write, args=(path, stopped))
        writer.start()
        try:
            yield path
        finally:
            stopped.set()
            writer.join()


def _write(path: Path, stopped: threading.Event) -> None:
    elapsed_s = float(_SIZE.hours * HOUR_S)
    tables = {
        path / table.file: _last_rows(path / table.file, rows)
        for table, rows in ((layout.SAMPLES, _SIZE.processes), (layout.REQUESTS, 1))
    }
    while not stopped.wait(1.0):
        elapsed_s += 1.0
        for file, rows in tables.items():
            with file.open("a") as table:
                for row in rows:
                    table.write(
                        ",".join([f"{1.7e9 + elapsed_s:.6f}", f"{elapsed_s:.6f}", *row]) + "\n"
                    )


def _last_rows(file: Path, rows: int) -> list[list[str]]:
    """The last rows of a table, without their times."""
    with file.open("rb") as table:
        table.seek(-4096, os.SEEK_END)
        return [line.split(",")[2:] for line in table.read().decode().splitlines()[-rows:]]


@contextmanager
def watched(path: Path) -> Iterator[str]:
    """`tidemark watch --web` of a run: the page's URL."""
    command = [sys.executable, "-m", "tidemark", "watch", str(path), "--web", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None, "asked for"
            line = process.stdout.readline()
            yield next(word for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


def _first_picture_s(page: Page, url: str) -> float:
    begun_s = time.monotonic()
    page.open(url)
    while not page.evaluate(_DRAWN):
        time.sleep(0.02)
    return time.monotonic() - begun_s


def _memory(browser: Browser, page: Page) -> tuple[float, float]:
    """MiB of the page's scripts once what is free was collected, and of the largest renderer."""
    page.ask("HeapProfiler.collectGarbage")
    heap = page.ask("Runtime.getHeapUsage")["usedSize"] / MIB
    renderers = [
        one.memory_info().rss / MIB
        for one in psutil.Process(browser.pid).children(recursive=True)
        if "--type=renderer" in one.cmdline()
    ]
    return heap, max(renderers)


def _answer(url: str, since: str) -> tuple[int, str]:
    """Bytes of an answer, and what is to be asked for next."""
    with urllib.request.urlopen(f"{url}live.json?since={since}", timeout=30) as answer:  # noqa: S310
        body = answer.read()
    told = json.loads(body)
    return len(body), f"{told['key']}.{told['revision']}"


def measure_page(runs: Path, lasts_s: float) -> bool:
    """Look at the page for so long, and print what it takes; whether the bars are met."""
    source = make(_SIZE, runs)
    with (
        tempfile.TemporaryDirectory(prefix="tidemark-chromium-") as profile,
        under_way(source) as path,
        watched(path) as url,
        chromium(Path(profile)) as browser,
    ):
        print(f"{path.name}; load average {os.getloadavg()[0]:.1f}")
        page = browser.page()
        first_s = _first_picture_s(page, url)
        print(f"  first picture after {first_s:.1f} s (bar {FIRST_PICTURE_S:g})", flush=True)
        levels, begun_s = [], time.monotonic()
        while (ahead_s := begun_s + lasts_s - time.monotonic()) > 0:
            time.sleep(min(_SETTLED_S, ahead_s))
            levels.append(_memory(browser, page))
            heap, renderer = levels[-1]
            print(
                f"  after {time.monotonic() - begun_s:4.0f} s: scripts {heap:.1f} MiB, renderer "
                f"{renderer:.0f} MiB; load average {os.getloadavg()[0]:.1f}",
                flush=True,
            )
        whole, since = _answer(url, "")
        time.sleep(1.0)
        update, _ = _answer(url, since)
        print(f"  all of it: {whole / 1000:.0f} kB; an update: {update / 1000:.1f} kB")
        text = page.text
    growth = [last / first for first, last in zip(levels[0], levels[-1], strict=True)]
    is_good = first_s <= FIRST_PICTURE_S and max(growth) <= MOST_GROWTH and "leak" in text
    print(
        f"  memory at the end: {growth[0]:.2f} of the scripts' and {growth[1]:.2f} of the "
        f"renderer's after a minute (bar {MOST_GROWTH}){'' if is_good else '  TOO MUCH'}"
    )
    return is_good
