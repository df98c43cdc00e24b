"""A part of a run that ends by itself is noticed, told, and never taken for a clean run."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.eventually import eventually

from .conftest import Command, Workbench, event_names, events, metadata

pytestmark = pytest.mark.e2e

LOAD = ("--strategy=shared", "--rate=20", "--run-time=60s", "--request-timeout=2", "--no-report")


def of_kind(run: Path, name: str) -> list[dict[str, Any]]:
    return [event for event in events(run) if event["event"] == name]


def expect_end(bench: Workbench, locust: Command, run: Path, code: int, outcome: str) -> str:
    """Wait for the end of a run, see that it is whole, and return why it ended."""
    finished = locust.wait()
    bench.expect_nothing_left()
    told = metadata(run)
    assert (finished.code, told["outcome"]) == (code, outcome), finished.err
    assert told["ended_at"]
    assert event_names(run)[-1] == "run_ended"
    (line,) = (line for line in finished.err.splitlines() if "the run ends as" in line)
    assert line == f"tidemark: the run ends as {outcome}: {told['ended_because']}"
    assert "Traceback" not in finished.err
    return str(told["ended_because"])


@pytest.mark.parametrize(
    ("signum", "how", "told"),
    [
        (signal.SIGKILL, "the target was killed by SIGKILL after ", {"signal": "SIGKILL"}),
        (signal.SIGTERM, "the target exited with code 0 after ", {"exit_code": 0}),
    ],
)
def test_a_target_that_ends_by_itself_has_died(
    bench: Workbench, signum: signal.Signals, how: str, told: dict[str, Any]
) -> None:
    locust = bench.locust(*LOAD)
    run = bench.run_under_way()
    pid = of_kind(run, "target_started")[0]["pid"]
    os.kill(pid, signum)
    because = expect_end(bench, locust, run, 1, "died")
    assert because.startswith(how)
    assert "Booting" not in because
    # The sampler may have seen it go a moment earlier, and knows no more than that.
    exited = [event for event in of_kind(run, "target_exited") if event.keys() & told.keys()]
    assert [{**event, "pid": pid, **told} for event in exited] == exited
    assert len(exited) == 1


@pytest.mark.parametrize(
    "signum", [signal.SIGKILL, pytest.param(signal.SIGTERM, marks=pytest.mark.long)]
)
def test_a_lost_sampler_is_started_again(bench: Workbench, signum: signal.Signals) -> None:
    locust = bench.locust(*LOAD, "--interval=0.1")  # so that a start takes longer than two ticks
    run = bench.run_under_way()
    lost = locust.child("tidemark.sampler")
    lost.send_signal(signum)
    eventually(lambda: event_names(run).count("sampler_started") == 2, "another sampler")
    before = (run / "samples.csv").stat().st_size
    eventually(lambda: (run / "samples.csv").stat().st_size > before, "samples")
    locust.signal(signal.SIGKILL)
    locust.wait()
    bench.expect_nothing_left()  # the second sampler ends with its parent too
    (told,) = of_kind(run, "sampler_lost")
    assert told["reason"].startswith("the sampler ")
    ticks = pd.read_csv(run / "samples.csv")["elapsed_s"].drop_duplicates()
    assert ticks.diff().max() < 0.6 or "gap" in event_names(run)


@pytest.mark.long
def test_a_sampler_that_is_lost_again_and_again_ends_the_run(bench: Workbench) -> None:
    locust = bench.locust(*LOAD)
    run = bench.run_under_way()

    def kill_it() -> bool:
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie has no command line
            for child in psutil.Process(locust.process.pid).children():
                if "tidemark.sampler" in child.cmdline():
                    child.kill()
        return locust.process.poll() is not None or bool(metadata(run)["ended_at"])

    eventually(kill_it, "the end")
    because = expect_end(bench, locust, run, 3, "aborted")
    assert because.startswith("the sampler ")


@pytest.mark.long
def test_a_sampler_that_was_stopped_leaves_a_gap(bench: Workbench) -> None:
    locust = bench.locust("--strategy=shared", "--rate=20", "--run-time=8s", "--no-report")
    run = bench.run_under_way()
    locust.child("tidemark.sampler").suspend()
    assert locust.wait().code == 0
    bench.expect_nothing_left()
    assert of_kind(run, "gap")


@pytest.mark.long
def test_brokers_that_end_by_themselves_end_the_run(bench: Workbench) -> None:
    locust = bench.locust(*LOAD)
    run = bench.run_under_way()
    locust.child("tidemark.targets.brokers").kill()
    because = expect_end(bench, locust, run, 3, "aborted")
    assert because.startswith("the broker was killed by SIGKILL after ")
    downs = of_kind(run, "broker_down")
    assert [down["broker"] for down in downs] == metadata(run)["brokers"]
    assert {down["action"] for down in downs} == {"died"}


@pytest.mark.kafka
@pytest.mark.long
def test_a_real_broker_that_ends_by_itself_ends_the_comparison_too(bench: Workbench) -> None:
    compare = bench.start(
        "tidemark", "compare", "--strategies=shared", "--duration=60", "--broker=kafka",
        "--interval=0.2",
    )  # fmt: skip
    run = eventually(lambda: next(bench.results.glob("*/shared"), None), timeout_s=60.0)
    assert run
    eventually((run / "requests.csv").exists, timeout_s=60.0)
    eventually(lambda: (run / "requests.csv").read_text().count("\n") > 10)
    java = [
        child
        for child in psutil.Process(compare.process.pid).children(recursive=True)
        if "kafka.Kafka" in child.cmdline()
    ]
    java[-1].kill()
    finished = compare.wait()
    assert finished.code == 3, finished.err
    assert metadata(run)["outcome"] == "aborted"
    assert "was killed by SIGKILL" in metadata(run)["ended_because"]
    bench.expect_nothing_left()
