"""A run fetches from an agent in another network namespace, whose link is cut for half a minute.

The clocks there are not the run's. Nothing is missing at the end, and all times are the run's.
"""

import csv
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.agent.conftest import TOKEN
from tests.eventually import eventually
from tidemark.record.directory import RunDirectory
from tidemark.record.events import AgentBack, AgentLost, ClockCompared, LimitsRead, of_kind
from tidemark.record.layout import COMPOSITION, SAMPLES

AHEAD_S = 2.5
MONOTONIC_AHEAD_S = 1000
CUT_S = 30.0
BEFORE_S = AFTER_S = 8.0
LOAD_NET, AGENT_NET = "10.231.1", "10.231.2"
PORT, AGENT_PORT = 8080, 9666

# What the agent is told of the time: its own Unix clock is ahead.
SHIFTED = f"""
import sys, time
honest = time.time
time.time = lambda: honest() + {AHEAD_S}
sys.path.insert(0, sys.argv[1])
from tidemark.agent.__main__ import main
sys.exit(main(sys.argv[2:]))
"""


def ip(*arguments):
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def may_make_namespaces():
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("unshare"):
        return False
    tried = subprocess.run(["unshare", "-n", "-T", "true"], capture_output=True, check=False)
    return not tried.returncode


@pytest.fixture
def sides():
    """The names of two network namespaces with two links between them."""
    if not may_make_namespaces():
        pytest.skip("needs root, ip and unshare to make namespaces of network and time")
    there, here = (f"tidemark-{side}-{os.getpid()}" for side in ("there", "here"))
    with ExitStack() as stack:
        for name in (there, here):
            ip("netns", "add", name)
            stack.callback(ip, "netns", "delete", name)
            ip("-n", name, "link", "set", "lo", "up")
        for link, net in (("load", LOAD_NET), ("agent", AGENT_NET)):
            ends = ("netns", there), ("peer", "name", link, "netns", here)
            ip("link", "add", link, *ends[0], "type", "veth", *ends[1])
            for name, host in ((there, 1), (here, 2)):
                ip("-n", name, "address", "add", f"{net}.{host}/24", "dev", link)
                ip("-n", name, "link", "set", link, "up")
        yield there, here


@pytest.fixture
def certificate(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    make = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    make += ["-nodes", "-days", "2", "-subj", "/CN=agent", "-keyout", key, "-out", cert]
    make += ["-addext", f"subjectAltName=IP:{AGENT_NET}.1"]
    subprocess.run(make, check=True, capture_output=True)
    return cert, key


def rows(path, pid):
    text = path.read_text()
    return [row for row in csv.DictReader(text.splitlines()) if row["pid"] == str(pid)]


def end(process):
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.mark.e2e
@pytest.mark.long
def test_a_cut_link_and_other_clocks(sides, certificate, pyz, tmp_path):
    there, here = sides
    cert, key = certificate
    (tmp_path / "token").write_bytes(TOKEN)
    (tmp_path / "served").mkdir()
    with ExitStack() as stack:

        def begin(side, *command, **given):
            process = subprocess.Popen(["ip", "netns", "exec", side, *map(str, command)], **given)
            stack.callback(end, process)
            return process

        serve = ("-m", "http.server", PORT, "--bind", f"{LOAD_NET}.1")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = begin(there, sys.executable, *serve, cwd=tmp_path / "served", **quiet)
        agent = begin(
            there,
            *("unshare", "--time", f"--monotonic={MONOTONIC_AHEAD_S}", "--"),
            *(sys.executable, "-Ic", SHIFTED, pyz, "--pid", server.pid, "--interval", "0.5"),
            *("--out", tmp_path / "theirs", "--serve", f"{AGENT_NET}.1:{AGENT_PORT}"),
            *("--token-file", tmp_path / "token", "--cert", cert, "--key", key),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert json.loads(agent.stdout.readline())["ready"]
        locust = begin(
            here,
            *(sys.executable, "-m", "locust", "-f", "locustfiles/ingest.py", "--headless"),
            *("--host", f"http://{LOAD_NET}.1:{PORT}", "--route", "GET /", "--rate", "5"),
            *("--allow-host", f"{LOAD_NET}.1"),
            *("--run-time", f"{BEFORE_S + CUT_S + AFTER_S:g}s", "--no-report", "--only-summary"),
            *("--agent", f"there=https://{AGENT_NET}.1:{AGENT_PORT}", "--agent-ca", cert),
            *("--agent-token-file", tmp_path / "token", "--interval", "0.5"),
            *("--results", tmp_path, "--run-name", "ours"),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        ours = tmp_path / "ours" / SAMPLES.file
        eventually(lambda: ours.exists() and len(rows(ours, server.pid)) > BEFORE_S, timeout_s=60)
        ip("-n", here, "link", "set", "agent", "down")
        waited = threading.Event()
        waited.wait(CUT_S)
        count = len(rows(ours, server.pid))
        ip("-n", here, "link", "set", "agent", "up")
        said, _ = locust.communicate(timeout=120)
        assert locust.returncode == 0, said
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=20)

    assert re.search(r"there: its clock is 2\.[45]\d+ s ahead of this one \(give or take", said)
    directory = RunDirectory(tmp_path / "ours")
    metadata, events = directory.read_metadata(), directory.read_events()
    (target,) = metadata.targets
    assert (target.id, target.host) == ("there", f"{AGENT_NET}.1")
    assert target.clock_offset_s == pytest.approx(AHEAD_S, abs=0.05)
    for compared in of_kind(events, ClockCompared):
        off_s = abs(compared.event.ahead_s - AHEAD_S)
        assert off_s <= max(compared.event.uncertainty_s, 0.001) < 0.05
    (lost,), (back,) = of_kind(events, AgentLost), of_kind(events, AgentBack)
    assert CUT_S - 10 < back.event.silent_s < CUT_S + 15
    assert lost.elapsed_s < back.elapsed_s
    assert {one.event.target for one in of_kind(events, LimitsRead)} == {"there"}

    table = rows(ours, server.pid)
    (ended,) = [one for one in events if one.event.name == "run_ended"]
    assert len(table) > count + CUT_S
    began_s = ended.time_s - ended.elapsed_s
    expected = [
        row
        for row in rows(tmp_path / "theirs" / SAMPLES.file, server.pid)
        if 0.05 < float(row["time_s"]) - AHEAD_S - began_s < float(table[-1]["elapsed_s"]) + 0.05
    ]
    measured = [name for name in SAMPLES.columns if name not in {"time_s", "elapsed_s", "target"}]
    assert [[row[name] for name in measured] for row in table[-len(expected) :]] == [
        [row[name] for name in measured] for row in expected
    ]
    assert len(table) - len(expected) <= 1  # one that began with the run
    assert ended.elapsed_s - float(table[-1]["elapsed_s"]) < 3.0
    for row, theirs in zip(table[-len(expected) :], expected, strict=True):
        off_s = float(theirs["time_s"]) - AHEAD_S - float(row["time_s"])
        assert abs(off_s) < 0.05
    elapsed = [float(row["elapsed_s"]) for row in table]
    gaps = [after - before for before, after in itertools.pairwise(elapsed)]
    assert max(gaps) < 1.0  # no tick of half a second is missing
    assert Path(tmp_path / "ours" / COMPOSITION.file).stat().st_size > 100
