"""`tidemark-agent.pyz` as it is used: it records what /proc says, serves it, and ends whole."""

import csv
import http.client
import json
import os
import random
import signal
import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from tests.agent.conftest import (
    DEADLINE_S,
    PYTHONS,
    TOKEN,
    free_port,
    get,
    raw,
    trusting,
)
from tests.agent.test_server import fuzzed, statuses
from tests.eventually import eventually
from tests.sampler.conftest import Puppet
from tidemark.record.directory import RunDirectory
from tidemark.record.events import LimitsRead, PermissionDenied, of_kind
from tidemark.record.layout import ENDPOINTS, SAMPLES

HOLD = """
import socket, threading
kept = [open("/dev/null") for _ in range(10)]
server = socket.create_server(("127.0.0.1", 0))
kept += [socket.create_connection(server.getsockname()) for _ in range(4)]
for _ in range(3):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
result = server.getsockname()[1]
"""


@pytest.fixture
def puppet():
    made = Puppet()
    yield made
    made.end()


def rows(text):
    return list(csv.DictReader(text.splitlines()))


def fetched(port, name):
    """A file, piece by piece."""
    found, offset = b"", 0
    while True:
        status, headers, body = get(port, f"/v1/files/{name}?offset={offset}&limit=4096")
        assert status == 200
        if not body:
            return found
        found, offset = found + body, int(headers["Tidemark-Next-Offset"])


def of_proc(pid):
    """What /proc says of a process now, as a row of samples.csv has it."""
    stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    status = Path(f"/proc/{pid}/status").read_text()
    told = dict(line.split(":", 1) for line in status.splitlines())
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    limit = next(line.split()[3] for line in limits if line.startswith("Max open files"))
    cpu_s = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
    return {
        "fds": str(len(list(Path(f"/proc/{pid}/fd").iterdir()))),
        "fds_limit": limit,
        "threads": told["Threads"].strip(),
        "rss_bytes": str(int(stat[21]) * os.sysconf("SC_PAGE_SIZE")),
        "rss_anon_bytes": str(int(told["RssAnon"].split()[0]) * 1024),
        "swap_bytes": str(int(told["VmSwap"].split()[0]) * 1024),
        "cpu_s": repr(cpu_s),
    }


@pytest.mark.e2e
@pytest.mark.parametrize("python", PYTHONS)
def test_every_row_is_what_proc_says(agents, puppet, tmp_path, python):
    broker = puppet.do(HOLD)
    port = free_port()
    agent = agents(
        *("--pid", puppet.pid, "--out", tmp_path / "run", "--interval", "0.1"),
        *("--brokers", f"127.0.0.1:{broker}", "--serve", f"127.0.0.1:{port}"),
        python=python,
    )
    agent.ready()
    before = of_proc(puppet.pid)
    eventually(lambda: fetched(port, SAMPLES.file).count(b"\n") > 12, "that it records")
    served = fetched(port, SAMPLES.file)
    assert of_proc(puppet.pid) == before  # it has been at rest
    code, errors = agent.stop()
    assert (code, errors) == (0, "")
    written = (tmp_path / "run" / SAMPLES.file).read_bytes()
    assert written.startswith(served)
    own = [row for row in rows(written.decode()) if row["pid"] == str(puppet.pid)]
    assert len(own) > 10
    for row in own:
        assert {name: row[name] for name in before} == before
    assert {row["established"] for row in own} <= {"4", ""}
    assert own[-1]["established"] == "4"
    ends = rows((tmp_path / "run" / ENDPOINTS.file).read_text())
    assert {(row["endpoint"], row["held"]) for row in ends} >= {(f"127.0.0.1:{broker}", "4")}
    directory = RunDirectory(tmp_path / "run")
    assert directory.read_metadata().outcome == "completed"
    (limits,) = of_kind(directory.read_events(), LimitsRead)
    assert limits.event.fds_limit == os.sysconf("SC_OPEN_MAX")


