"""The comparison, and the reports that are rebuilt from it."""

import json
import signal
from pathlib import Path

import psutil
import pytest

from tests.eventually import eventually

from .conftest import Workbench, metadata, sampled

pytestmark = pytest.mark.e2e

SHORT = ("--rate=10", "--interval=0.2", "--fds-limit=200", "--plateau=2", "--request-timeout=2")


@pytest.mark.long
def test_a_comparison_ends_in_a_table_a_picture_and_its_runs(bench: Workbench) -> None:
    compare = bench.run(
        "tidemark", "compare", "--strategies=broken,shared", "--duration=10", *SHORT
    )
    assert compare.code == 0, compare.err
    bench.expect_nothing_left()
    (folder,) = bench.results.iterdir()
    assert metadata(folder / "per-request-leaked")["outcome"] == "exhausted"
    assert metadata(folder / "shared")["outcome"] == "completed"
    assert (folder / "report.png").read_bytes().startswith(b"\x89PNG")
    assert "died at request" in compare.out
    assert f"results/{folder.name}/report.png" in compare.out
    assert "descriptors" in compare.out
    _rebuild(bench, folder)


def _rebuild(bench: Workbench, folder: Path) -> None:
    before = json.loads((folder / "shared" / "verdict.json").read_text())
    (folder / "report.png").unlink()
    report = bench.run("tidemark", "report", str(folder))
    assert report.code == 0, report.err
    assert (folder / "report.png").exists()
    after = json.loads((folder / "shared" / "verdict.json").read_text())
    assert after["resources"]["fds"] == before["resources"]["fds"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGHUP])
@pytest.mark.long
def test_an_interrupted_comparison_reports_what_it_has(
    bench: Workbench, signum: signal.Signals
) -> None:
    compare = bench.start(
        "tidemark", "compare", "--strategies=shared,pooled", "--duration=60", *SHORT
    )
    run = eventually(lambda: next(bench.results.glob("*/shared"), None))
    eventually(lambda: sampled(run, 40))
    compare.signal(signum)
    finished = compare.wait()
    assert finished.code == 130, finished.err
    assert "shared" in finished.out
    assert (run.parent / "report.png").exists()
    assert metadata(run)["outcome"] == "aborted"
    bench.expect_nothing_left()


@pytest.mark.long
def test_a_comparison_interrupted_twice_ends_at_once_but_whole(bench: Workbench) -> None:
    compare = bench.start("tidemark", "compare", "--strategies=shared", "--duration=60", *SHORT)
    run = eventually(lambda: next(bench.results.glob("*/shared"), None))
    assert run
    eventually(lambda: sampled(run, 20))

    def insist() -> bool:
        compare.signal(signal.SIGINT)
        return bool(metadata(run)["ended_at"])

    eventually(insist, "the end")
    finished = compare.wait()
    assert finished.code in {130, -signal.SIGINT}, finished.err
    assert metadata(run)["outcome"] == "aborted"
    assert not (run.parent / "report.png").exists()
    bench.expect_nothing_left()


@pytest.mark.long
def test_a_comparison_whose_brokers_end_by_themselves_cannot_tell(bench: Workbench) -> None:
    compare = bench.start("tidemark", "compare", "--strategies=shared", "--duration=60", *SHORT)
    run = eventually(lambda: next(bench.results.glob("*/shared"), None))
    assert run
    eventually(lambda: sampled(run, 20))
    for process in psutil.Process(compare.process.pid).children(recursive=True):
        if "tidemark.targets.brokers" in process.cmdline():
            process.kill()
    finished = compare.wait()
    assert finished.code == 3, finished.err
    assert metadata(run)["outcome"] == "aborted"
    bench.expect_nothing_left()


@pytest.mark.long
def test_a_killed_comparison_leaves_nothing_running(bench: Workbench) -> None:
    compare = bench.start("tidemark", "compare", "--strategies=shared", "--duration=60", *SHORT)
    run = eventually(lambda: next(bench.results.glob("*/shared"), None))
    eventually(lambda: sampled(run, 10))
    compare.signal(signal.SIGKILL)
    compare.wait()
    bench.expect_nothing_left()
    assert bench.run("tidemark", "report", str(run)).code == 0
