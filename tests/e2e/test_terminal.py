"""What a terminal and a log get to see of a run under way: a panel, or heartbeats."""

from __future__ import annotations

import os
import signal
import sys
from subprocess import Popen

import pytest

from tests.eventually import eventually
from tests.terminals import Terminal, terminal

from .conftest import LOCUSTFILE, TAG, TIMEOUT_S, Workbench, event_names

pytestmark = [pytest.mark.e2e, pytest.mark.long, pytest.mark.timeout(300)]

CTRL_C = b"\x03"
LOCUST = ("locust", f"--locustfile={LOCUSTFILE}", "--headless", "--rate=5", "--no-report")
TABLE = "req/s"
"""What Locust's statistics have in their heading."""


def start(bench: Workbench, shown: Terminal, *arguments: str) -> Popen[bytes]:
    """Start a Python module on a terminal, in the folder of the workbench."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOCUST_", "TIDEMARK_"))}
    environment = {**clean, TAG: bench.tag, "TERM": "xterm"}
    return shown.start(sys.executable, "-m", *arguments, cwd=bench.folder, env=environment)


def frames(shown: Terminal) -> list[str]:
    """The lines of panels that were drawn."""
    return [line for line in shown.lines() if line.startswith(("╭", "│", "╰"))]


@pytest.mark.parametrize("columns", [60, 120])
def test_a_headless_run_is_a_panel_until_ctrl_c(bench: Workbench, columns: int) -> None:
    with terminal(columns) as shown:
        before = shown.modes()
        locust = start(bench, shown, *LOCUST, "--strategy=shared")
        eventually(lambda: "requests" in shown.written(), "the panel", TIMEOUT_S)
        assert TABLE not in shown.written()
        shown.resize(columns + 20, 40)
        wide = columns + 20
        eventually(lambda: any(len(one) == wide for one in frames(shown)), "the other size")
        shown.press(CTRL_C)
        eventually(lambda: shown.written() and locust.poll() is not None, "the end", TIMEOUT_S)
        assert TABLE in shown.written(), "the last summary of Locust stays"
        assert {len(one) for one in frames(shown)} == {columns, wide}
        assert shown.is_left_clean()
        assert shown.modes() == before
    bench.expect_nothing_left()
    assert event_names(next(bench.results.iterdir()))[-1] == "run_ended"


def test_who_asks_for_the_statistics_of_locust_gets_them(bench: Workbench) -> None:
    with terminal(100) as shown:
        locust = start(bench, shown, *LOCUST, "--strategy=shared", "--print-stats", "-t", "60s")
        eventually(lambda: shown.written().count(TABLE) > 1, "two tables", TIMEOUT_S)
        assert not frames(shown)
        shown.press(CTRL_C)
        eventually(lambda: shown.written() and locust.poll() is not None, "the end", TIMEOUT_S)


def test_a_killed_run_leaves_neither_a_panel_nor_a_process(bench: Workbench) -> None:
    with terminal(80) as shown:
        locust = start(bench, shown, *LOCUST, "--strategy=shared")
        eventually(lambda: "under way for" in shown.written(), "the panel", TIMEOUT_S)
        locust.kill()
        locust.wait()
        bench.expect_nothing_left()
        assert shown.is_left_clean()
        assert shown.written().endswith("\x1b[2K")


def test_a_log_gets_heartbeats(bench: Workbench) -> None:
    locust = bench.locust("--rate=5", "--no-report", "--strategy=shared", "--heartbeat=4s")
    errors = locust.process.stderr
    assert errors is not None
    beats: list[str] = []

    def has_beaten_twice() -> bool:
        line = errors.readline()
        beats.extend([line.rstrip()] if ", after " in line else [])
        return len(beats) > 1

    eventually(has_beaten_twice, "two heartbeats", TIMEOUT_S)
    locust.signal(signal.SIGINT)
    locust.wait()
    assert all(line.startswith("tidemark: ") and len(line) <= 170 for line in beats)
    assert " requests, 0 failed; descriptors " in beats[-1]
    bench.expect_nothing_left()


def test_a_run_that_is_driven_by_our_command_gets_them_too(bench: Workbench) -> None:
    run = bench.run(
        "tidemark", "run", "shared", "--run-time=12", "--rate=10", "--heartbeat=4s"
    )  # fmt: skip
    beats = [line for line in run.err.splitlines() if ", after " in line]
    assert len(beats) >= 2, run.err
    lines = [line for line in run.out.splitlines() if line.startswith("shared  ")]
    assert len(lines) == 2, "one at the beginning and one at the end"
    folder = next(bench.results.iterdir())
    assert ", after " not in (folder / "locust.log").read_text(), "said once, by the command"


def test_a_comparison_is_one_panel(bench: Workbench) -> None:
    given = ("--duration=6", "--rate=20", "--fds-limit=200", "--plateau=2", "--request-timeout=2")
    with terminal(80) as shown:
        before = shown.modes()
        compare = start(
            bench, shown, "tidemark", "compare", "--strategies=broken,shared", *given,
        )  # fmt: skip
        eventually(lambda: shown.written() and compare.poll() is not None, "the end", TIMEOUT_S)
        assert compare.returncode == 0
        drawn = "\n".join(frames(shown))
        assert {len(one) for one in frames(shown)} == {80}
        assert shown.modes() == before
        assert shown.is_left_clean()
        assert "report.png" in shown.written()
    for told in ("· shared", "to come", "▶ per-request-leaked", "✓ per-request-leaked", "1 of 2"):
        assert told in drawn.replace("  ", " "), told
    bench.expect_nothing_left()