@pytest.mark.e2e
@pytest.mark.parametrize("python", PYTHONS)
def test_https_and_a_token(agents, puppet, tmp_path, python, certificate):
    cert, key = certificate
    (tmp_path / "token").write_bytes(TOKEN + b"\n")
    port = free_port()
    agent = agents(
        *("--pid", puppet.pid, "--out", tmp_path / "run", "--serve", f"0.0.0.0:{port}"),
        *("--token-file", tmp_path / "token", "--cert", cert, "--key", key),
        python=python,
    )
    agent.ready()
    url = f"https://127.0.0.1:{port}/v1/run"

    def ask(**headers):
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, context=trusting(cert), timeout=DEADLINE_S) as answer:
            return json.load(answer)

    told = ask(Authorization=f"Bearer {TOKEN.decode()}")
    assert told["run"]["targets"][0]["pids"] == [puppet.pid]
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask()
    assert refused.value.code == 401
    refused.value.close()
    assert raw(port, b"GET /v1/run HTTP/1.1\r\nHost: localhost\r\n\r\n")[:4] != b"HTTP"
    assert agent.stop()[0] == 0


@pytest.mark.e2e
def test_a_client_without_its_certificate_gets_nothing(agents, puppet, tmp_path, certificate):
    cert, key = certificate
    port = free_port()
    own = ("--cert", cert, "--key", key, "--client-ca", cert)
    serve = ("--serve", f"127.0.0.1:{port}")
    agents("--pid", puppet.pid, "--out", tmp_path / "run", *serve, *own).ready()

    def ask(context):
        client = http.client.HTTPSConnection("127.0.0.1", port, timeout=DEADLINE_S, context=context)
        with closing(client):
            client.request("GET", "/metrics")
            return client.getresponse().status

    for _ in range(5):
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_REQUIRED"):  # and not just cut off
            ask(trusting(cert))
    context = trusting(cert)
    context.load_cert_chain(cert, key)
    assert ask(context) == 200


@pytest.mark.e2e
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_ends_whole(agents, puppet, tmp_path, number):
    port = free_port()
    agent = agents(
        *("--pid", puppet.pid, "--out", tmp_path / "run", "--serve", f"127.0.0.1:{port}")
    )
    agent.ready()
    child = agent.child()
    assert agent.stop(number) == (0, "")
    assert not Path(f"/proc/{child}").exists()
    assert RunDirectory(tmp_path / "run").read_metadata().outcome == "completed"


def is_gone(pid):
    try:
        return "Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]
    except OSError:
        return True


@pytest.mark.e2e
def test_neither_half_leaves_the_other_behind(agents, puppet, tmp_path):
    def begin(name):
        serve = ("--serve", f"127.0.0.1:{free_port()}")
        out = ("--out", tmp_path / name, "--interval", "0.1")
        agent = agents("--pid", puppet.pid, *out, *serve)
        agent.ready()
        return agent, agent.child()

    killed, child = begin("killed")
    killed.process.kill()
    eventually(lambda: is_gone(child), "that what serves ends with what records")

    agent, child = begin("alone")
    os.kill(child, signal.SIGKILL)
    table = tmp_path / "alone" / SAMPLES.file
    eventually(lambda: is_gone(child))
    size = table.stat().st_size
    eventually(lambda: table.stat().st_size > size, "that the recording goes on")
    code, errors = agent.stop()
    assert code == 0
    assert errors == (
        "tidemark-agent: what serves the recording has ended; the recording goes on\n"
    )


