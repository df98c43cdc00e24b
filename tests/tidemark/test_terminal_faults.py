"""The table of faults in a terminal."""

import io
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from rich.console import Console

from tidemark.analysis.reports.terminal import print_comparison, print_run
from tidemark.analysis.run import Run
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.analysis.verdict.faults import FaultEffect
from tidemark.analysis.verdict.findings import Finding, Kind, Severity
from tidemark.analysis.verdict.model import Messages, Verdict
from tidemark.analysis.verdict.summary import Latency, Summary

LONGEST = "per-request-unflushed"
EFFECT = FaultEffect(
    "broker-freeze@100+10", "broker-freeze", 101.0, 111.0, 12345, 4000.0, 1048.0, -3.2
)
REFUSED = FaultEffect("outage@200+10", "outage", 201.0, None, failed_because="not ours")


def assessed(strategy, *faults, lost=12345, duplicated=3):
    messages = Messages(lost=lost, duplicated=duplicated)
    verdict = Verdict(strategy, "clean", "made", {}, messages=messages)
    summary = Summary(None, None, Latency(None, None, approximate=False), {}, faults)
    run = SimpleNamespace(strategy=strategy, path=Path(strategy), outcome="completed", target=None)
    clean = Finding(Kind.CLEAN, "fds", Severity.PASS, "made")
    return Assessment(cast("Run", run), verdict, (clean,), summary)


@pytest.fixture
def console():
    return Console(width=80, file=io.StringIO())


def lines(console):
    return console.file.getvalue().splitlines()


def test_a_row_per_fault_and_strategy_fits_in_80_columns(console):
    runs = [
        assessed(LONGEST, EFFECT, REFUSED),
        assessed("shared", EFFECT, lost=0, duplicated=None),
    ]
    print_comparison(console, runs, Path())
    found = lines(console)
    start = next(n for n, line in enumerate(found) if line.startswith("broker-freeze@100+10"))
    assert found[start + 1].split() == [
        LONGEST,
        "12,345",
        "1",
        "h",
        "6",
        "min",
        "+1,048",
        "-3",
        "12,345",
        "3",
    ]
    assert found[start + 2].split()[-3:] == ["-3", "0", "\N{EN DASH}"]
    assert found[start + 3].startswith("outage@200+10")
    assert "failed" in found[start + 4]
    assert "outage@200+10 failed: not ours" in found
    assert max(len(line) for line in found) <= 80
    assert not any("…" in line for line in found)


def test_without_faults_there_is_no_table_of_them(console):
    print_comparison(console, [assessed("shared")], Path())
    print_run(console, assessed("shared"))
    assert not any("fault" in line for line in lines(console))


def test_a_comparison_without_reasons_leaves_no_gap(console):
    print_comparison(console, [assessed("shared")], Path())
    assert ["", ""] not in [list(pair) for pair in pairwise(lines(console))]


def test_a_single_run_has_the_same_without_strategies(console):
    print_run(console, assessed("shared", EFFECT, REFUSED, lost=0, duplicated=2))
    (found,) = [line for line in lines(console) if line.startswith("broker-freeze@100+10")]
    assert found.split()[1:] == ["12,345", "1", "h", "6", "min", "+1,048", "-3", "0", "2"]
    assert "outage@200+10 failed: not ours" in lines(console)
