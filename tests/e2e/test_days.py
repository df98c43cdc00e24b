"""What runs of days need, in little: shapes, an end at a level, an exit code by the verdict."""

import re

import pytest

from tests.e2e.conftest import LOCUSTFILE, Workbench, events, metadata

pytestmark = pytest.mark.e2e
SOAK = LOCUSTFILE.with_name("soak.py")


@pytest.mark.long  # some ten seconds
def test_a_run_ends_at_a_level_and_fails(bench: Workbench) -> None:
    run = bench.start(
        *("locust", f"--locustfile={SOAK}", "--headless", "--run-time=1d", "--rate=10"),
        *("--interval=0.2", "--strategy=per-request-leaked", "--fds-limit=512", "--no-report"),
        *("--stop-at=fds=80%", "--fail-on=leak", "--shape=steps:count=2,each=3s"),
    ).wait()
    assert run.code == 1
    assert re.search(r"^tidemark: --fail-on leak: (leak|threshold): ", run.err, re.MULTILINE)
    (path,) = bench.runs()
    told = metadata(path)
    assert told["outcome"] == "completed"
    assert told["ended_because"].startswith("stopped at fds=80%: file descriptors of ")
    assert told["load"]["shape"] == "steps:count=2,each=3s"
    assert told["load"]["run_time_s"] == 86_400
    (reached,) = (one for one in events(path) if one["event"] == "level_reached")
    assert 410 <= reached["level"] <= 512 == reached["limit"]
    assert bench.run("tidemark", "check", str(path)).code == 1


def test_soak_has_a_shape_of_its_own(bench: Workbench) -> None:
    run = bench.run("locust", f"--locustfile={SOAK}", "--help-all")
    assert run.code == 0
    told = " ".join(run.out.split())
    assert "[default: day-night]" in told