@pytest.mark.e2e
def test_what_is_wrong_is_one_line(agents, puppet, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / SAMPLES.file).write_text("")
    port = free_port()
    whole = ("--pid", puppet.pid, "--out", tmp_path / "new")
    for given, wanted in (
        (("--out", tmp_path / "new"), "--pid must be given"),
        (("--out", tmp_path / "new", "--port-of", port), f"nobody listens on port {port}"),
        ((*whole, "--port-of", port), "one of them says which process"),
        ((*whole, "--serve", f"0.0.0.0:{port}"), "anybody can reach that address"),
        ((*whole, "--serve", "192.0.2.1:1", "--token-file", "x"), "anybody can reach"),
        ((*whole, "--serve", "127.0.0.1:1", "--token-file", "x"), "--token-file: x cannot be read"),
        ((*whole, "--serve", "127.0.0.1:1", "--cert", "x", "--key", "y"), "cannot be used for"),
        (("--pid", puppet.pid, "--out", tmp_path / "run", "--serve", f"127.0.0.1:{port}"), "holds"),
    ):
        process = agents(*given).process
        _, errors = process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 2
        assert errors.startswith("tidemark-agent: error: ")
        assert errors.count("\n") == 1
        assert wanted in errors
        assert not (tmp_path / "new").exists()


@pytest.mark.e2e
@pytest.mark.parametrize("by", ["port", "command"])
def test_the_process_is_found(agents, tmp_path, by):
    port = free_port()
    serve = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(serve, stdout=quiet, stderr=quiet, cwd=tmp_path) as server:
        try:
            eventually(lambda: raw_or_none(port), "that it listens")
            clue = ("--port-of", port) if by == "port" else ("--command", f"http.server {port}")
            agent = agents(*clue, "--out", tmp_path / "run")
            agent.ready()
            assert agent.stop()[0] == 0
            (target,) = RunDirectory(tmp_path / "run").read_metadata().targets
            assert target.pids == (server.pid,)
        finally:
            server.kill()


def raw_or_none(port):
    try:
        return raw(port, b"GET / HTTP/1.0\r\n\r\n")
    except OSError:
        return None


@pytest.mark.e2e
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
def test_it_says_which_rights_are_missing_for_what(puppet, pyz):
    # Imported before the user is changed: the folders above may be closed to others.
    code = """
import encodings.ascii, encodings.idna, locale, os, sys
sys.path.insert(0, sys.argv[1])
from tidemark.agent.__main__ import main
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(sys.argv[2:]))
"""
    with tempfile.TemporaryDirectory(dir="/tmp") as public:
        os.chown(public, 65534, 65534)
        command = [sys.executable, "-Ic", code, pyz, "--pid", str(puppet.pid)]
        process = subprocess.Popen(
            [*command, "--out", f"{public}/run"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=DEADLINE_S)
        assert line, errors
        assert f"/proc/{puppet.pid}/fd may not be read: descriptors" in errors
        assert "it takes the target's user, or CAP_SYS_PTRACE" in errors
        (denied,) = of_kind(RunDirectory(f"{public}/run").read_events(), PermissionDenied)
        assert denied.event.pid == puppet.pid


def resident_kib(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


@pytest.mark.e2e
@pytest.mark.long
@pytest.mark.timeout(600)
def test_ten_thousand_fuzzed_requests(agents, puppet, tmp_path):
    (tmp_path / "token").write_bytes(TOKEN + b"\n")
    port = free_port()
    agent = agents(
        *("--pid", puppet.pid, "--out", tmp_path / "run", "--interval", "0.5"),
        *("--serve", f"127.0.0.1:{port}", "--token-file", tmp_path / "token"),
    )
    agent.ready()
    child, chance, resident, seen = agent.child(), random.Random(2), [], {}
    shown = b"Authorization: Bearer " + TOKEN + b"\r\n"
    for at in range(10_000):
        data = fuzzed(chance)
        may_ask = at % 2
        if may_ask:  # half of them get past the guard
            first, newline, rest = data.partition(b"\r\n")
            data = first + newline + shown + rest
        answer = raw(port, data)
        for status in statuses(answer):
            seen[status] = seen.get(status, 0) + 1
            assert status < 500, data
        if not may_ask:
            assert b"time_s" not in answer, data
            assert b"boot" not in answer, data
            assert 200 not in statuses(answer), data
        if at % 1000 == 999:
            resident.append(resident_kib(child))
    assert seen[200] > 0
    assert resident[-1] - resident[1] < 1024  # KiB
    assert agent.stop() == (0, "")
