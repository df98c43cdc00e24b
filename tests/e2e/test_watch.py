"""`tidemark watch` over a run that is being recorded: in Chromium, in a terminal and in a log."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import resource
import signal
import struct
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any

import pytest

from tests.eventually import eventually

from .chromium import PROGRAM, Page, chromium
from .conftest import TIMEOUT_S, Command, Workbench, sampled

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

LEAKY = Path(__file__).with_name("leaky.py")
LIMIT = 4096
"""At 20 descriptors a second the limit is some three minutes away."""


class Recording:
    """A leaking process, and the sampler that records it."""

    def __init__(self, bench: Workbench, leaky: Popen[str]) -> None:
        self.run = bench.folder / "run"
        self.sampler = bench.start(
            "tidemark", "sample", f"--pid={leaky.pid}", f"--out={self.run}", "--interval=0.25",
            "--budget=10",
        )  # fmt: skip
        eventually(lambda: sampled(self.run, 1), "the first sample", TIMEOUT_S)

    def end(self) -> None:
        """Let the sampler write the end of the run."""
        self.sampler.signal(signal.SIGINT)
        finished = self.sampler.wait()
        assert finished.code == 0, finished.err


@pytest.fixture
def recording(bench: Workbench) -> Iterator[Recording]:
    """A run under way that leaks files."""
    folder = bench.folder / "files"
    folder.mkdir()

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))

    command = [sys.executable, str(LEAKY), "files", str(folder), "1"]
    with Popen(command, stdout=PIPE, text=True, preexec_fn=limited) as leaky:  # noqa: PLW1509
        assert leaky.stdout is not None
        assert leaky.stdout.readline()
        recording = Recording(bench, leaky)
        try:
            yield recording
        finally:
            leaky.kill()
            if recording.sampler.process.poll() is None:
                recording.end()


@pytest.fixture
def page(bench: Workbench) -> Iterator[Page]:
    """A tab of a browser that is watched for what it complains of."""
    if not PROGRAM:
        pytest.skip("needs chromium")
    with chromium(bench.folder / "profile") as browser:
        page = browser.page()
        page.watch_console()
        page.show_as(1280, 1000, "light")
        yield page


def served(bench: Workbench, run: Path) -> tuple[Command, str]:
    """`tidemark watch --web` and the address that it says."""
    watch = bench.start("tidemark", "watch", str(run), "--web", "--port=0")
    assert watch.process.stdout is not None
    line = watch.process.stdout.readline()
    return watch, line.partition(": ")[2].split()[0]


def points(page: Page, chart: str = "fds") -> list[Any]:
    """The figures of the first line of a chart, as it is drawn."""
    return list(
        page.evaluate(f"charts.{chart}.uplot ? [...charts.{chart}.uplot.data[1]] : []") or []
    )


def fits(page: Page) -> bool:
    """Whether nothing of the page is cut off at its side."""
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    return bool(page.evaluate(wide))


def test_the_page_shows_a_leak_while_it_grows(
    bench: Workbench, recording: Recording, page: Page
) -> None:
    watch, url = served(bench, recording.run)
    page.open(url)
    eventually(lambda: len(points(page)) > 2, "a picture", TIMEOUT_S)
    before = points(page)
    eventually(lambda: len(points(page)) > len(before) + 8, "that it grows", TIMEOUT_S)
    assert points(page)[-1] > before[-1] + 10
    assert points(page)[: len(before) - 1] == before[:-1], "what was drawn stays"

    eventually(lambda: "dies in about" in page.text, "the forecast", TIMEOUT_S)
    assert page.evaluate("document.getElementById('word').textContent") == "leak"
    assert "files" in page.text
    assert page.evaluate("document.title").startswith("leak · run")
    assert page.evaluate("charts.fds.what.forecast.limit") == LIMIT

    seen = len(points(page))
    page.open(url)
    eventually(lambda: len(points(page)) >= seen, "the whole picture after a reload", TIMEOUT_S)

    recording.end()
    eventually(lambda: "completed after" in page.text, "the end of the run", TIMEOUT_S)
    eventually(lambda: page.evaluate("run.facts.is_final"), "the last verdict", TIMEOUT_S)
    assert "would have died at" in page.text
    assert page.complaints == []
    watch.signal(signal.SIGINT)
    finished = watch.wait()
    assert finished.code == 0, finished.err
    assert "leak: File descriptors" in finished.out
    assert "next: tidemark report" in finished.out
    assert finished.err == ""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_goes_by_keyboard(
    bench: Workbench, recording: Recording, page: Page, width: int, scheme: str
) -> None:
    watch, url = served(bench, recording.run)
    page.show_as(width, 1000, scheme)
    page.open(url)
    eventually(lambda: len(points(page)) > 20, "a picture", TIMEOUT_S)
    assert fits(page)
    ground = str(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert (int(ground[4:].split(",", maxsplit=1)[0]) < 64) == (scheme == "dark")
    assert page.evaluate("charts.fds.uplot.width") <= width

    page.evaluate("charts.fds.plot.focus()")
    page.press("ArrowLeft")
    eventually(lambda: "descriptors" in page.evaluate("charts.fds.heard.textContent"), "a figure")
    page.evaluate("document.querySelector('input[name=span][value=\"60\"]').click()")
    shown = "charts.fds.uplot.scales.x.max - charts.fds.uplot.scales.x.min"
    eventually(lambda: page.evaluate(shown) == pytest.approx(60), "the last minute")
    page.take_picture(bench.folder / f"{width}-{scheme}.png")
    assert page.complaints == []
    watch.signal(signal.SIGINT)
    assert watch.wait().code == 0


def test_when_the_server_has_gone_the_page_says_so(
    bench: Workbench, recording: Recording, page: Page
) -> None:
    watch, url = served(bench, recording.run)
    page.open(url)
    eventually(lambda: len(points(page)) > 2, "a picture", TIMEOUT_S)
    watch.signal(signal.SIGTERM)
    assert watch.wait().code == 0
    eventually(lambda: "tidemark watch has gone" in page.text, "that it has gone", TIMEOUT_S)


def test_a_log_gets_a_line_now_and_then_and_the_verdict_at_the_end(
    bench: Workbench, recording: Recording
) -> None:
    watch = bench.start("tidemark", "watch", str(recording.run))
    # 20 files a second: more than a pool that fills may hold.
    eventually(lambda: sampled(recording.run, 140), "enough samples", TIMEOUT_S)
    recording.end()
    finished = watch.wait()
    assert finished.code == 0, finished.err
    lines = finished.out.splitlines()
    assert lines[0].startswith(("under way for", "reading what is there"))
    assert any(f" of {LIMIT:,} (" in line for line in lines)
    assert any(line.startswith("leak: File descriptors") for line in lines)
    assert lines[-1] == f"next: tidemark report {recording.run.name}"
    assert "\x1b" not in finished.out


def test_in_a_terminal_it_is_one_panel(bench: Workbench, recording: Recording) -> None:
    eventually(lambda: sampled(recording.run, 40), "enough samples", TIMEOUT_S)
    text = on_terminal(bench, recording, columns=60)
    assert "descriptors" in text
    assert "next: tidemark watch" in text or "next: tidemark report" in text
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "\n").splitlines()
    panels = [line for line in lines if line.startswith("╭")]
    assert panels
    assert {len(line) for line in panels} == {60}


def unwrapped(text: str) -> str:
    """The words on a terminal, whatever lines and colours they stand in."""
    return " ".join(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|│", " ", text).split())


def _take_terminal() -> None:
    """Let Ctrl-C of the terminal end us, even if a shell that runs the tests has it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def on_terminal(bench: Workbench, recording: Recording, columns: int) -> str:
    """What `tidemark watch` writes on a terminal until Ctrl-C is pressed there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    watch = Popen(
        [sys.executable, "-m", "tidemark", "watch", str(recording.run)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=bench.folder,
        env={**os.environ, "TERM": "xterm", "COLUMNS": str(columns)},
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509
    )
    os.close(theirs)
    read: list[bytes] = []
    pressed = False
    with contextlib.suppress(OSError):  # the terminal was closed
        while part := os.read(ours, 65536):
            read.append(part)
            if not pressed and "dies in about" in unwrapped(b"".join(read).decode(errors="ignore")):
                pressed = True
                os.write(ours, b"\x03")
    os.close(ours)
    assert watch.wait(timeout=TIMEOUT_S) == 0
    return b"".join(read).decode()
