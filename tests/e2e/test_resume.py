"""A run that was killed is gone on with, in its own folder, as if it had only paused."""

import csv
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventually import eventually

from .conftest import REPOSITORY, Workbench, event_names, events, metadata, sampled

pytestmark = [pytest.mark.e2e, pytest.mark.long]


def requests_of(run: Path) -> list[dict[str, str]]:
    """The rows of requests.csv."""
    with (run / "requests.csv").open(newline="") as table:
        return list(csv.DictReader(table))


def driven(bench: Workbench, count: int) -> Path:
    """The only run, once so many requests were answered and samples were taken."""

    def begun() -> Path | None:
        for run in bench.runs():
            rows = requests_of(run) if (run / "requests.csv").exists() else []
            if rows and int(rows[-1]["requests"] or 0) >= count and sampled(run):
                return run
        return None

    run = eventually(begun, f"{count} requests", timeout_s=90.0)
    assert run
    return run


def test_its_counts_clock_and_ledger_go_on(bench: Workbench) -> None:
    locust = bench.locust(
        "--strategy=shared", "--rate=20", "--run-time=12s", "--verify-messages", "--no-report"
    )
    run = driven(bench, 60)
    locust.signal(signal.SIGKILL)
    assert locust.wait().code == -signal.SIGKILL
    bench.expect_nothing_left()
    for name in ("requests.csv", "samples.csv", "events.jsonl"):
        with (run / name).open("ab") as file:
            file.write(b'{"time_s": 17')  # torn
    before = int(requests_of(run)[-2]["requests"])
    again = bench.start(
        "locust", f"--locustfile={REPOSITORY}/locustfiles/ingest.py", "--headless",
        "--only-summary", f"--resume={run}",
    ).wait()  # fmt: skip
    assert again.code == 0, again.err
    bench.expect_nothing_left()
    assert bench.runs() == [run]

    told = metadata(run)
    assert (told["outcome"], told["load"]["rate"], told["load"]["run_time_s"]) == (
        "completed",
        20.0,
        12.0,
    )
    messages = told["messages"]
    assert messages["unchecked"] >= 10 * before  # its brokers went with it
    assert (messages["lost"], messages["duplicated"], messages["unknown"]) == (0, 0, 0)
    arrived = messages["accepted"] - messages["unchecked"] + messages["undecided_delivered"]
    assert messages["delivered"] == arrived
    assert not (run / ".ledger").exists()

    rows = requests_of(run)
    for name in ("elapsed_s", "requests", "messages_accepted"):
        figures = [float(row[name] or 0) for row in rows]
        assert figures == sorted(figures), name
    assert 150 < int(rows[-1]["requests"]) < 330
    happened = events(run)
    names = [event["event"] for event in happened]
    assert names.count("target_started") == names.count("sampler_started") == 2
    (resumed,) = [event for event in happened if event["event"] == "run_resumed"]
    (restarted,) = [event for event in happened if event["event"] == "target_restarted"]
    (gap,) = [
        one for one in happened if one["event"] == "gap" and one["elapsed_s"] > resumed["elapsed_s"]
    ][:1]
    assert resumed["reason"] == "its load generator was killed"
    assert restarted["former_pid"] != restarted["pid"] == told["targets"][0]["pids"][0]
    assert gap["missed_ticks"] * 0.2 >= resumed["gap_s"] - 0.4
    assert bench.run("tidemark", "check", str(run)).code in (0, 3)

    refused = bench.locust(f"--resume={run}").wait()
    assert refused.code == 2
    assert "has ended in order (completed)" in refused.err


def test_a_service_that_lived_on_is_watched_on(bench: Workbench, tmp_path: Path) -> None:
    """Who still writes keeps others out; after a reboot the time of day says how long it was."""
    port_file = tmp_path / "port"
    code = (
        "import http.server, pathlib, sys\n"
        "class H(http.server.BaseHTTPRequestHandler):\n"
        " protocol_version = 'HTTP/1.1'\n"
        " def do_POST(self):\n"
        "  n = int(self.headers['Content-Length']); self.rfile.read(n)\n"
        "  self.send_response(200); self.send_header('Content-Length', '0'); self.end_headers()\n"
        " def log_message(self, *_): pass\n"
        "s = http.server.ThreadingHTTPServer(('127.0.0.1', 0), H)\n"
        "pathlib.Path(sys.argv[1]).write_text(str(s.server_port))\n"
        "s.serve_forever()\n"
    )
    service = subprocess.Popen([sys.executable, "-c", code, str(port_file)])
    try:
        port = eventually(lambda: port_file.exists() and port_file.read_text(), "its port")
        locust = bench.locust(
            f"--host=http://127.0.0.1:{port}", f"--target-pid={service.pid}", "--rate=20",
            "--run-time=10m", "--no-report",
        )  # fmt: skip
        run = driven(bench, 40)
        refused = bench.locust(f"--resume={run}").wait()
        assert refused.code == 2
        assert "the run goes on" in refused.err
        locust.signal(signal.SIGKILL)
        locust.wait()
        told = json.loads((run / "run.json").read_text())
        told["resume"] |= {"boot_id": "another start", "started_monotonic_s": 1e9}
        (run / "run.json").write_text(json.dumps(told))
        rows = (run / "samples.csv").read_bytes().count(b"\n")
        contradicting = bench.locust(f"--resume={run}", "--rate=21").wait()
        assert contradicting.code == 2
        assert (
            "--interval: contradicts" in contradicting.err or "--rate: contra" in contradicting.err
        )
        again = bench.start(
            "locust", f"--locustfile={REPOSITORY}/locustfiles/ingest.py", "--headless",
            "--only-summary", f"--resume={run}", "--run-time=5s",
        ).wait()  # fmt: skip
        assert again.code == 0, again.err
        assert metadata(run)["load"]["run_time_s"] < 300
    finally:
        service.kill()
        service.wait()
    assert sampled(run, rows + 10)
    names = event_names(run)
    assert "target_restarted" not in names  # it is the same process
    (resumed,) = [event for event in events(run) if event["event"] == "run_resumed"]
    assert resumed["reason"] == "the machine was started anew"
    moments = [float(row["elapsed_s"]) for row in requests_of(run)]
    assert moments == sorted(moments)
