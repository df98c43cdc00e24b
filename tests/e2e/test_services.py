"""Services of somebody else's: started from a few lines, driven, judged, and ended with us."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psutil
import pytest

from tests.eventually import eventually
from tidemark.record.options import REQUIRED
from tidemark.sampler.options import OPTIONS as SAMPLER_OPTIONS

from .conftest import Workbench, event_names, events, metadata

pytestmark = [pytest.mark.e2e, pytest.mark.long]

HERE = Path(__file__).parent
PYTHON_SERVICE, NODE_SERVICE = HERE / "leaky_service.py", HERE / "leaky_service.js"
SERVE = f"{sys.executable} {PYTHON_SERVICE}"
SHORT = ("--rate=20", "--interval=0.2", "--plateau=1", "--request-timeout=2")
needs_no_brokers = pytest.mark.skipif(
    next(one for one in SAMPLER_OPTIONS if one.name == "brokers").default is REQUIRED,
    reason="the sampler asks for brokers",
)
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node")


def write(bench: Workbench, text: str) -> None:
    (bench.folder / "tidemark.toml").write_text(text)


def single_run(bench: Workbench) -> Path:
    (run,) = bench.runs()
    return run


def expect_refusal(finished: Any, wanted: str) -> None:
    """One line, and exit code 2."""
    assert finished.code == 2, finished.err
    (line,) = finished.err.strip().splitlines()
    assert line.startswith("tidemark: ")
    assert wanted in line


@needs_no_brokers
def test_a_command_is_started_driven_and_judged(bench: Workbench) -> None:
    finished = bench.run("tidemark", "run", "--run-time=8s", *SHORT, "--", *SERVE.split(), "{port}")
    assert finished.code in {0, 3}, finished.err
    bench.expect_nothing_left()
    run = single_run(bench)
    told = metadata(run)
    assert (told["strategy"], told["outcome"]) == ("leaky_service.py", "completed")
    assert told["brokers"] == []
    assert told["target"]["fds_limit"] == 1024
    assert told["target"]["command"].endswith(told["target"]["url"].rpartition(":")[2])
    assert {row["fds_limit"] for _, row in pd.read_csv(run / "samples.csv").iterrows()} >= {1024}
    requests = pd.read_csv(run / "requests.csv")
    assert requests["requests"].iloc[-1] > 100
    assert requests["failures"].iloc[-1] == 0
    assert (run / "report.html").exists()
    assert "File descriptors" in finished.out


@needs_no_brokers
def test_one_that_leaks_is_exhausted_whatever_its_log_says(bench: Workbench) -> None:
    write(
        bench,
        f"""
        [service.leaky]
        command = "sh -c 'exec {SERVE} {{port}} leak 2>/dev/null'"
        ready = "/healthz"
        fds_limit = 120
        [load]
        rate = 20
        interval = 0.2
        run_time = "60s"
        plateau = 1
        request-timeout = 2
        """,
    )
    finished = bench.run("tidemark", "run")
    assert finished.code == 1, finished.err
    bench.expect_nothing_left()
    run = single_run(bench)
    assert metadata(run)["outcome"] == "exhausted"
    assert metadata(run)["load"]["rate"] == 20.0
    (emfile,) = (event for event in events(run) if event["event"] == "emfile")
    assert "of 120 descriptors open" in emfile["line"]
    verdict = json.loads((run / "verdict.json").read_text())
    assert verdict["resources"]["fds"]["per_request"] == pytest.approx(2, rel=0.15)


@needs_no_brokers
@needs_node
def test_two_builds_are_compared_with_the_clean_one(bench: Workbench) -> None:
    write(
        bench,
        f"""
        [service.before]
        command = "node {NODE_SERVICE}"
        environment = {{PORT = "{{port}}", LEAK = "1"}}
        fds_limit = 150
        [service.after]
        command = ["node", "{NODE_SERVICE}"]
        build = "sh -c 'echo building in {{directory}}'"
        environment = {{PORT = "{{port}}"}}
        reference = true
        """,
    )
    finished = bench.run("tidemark", "compare", "--services=before,after", "--duration=12s", *SHORT)
    assert finished.code == 0, finished.err
    bench.expect_nothing_left()
    (folder,) = bench.results.iterdir()
    before, after = folder / "before", folder / "after"
    assert metadata(before)["outcome"] in {"died", "exhausted"}
    assert "emfile" in event_names(before)
    assert metadata(after)["outcome"] == "completed"
    assert metadata(after)["reference"] is True
    assert "reference" not in metadata(before)
    assert (after / "build.log").read_text() == f"building in {bench.folder}\n"
    assert (folder / "report.png").exists()
    verdicts = [
        json.loads((run / "verdict.json").read_text())["resources"]["fds"]["verdict"]
        for run in (before, after)
    ]
    assert verdicts == ["leak", "clean"]


@needs_no_brokers
def test_where_a_command_listens_is_found(bench: Workbench) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = f"{SERVE} {port} & wait"
    finished = bench.run("tidemark", "run", "--run-time=3s", *SHORT, "--", "sh", "-c", script)
    assert finished.code in {0, 3}, finished.err
    assert metadata(single_run(bench))["target"]["url"] == f"http://127.0.0.1:{port}"
    bench.expect_nothing_left()


def test_messages_to_brokers_are_counted_and_secrets_are_kept(bench: Workbench) -> None:
    write(
        bench,
        f"""
        [service.writes]
        command = "{SERVE} {{port}}"
        ready = "/healthz"
        [service.writes.environment]
        BROKERS = "{{bootstrap}}"
        TOPIC = "{{topic}}"
        TOKEN = "${{OURS}}"
        STRICT = "1"
        """,
    )
    finished = bench.locust(
        "--service=writes", "--run-time=5s", "--rate=20", OURS="a secret of ours"
    ).wait()
    assert finished.code == 0, finished.err
    bench.expect_nothing_left()
    run = single_run(bench)
    told = metadata(run)
    assert len(told["brokers"]) == 2
    assert told["messages"]["accepted"] > 500
    assert told["messages"]["delivered"] == told["messages"]["accepted"]
    assert told["messages"]["lost"] == 0
    assert pd.read_csv(run / "samples.csv")["established"].max() >= 1
    (emfile,) = (event for event in events(run) if event["event"] == "emfile")
    assert emfile["line"].endswith("the token is xxxxx")
    holders = [path.name for path in run.iterdir() if b"a secret of ours" in path.read_bytes()]
    assert holders == ["target.log"]  # which is the service's own
    assert "a secret" not in finished.err + finished.out


@pytest.fixture
def writing(bench: Workbench) -> Iterator[Path]:
    """A service that is three processes deep and needs brokers, driven for a minute."""
    write(
        bench,
        f"""
        [service.deep]
        command = "sh -c 'sleep 1000 & {SERVE} {{port}} & wait'"
        environment = {{BROKERS = "{{bootstrap}}", TOPIC = "{{topic}}"}}
        """,
    )
    return bench.folder


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_of_a_service_outlives_us(
    bench: Workbench, writing: Path, signum: signal.Signals
) -> None:
    locust = bench.locust("--service=deep", "--run-time=60s", "--no-report")
    run = bench.run_under_way()
    (started,) = (event for event in events(run) if event["event"] == "target_started")
    family = psutil.Process(started["pid"]).children(recursive=True)
    assert len(family) == 2
    assert started["pid"] in set(pd.read_csv(run / "samples.csv")["pid"])
    locust.signal(signum)
    locust.wait()
    bench.expect_nothing_left()


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_is_reported(
    bench: Workbench, writing: Path, signum: signal.Signals
) -> None:
    command = bench.start("tidemark", "run", "deep", *SHORT)
    run = bench.run_under_way(40)
    command.signal(signum)
    finished = command.wait()
    assert finished.code == 130, finished.err
    bench.expect_nothing_left()
    assert metadata(run)["outcome"] == "aborted"
    assert "File descriptors" in finished.out
    assert (run / "report.html").exists()


def test_a_second_signal_leaves_nothing_behind_either(bench: Workbench, writing: Path) -> None:
    locust = bench.locust("--service=deep", "--run-time=60s", "--no-report")
    bench.run_under_way()

    def insist() -> bool:
        locust.signal(signal.SIGINT)
        return locust.process.poll() is not None

    eventually(insist, "the end")
    locust.wait()
    bench.expect_nothing_left()


def test_a_service_that_ends_has_died(bench: Workbench, writing: Path) -> None:
    locust = bench.locust("--service=deep", "--run-time=60s", "--no-report")
    run = bench.run_under_way()
    (started,) = (event for event in events(run) if event["event"] == "target_started")
    psutil.Process(started["pid"]).kill()
    finished = locust.wait()
    assert finished.code == 1, finished.err
    bench.expect_nothing_left()
    told = metadata(run)
    assert told["outcome"] == "died"
    assert told["ended_because"].startswith("the target was killed by SIGKILL after ")


def test_a_worker_of_it_is_killed_as_asked_for(bench: Workbench, writing: Path) -> None:
    finished = bench.locust(
        "--service=deep", "--run-time=4s", "--fault=target-kill@1", "--no-report", "--keep-going"
    ).wait()
    assert "Traceback" not in finished.err
    assert "worker_killed" in event_names(single_run(bench))


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (("sh", "-c", "echo one; echo Error: no config >&2; echo; exit 3"),
         "the target exited with code 3 before it was up: Error: no config; see "),
        (("./nothing-here",), "cannot run ./nothing-here: No such file or directory"),
        (("sh", "-c", "echo waiting; sleep 1000", "{port}"),
         "was not up within 1 s: its port at 127.0.0.1 port "),
        (("sh", "-c", "sleep 1000"), "was not up within 1 s: it listens nowhere; see "),
        ((*SERVE.split(), "{port}", "--ready-with"),
         "was not up within 1 s: GET /readyz answers 404"),
        (("sh", "-c", "kill -9 $$"), "the target was killed by SIGKILL before it was up"),
    ],
)  # fmt: skip
def test_a_service_that_does_not_come_up_says_why(
    bench: Workbench, command: tuple[str, ...], wanted: str
) -> None:
    ready = ("--ready=/readyz",) if "--ready-with" in command else ()
    words = [word for word in command if word != "--ready-with"]
    finished = bench.run("tidemark", "run", "--ready-timeout=1", *ready, "--", *words)
    expect_refusal(finished, wanted)
    bench.expect_nothing_left()
    assert metadata(single_run(bench))["outcome"] == "aborted"


def test_a_port_that_is_taken_is_not_driven_by_mistake(bench: Workbench) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        finished = bench.run("tidemark", "run", f"--port={port}", "--", *SERVE.split(), str(port))
    expect_refusal(finished, f"http://127.0.0.1:{port} is taken by ")


def test_a_build_that_fails_is_told(bench: Workbench) -> None:
    write(bench, "[service.a]\ncommand = 'x'\nbuild = 'sh -c \"echo error: no source; exit 1\"'\n")
    finished = bench.locust("--service=a").wait()
    assert finished.code == 2
    assert "the build exited with code 1: error: no source; see " in finished.err


@pytest.mark.parametrize(
    ("text", "arguments", "wanted"),
    [
        ("", ("--service=mine",), "there is no service 'mine': no tidemark.toml is here"),
        (
            "[service.mine]\ncommand='x'",
            ("--service=mien",),
            "did you mean mine? tidemark.toml has",
        ),
        ("[service.mine]\ncommand=", ("--service=mine",), "tidemark.toml:2: Invalid value"),
        (
            "[service.mine]\ncmd='x'",
            ("--service=mine",),
            "tidemark.toml:2: service.mine.cmd: is no",
        ),
        (
            "[service.mine]\ncommand='x ${NOT_SET}'",
            ("--service=mine",),
            "tidemark.toml:2: service.mine.command: ${NOT_SET} is not set in the environment",
        ),
        (
            "[service.mine]\ncommand='x'\n[load]\nrate=0",
            ("--service=mine",),
            "tidemark.toml:4: load.rate: must be a number greater than 0",
        ),
        ("", ("--service=shared", "--tidemark-config=none.toml"), "--tidemark-config: there is no"),
        ("", ("--host=http://127.0.0.1:1", "--fds-limit=1024"), "--fds-limit: has no effect on a"),
        ("", ("--host=http://127.0.0.1:1", "--service=shared"), "--service: has no effect on a"),
        ("", ("--service=shared", "--strategy=shared"), "--strategy: has no effect on --service"),
        ("", ("--command=x", "--workers=1"), "--workers: has no effect on a service that is not"),
        ("", ("--command=x", "--brokers=2"), "--brokers: has no effect on a service that needs no"),
        ("", ("--command=x", "--service=shared"), "--service and --command contradict"),
        ("", ("--strategy=shared", "--ready=/x"), "--ready: has no effect on a built-in service"),
        ("", ("--command=x {prt}",), "--command: {prt} is no placeholder: did you mean {port}?"),
        ("", ("--command=x", "--fault=outage@1"), "--fault: service x needs no brokers"),
        ("", ("--command=x", "--verify-messages"), "--verify-messages: where service x writes to"),
    ],
)
def test_what_is_wrong_is_one_line_before_anything_is_started(
    bench: Workbench, text: str, arguments: tuple[str, ...], wanted: str
) -> None:
    if text:
        write(bench, text)
    finished = bench.locust(*arguments, "--run-time=2s").wait()
    assert finished.code == 2, finished.err
    assert wanted in finished.err.strip().splitlines()[-1]
    assert "Traceback" not in finished.err
    assert bench.runs() == []


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("run",), "SERVICE: name a service, or -- and a command"),
        (("run", "node", "server.js"), "put -- before a command: tidemark run -- node server.js"),
        (("run", "shared", "--", "x"), "'shared' stands before --"),
        (("run", "--"), "the command is missing"),
        (("run", "nope"), "there is no service 'nope'"),
        (("run", "--settle=60", "shared"), "--settle 60: leaves nothing to judge of --run-time"),
        (("compare", "--services=shared,nope"), "there is no service 'nope'"),
        (("compare", "--services=shared", "--strategies=shared"), "--strategies and --services"),
        (("compare", "--services=shared", "--config=none"), "--tidemark-config: there is no file"),
        (("compare", "--strategies=shared", "--url=http://a"), "--url: has no effect"),
    ],
)
def test_what_a_command_of_ours_cannot_do_is_one_line(
    bench: Workbench, arguments: tuple[str, ...], wanted: str
) -> None:
    expect_refusal(bench.run("tidemark", *arguments), wanted)
    assert not bench.results.exists()


def test_a_built_in_one_is_a_service_too(bench: Workbench) -> None:
    write(bench, "[load]\nrate = 30\nbatch_size = 3\n")
    finished = bench.run(
        "tidemark", "compare", "--services=shared", "--duration=5", "--interval=0.2",
        TIDEMARK_BATCH_SIZE="2", TIDEMARK_FDS_LIMIT="300",
    )  # fmt: skip
    assert finished.code == 0, finished.err
    (folder,) = bench.results.iterdir()
    told = metadata(folder / "shared")
    assert (told["strategy"], told["reference"]) == ("shared", True)
    assert (told["load"]["rate"], told["load"]["batch_size"]) == (30.0, 2)
    assert told["target"]["fds_limit"] == 300
    assert told["target"]["command"].startswith("python -m tidemark.targets.serve shared ")
    assert told["messages"]["lost"] == 0


def test_init_writes_a_file_once(bench: Workbench) -> None:
    assert bench.run("tidemark", "init").code == 0
    written = (bench.folder / "tidemark.toml").read_text()
    write(bench, "mine")
    expect_refusal(bench.run("tidemark", "init"), "is there already: --force replaces it")
    assert (bench.folder / "tidemark.toml").read_text() == "mine"
    assert bench.run("tidemark", "init", "--force").code == 0
    assert (bench.folder / "tidemark.toml").read_text() == written
