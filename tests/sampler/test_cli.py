"""`python -m tidemark.sampler` as a user has it: what it writes, how it ends, what it survives."""

import ctypes
import os
import pty
import re
import shlex
import signal
import stat
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import pytest

from tests.sampler.conftest import DEADLINE_S
from tidemark.record import layout
from tidemark.record.directory import RunDirectory
from tidemark.record.events import (
    DiskFull,
    DiskHasRoom,
    Gap,
    LimitsRead,
    PermissionDenied,
    SamplerStarted,
    TargetExited,
    TargetRestarted,
    Unread,
)
from tidemark.record.options import read_all
from tidemark.sampler.__main__ import main
from tidemark.sampler.errors import NoSuchProcessError
from tidemark.sampler.options import OPTIONS
from tidemark.sampler.session import watch
from tidemark.sampler.ticks import Hurried, StopSignal

PUPPET = Path(__file__).with_name("puppet.py")
PR_CAPBSET_DROP, CAP_SYS_PTRACE = 24, 19
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


AS_NOBODY = """
import encodings.ascii, locale, os, sys
from tidemark.sampler.__main__ import main
'a'.encode('idna')  # what is imported when it is used may be where only root looks
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main(sys.argv[4:]))
"""


def ticks(sampler, **wanted):
    rows = sampler.rows()
    return [row for row in rows if all(row[key] == str(value) for key, value in wanted.items())]


def test_a_run_from_start_to_sigint(puppet, samplers, listener, address, eventually):
    host, port = listener.getsockname()
    puppet.do(f"made = [connect({host!r}, {port}) for _ in range(3)]")
    sampler = samplers(puppet.pid, address, "--interval", "0.1")
    assert sampler.ready() == {"ready": True, "pid": sampler.process.pid}
    first = ticks(sampler, pid=puppet.pid)[0]
    assert first["established"] == "3"
    assert int(first["fds"]) >= 6
    assert int(first["rss_bytes"]) > 0
    assert first["threads"] == "1"
    eventually(lambda: len(ticks(sampler, pid=puppet.pid)) >= 5, "five ticks")
    status, errors = sampler.stop(signal.SIGINT)
    assert (status, errors) == (0, "")
    metadata = sampler.directory.read_metadata()
    assert metadata.outcome == "completed"
    assert metadata.started_at < metadata.ended_at
    assert metadata.brokers == (address,)
    assert metadata.target["pid"] == puppet.pid
    assert {"kernel", "cpus", "page_size", "python"} <= metadata.host.keys()
    kernel = ticks(sampler, pid=0)[-1]
    assert kernel["process"] == "kernel"
    assert (kernel["fds"], kernel["time_wait"]) == ("", "0")
    endpoints = sampler.rows(layout.ENDPOINTS)
    assert {(row["endpoint"], row["held"], row["kind"]) for row in endpoints} == {
        (address, "3", layout.BROKER),
        (layout.OTHER_ENDPOINTS, "0", layout.REMOTE),
    }
    kinds = {(row["kind"], row["name"]) for row in sampler.rows(layout.COMPOSITION)}
    assert {("fd", f"tcp {address}"), ("fd", "pipe")} <= kinds
    assert any(kind == "thread" for kind, _ in kinds)
    (started,) = sampler.events(SamplerStarted)
    assert (started.source, started.interval_s) == ("netlink", 0.1)
    (limits,) = sampler.events(LimitsRead)
    assert limits.pid == puppet.pid
    assert limits.fds_limit > 0
    assert 0 < limits.local_ports_low < limits.local_ports_high
    assert not list(sampler.directory.path.glob(".*")), "nothing is left behind"


@pytest.mark.parametrize(("arguments", "target"), [((), "target"), (("--target", "api"), "api")])
def test_rows_and_events_carry_the_target(puppet, samplers, address, arguments, target):
    sampler = samplers(puppet.pid, address, *arguments)
    sampler.ready()
    sampler.stop()
    for table in (layout.SAMPLES, layout.COMPOSITION, layout.ENDPOINTS):
        assert {row["target"] for row in sampler.rows(table)} == {target}
    assert [limits.target for limits in sampler.events(LimitsRead)] == [target]
    metadata = sampler.directory.read_metadata()
    assert (metadata.format, metadata.target["pid"]) == (2, puppet.pid)
    (only,) = metadata.targets
    assert (only.id, only.pids, only.command) == (
        target,
        (puppet.pid,),
        shlex.join([sys.executable, str(PUPPET)]),
    )


def test_other_commands_can_watch_with_the_same_options(tmp_path):
    given = {"pid": "999999999", "brokers": "localhost:9092", "out": str(tmp_path / "run")}
    values = read_all(OPTIONS, given)
    assert (values["target"], values["interval"], values["budget"]) == ("target", 1.0, 1.0)
    with pytest.raises(NoSuchProcessError):
        watch(values)
    assert not (tmp_path / "run").exists(), "nothing to watch, nothing written"


@pytest.mark.parametrize(("arguments", "mode"), [((), 0o600), (("--share-files",), 0o644)])
def test_no_secret_is_recorded_and_the_files_are_the_owners(
    tmp_path, samplers, address, arguments, mode
):
    secretive = [sys.executable, "-c", "input()", "--password=hunter2", "--token", "hunter2"]
    former = os.umask(0o022)
    with subprocess.Popen(secretive, stdin=subprocess.PIPE) as target:
        sampler = samplers(target.pid, address, *arguments)
        sampler.ready()
        metadata = sampler.directory.file("run.json")
        text = metadata.read_text()
        modes = {stat.S_IMODE(sampler.directory.file(name).stat().st_mode)
                 for name in ("run.json", "samples.csv", "events.jsonl")}  # fmt: skip
        target.kill()
    os.umask(former)
    assert "--password=xxxxx --token xxxxx" in text
    assert "hunter2" not in text
    assert modes == {mode}


def test_sigterm_is_an_orderly_end_too(puppet, samplers, address):
    sampler = samplers(puppet.pid, address, "--interval", "5")
    sampler.ready()
    assert sampler.stop(signal.SIGTERM) == (0, "")
    assert len(ticks(sampler, pid=puppet.pid)) == 2, "the first sample and a last one"


def test_elapsed_time_is_that_of_the_run(puppet, samplers, address, tmp_path):
    RunDirectory.create(tmp_path / "run").write_metadata({"strategy": "shared"})
    began = time.monotonic() / 2
    sampler = samplers(puppet.pid, address, "--join", "--started-monotonic", repr(began))
    sampler.ready()
    assert sampler.stop() == (0, "")
    assert began <= float(sampler.rows()[0]["elapsed_s"]) <= time.monotonic() - began
    assert sampler.directory.read_metadata().raw == {"format": 2, "strategy": "shared"}


def test_a_joined_sampler_ends_with_who_started_it(
    puppets, samplers, address, tmp_path, eventually
):
    target, parent = puppets(), puppets()
    RunDirectory.create(tmp_path / "run").write_metadata({})
    command = [sys.executable, "-m", "tidemark.sampler", "--join", "--interval", "0.05"]
    command += ["--pid", str(target.pid), "--brokers", address, "--out", str(tmp_path / "run")]
    pid = parent.do(f"""
import subprocess
child = subprocess.Popen({command!r}, stdout=subprocess.PIPE)
child.stdout.readline()
result = child.pid
""")
    parent.end()
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the sampler's end")


def test_kill_9_costs_at_most_the_sample_in_hand(puppet, samplers, address, eventually):
    sampler = samplers(puppet.pid, address, "--interval", "0.02")
    sampler.ready()
    eventually(lambda: len(ticks(sampler, pid=puppet.pid)) >= 10, "ten ticks")
    seen = len(ticks(sampler, pid=puppet.pid))
    sampler.stop(signal.SIGKILL)
    times = [float(row["elapsed_s"]) for row in ticks(sampler, pid=puppet.pid)]
    assert len(times) >= seen
    assert times == sorted(times)
    assert "outcome" not in sampler.directory.read_metadata().raw
    raw = sampler.directory.file(layout.SAMPLES.file).read_bytes()
    assert raw.count(b"\n") > seen
    with sampler.directory.writer(layout.SAMPLES) as writer:  # and it can be gone on with
        writer.append({"pid": 1})
    assert sampler.rows()[-1]["pid"] == "1"


def test_a_missed_tick_is_a_gap_and_the_grid_stays(puppet, samplers, address, eventually):
    sampler = samplers(puppet.pid, address, "--interval", "0.1")
    sampler.ready()
    sampler.process.send_signal(signal.SIGSTOP)
    until = time.monotonic() + 0.5
    eventually(lambda: time.monotonic() > until)
    sampler.process.send_signal(signal.SIGCONT)
    (gap, *_) = eventually(lambda: sampler.events(Gap), "a gap")
    assert gap.missed_ticks >= 3
    assert gap.interval_s == 0.1
    eventually(lambda: len(ticks(sampler, pid=puppet.pid)) >= 6, "ticks after it")
    sampler.stop()
    times = [float(row["elapsed_s"]) for row in ticks(sampler, pid=puppet.pid)]
    away_s, at = max((late - early, at) for at, (early, late) in enumerate(pairwise(times)))
    assert 0.9 < away_s / 0.1 - gap.missed_ticks < 2.1, "one tick is taken late, not two"
    later = times[at + 2 : -1]
    missed = sum(one.missed_ticks for one in sampler.events(Gap)[1:])
    assert round((later[-1] - later[0]) / 0.1) + 1 == len(later) + missed


@pytest.mark.parametrize("torn", [True, False])
def test_a_sampler_goes_on_where_a_killed_one_ended(
    *, puppet, samplers, address, tmp_path, torn, eventually
):
    """Torn lines, its reserve and all; what was missed is a gap, and the first sample whole."""
    host, port = address.split(":")
    puppet.do(f"made = [connect({host!r}, {port}) for _ in range(3)]")
    RunDirectory.create(tmp_path / "run").write_metadata({})
    options = ["--join", "--interval", "0.1"]
    options += ["--started-monotonic", repr(time.monotonic())] if torn else []
    first = samplers(puppet.pid, address, *options)
    first.ready()
    eventually(lambda: len(ticks(first, pid=puppet.pid)) >= 3, "three ticks")
    first.stop(signal.SIGKILL)
    last_s = float(first.rows()[-1]["elapsed_s"])
    if torn:
        for name in ("samples.csv", "composition.csv", "endpoints.csv", "events.jsonl"):
            with first.directory.file(name).open("ab") as file:
                file.write(b'{"time_s": 17')
    assert first.directory.file(".reserve").exists()
    until = time.monotonic() + 0.35
    eventually(lambda: time.monotonic() > until)
    second = samplers(puppet.pid, address, *options)
    second.ready()
    fresh = [row for row in ticks(second, pid=puppet.pid) if float(row["elapsed_s"]) > last_s]
    assert fresh[0]["established"] == "3"
    assert second.stop() == (0, "")
    (gap, *_) = second.events(Gap)
    away_s = float(fresh[0]["elapsed_s"]) - last_s
    assert 0.9 < away_s / 0.1 - gap.missed_ticks < 2.1
    assert len(second.events(SamplerStarted)) == 2
    times = [float(row["elapsed_s"]) for row in second.rows()]
    assert times == sorted(times)
    assert not list(second.directory.path.glob(".*")), "nothing is left behind"


def test_a_hangup_ends_it_in_order(puppet, samplers, address):
    sampler = samplers(puppet.pid, address, "--interval", "5")
    sampler.ready()
    assert sampler.stop(signal.SIGHUP) == (0, "")
    assert len(ticks(sampler, pid=puppet.pid)) == 2, "the first sample and a last one"
    assert sampler.directory.read_metadata().outcome == "completed"


def test_a_hangup_that_is_ignored_stays_so(puppet, samplers, address, eventually):
    def ignore():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    sampler = samplers(puppet.pid, address, "--interval", "0.05", preexec_fn=ignore)
    sampler.ready()
    sampler.process.send_signal(signal.SIGHUP)
    seen = len(ticks(sampler, pid=puppet.pid))
    eventually(lambda: len(ticks(sampler, pid=puppet.pid)) > seen + 2, "more ticks")
    assert sampler.stop() == (0, "")


def test_a_second_signal_does_without_the_last_sample():
    with StopSignal() as stop:
        for _ in range(2):
            signal.raise_signal(signal.SIGTERM)
        assert stop.wait_until(time.monotonic() + DEADLINE_S)
        with pytest.raises(Hurried), stop.breaking_off():
            pytest.fail("it was begun")


def test_a_second_signal_breaks_the_last_sample_off():
    with StopSignal() as stop:
        signal.raise_signal(signal.SIGHUP)
        with pytest.raises(Hurried), stop.breaking_off():
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)  # no third time: what is left is closed in peace


def fill_up(path):
    with path.open("wb", buffering=0) as filler:
        while True:
            filler.write(b"x" * 4096)


def test_a_full_disk(puppet, samplers, address, tmp_path, eventually):
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small tmpfs")
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("may not mount a tmpfs")
    try:
        sampler = samplers(
            puppet.pid, address, "--interval", "0.02", "--budget", "inf", out=small / "run"
        )
        sampler.ready()
        with pytest.raises(OSError, match="No space"):
            fill_up(small / "filler")
        (event,) = eventually(lambda: sampler.events(DiskFull), "the event")
        assert "No space left" in event.reason
        (small / "filler").unlink()
        eventually(lambda: sampler.events(DiskHasRoom), "that it goes on")
        assert sampler.events(DiskHasRoom)[0].lost_samples >= 1
        status, errors = sampler.stop()
        assert status == 2
        assert "No space left" in errors.splitlines()[0]
        assert "samples found no room" in errors.splitlines()[-1]
        assert sampler.directory.read_metadata().outcome == "completed"
        for table in (layout.SAMPLES, layout.COMPOSITION, layout.ENDPOINTS):
            assert (small / "run" / table.file).read_bytes().endswith(b"\n")
            assert sampler.rows(table)
    finally:
        subprocess.run(["umount", "-l", str(small)], check=True)


def without_ptrace():
    ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0)


@needs_root
def test_permission_denied_is_empty_and_one_event(puppet, samplers, listener, address, eventually):
    host, port = listener.getsockname()
    puppet.do(f"made = [connect({host!r}, {port}) for _ in range(3)]")
    puppet.do("os.setgid(65534); os.setuid(65534)")
    sampler = samplers(puppet.pid, address, "--interval", "0.05", preexec_fn=without_ptrace)
    sampler.ready()
    eventually(lambda: len(ticks(sampler, pid=puppet.pid)) >= 4, "four ticks")
    assert sampler.stop() == (0, "")
    for row in ticks(sampler, pid=puppet.pid):
        assert row["established"] == "", "unread is empty, never 0"
        assert int(row["threads"]) == 1
        assert int(row["rss_bytes"]) > 0
    denied = sampler.events(PermissionDenied)
    assert [event.what for event in denied] == [f"/proc/{puppet.pid}/fd"]
    assert "CAP_SYS_PTRACE" in denied[0].missing
    assert sampler.rows(layout.ENDPOINTS) == []


@pytest.mark.parametrize("source", ["netlink", "procfs"])
def test_a_target_in_another_network_namespace(in_a_namespace, samplers, source):
    puppet, address = in_a_namespace
    puppet.do("gone = connect(*server.getsockname())")
    puppet.do("accepted = [server.accept()[0] for _ in range(4)]; gone.close()")
    sampler = samplers(puppet.pid, address, "--source", source)
    sampler.ready()
    sampler.stop()
    assert ticks(sampler, pid=puppet.pid)[-1]["established"] == "3"
    assert ticks(sampler, pid=0)[-1]["fin_wait2"] == "1"
    assert sampler.events(SamplerStarted)[0].source == source


def test_a_target_that_is_started_again(puppets, samplers, address, eventually):
    first = puppets()
    sampler = samplers(first.pid, address, "--interval", "0.05")
    sampler.ready()
    first.end()
    (exited,) = eventually(lambda: sampler.events(TargetExited), "target_exited")
    assert (exited.pid, exited.target) == (first.pid, "target")
    second = puppets()
    (restarted,) = eventually(lambda: sampler.events(TargetRestarted), "target_restarted")
    assert (restarted.pid, restarted.former_pid) == (second.pid, first.pid)
    assert restarted.target == "target"
    eventually(lambda: ticks(sampler, pid=second.pid), "rows of the second")
    second.end()
    third = puppets()
    eventually(lambda: ticks(sampler, pid=third.pid), "rows of the third")
    assert sampler.stop() == (0, "")
    assert len(sampler.events(TargetRestarted)) == 2
    assert [event.pid for event in sampler.events(LimitsRead)] == [
        first.pid,
        second.pid,
        third.pid,
    ]


def test_a_restart_that_a_pid_file_tells(puppets, samplers, address, tmp_path, eventually):
    first = puppets()
    other = subprocess.Popen(["sleep", "60"])
    try:
        pid_file = tmp_path / "pid"
        pid_file.write_text(f"{first.pid}\n")
        sampler = samplers(first.pid, address, "--interval", "0.05", "--pid-file", str(pid_file))
        sampler.ready()
        first.end()
        eventually(lambda: sampler.events(TargetExited), "target_exited")
        pid_file.write_text(f"{other.pid}\n")
        (event,) = eventually(lambda: sampler.events(TargetRestarted), "target_restarted")
        assert (event.pid, event.process) == (other.pid, "sleep")
        sampler.stop()
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("is_reaped", [True, False])
def test_nothing_is_told_of_a_target_that_is_gone(
    puppets, samplers, address, is_reaped, eventually
):
    """The tick says who ended; a zombie is gone too; no rows but the kernel's from then on."""
    root = puppets()
    child = root.do("result = fork(lambda: ctypes.CDLL(None).prctl(1, 0))")
    sampler = samplers(root.pid, address, "--interval", "0.05", "--budget", "inf")
    sampler.ready()
    root.process.kill()
    if is_reaped:
        root.process.wait()
    eventually(lambda: sampler.events(TargetExited), "target_exited")
    os.kill(child, signal.SIGKILL)
    (told,) = eventually(lambda: sampler.events(Unread), "that nobody is left")
    assert "no process of the target is left" in told.reason
    seen = len(ticks(sampler, pid=0))
    before = [len(ticks(sampler, pid=pid)) for pid in (root.pid, child)]
    eventually(lambda: len(ticks(sampler, pid=0)) >= seen + 5, "five more ticks")
    assert sampler.stop() == (0, "")
    assert before == [len(ticks(sampler, pid=pid)) for pid in (root.pid, child)]
    assert [event.pid for event in sampler.events(TargetExited)] == [root.pid]
    assert sampler.events(Unread) == [told], "once"
    assert "0" not in {row["fds"] for row in sampler.rows()}


def test_a_sampler_of_another_user_leaves_empty_what_it_may_not_read(puppet, samplers, address):
    if os.geteuid() != 0:
        pytest.skip("needs root to run the sampler as another user")
    host, port = address.split(":")
    puppet.do(f"made = [connect({host!r}, {port}) for _ in range(3)]")
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        prefix = [sys.executable, "-c", AS_NOBODY]  # the interpreter may be where only root looks
        sampler = samplers(puppet.pid, address, out=Path(folder, "run"), prefix=prefix)
        sampler.ready()
        assert sampler.stop() == (0, "")
        row = ticks(sampler, pid=puppet.pid)[0]
        assert row["established"] == "", "unread is empty, never 0"
        assert int(row["fds"] or 99) > 0, "where the kernel lets anybody count them"
        assert int(row["threads"]) == 1
        denied = sampler.events(PermissionDenied)
        assert f"/proc/{puppet.pid}/fd" in [event.what for event in denied]
        assert sampler.rows(layout.ENDPOINTS) == []
        kinds = {row["kind"] for row in sampler.rows(layout.COMPOSITION)}
        assert kinds == {"thread"}


def test_a_restart_is_not_followed_when_not_wanted(puppets, samplers, address, eventually):
    first = puppets()
    sampler = samplers(first.pid, address, "--interval", "0.05", "--no-follow", "--budget", "inf")
    sampler.ready()
    first.end()
    eventually(lambda: sampler.events(TargetExited), "target_exited")
    puppets()
    seen = len(ticks(sampler, pid=0))
    eventually(lambda: len(ticks(sampler, pid=0)) >= seen + 5, "five more ticks")
    sampler.stop()
    assert sampler.events(TargetRestarted) == []


def test_a_terminal_gets_a_live_line(puppet, samplers, address, eventually):
    ours, theirs = pty.openpty()
    out = samplers(puppet.pid, address, "--interval", "0.05")
    out.ready()
    assert out.stop() == (0, ""), "no terminal, no line"
    command = [
        sys.executable,
        "-m",
        "tidemark.sampler",
        "--interval",
        "0.05",
        "--pid",
        str(puppet.pid),
    ]
    command += ["--brokers", address, "--out", str(out.directory.path.with_name("second"))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        process.stdout.readline()
        text = os.read(ours, 4096).decode()
        process.send_signal(signal.SIGINT)
    os.close(ours)
    assert re.search(r"\r +0:00  1 processes  fds \d+  threads 1 ", text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pid", "999999999"], "no process has the id 999999999"),
        (["--brokers", "localhost"], "is not host:port"),
        (["--brokers", "no-such-host.invalid:9092"], "does not resolve"),
        (["--brokers", ","], "must be host:port, separated by commas"),
        (["--interval", "0"], "--interval: must be a number of at least 0.01"),
        (["--budget", "0"], "--budget: must be a number greater than 0"),
        (["--out", "/proc/nothing"], "choose another folder"),
        (["--target", ""], "--target: must not be empty"),
        (["--target", "a/b"], "--target: must be a plain name"),
        (["--source", "ebpf"], "--source: must be one of auto, netlink"),
    ],
)
def test_bad_options_end_with_one_line_and_2(puppet, tmp_path, arguments, message):
    command = [sys.executable, "-m", "tidemark.sampler", "--pid", str(puppet.pid)]
    command += ["--brokers", "localhost:9092", "--out", str(tmp_path / "run"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_on_another_system_it_ends_with_one_line_and_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit) as ended:
        main(["--pid", "1", "--brokers", "localhost:9092", "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    assert (out, len(err.splitlines())) == ("", 1)
    assert "Linux" in err
    assert "darwin" in err
    assert not (tmp_path / "run").exists()


def test_an_existing_run_is_never_overwritten(puppet, samplers, address):
    sampler = samplers(puppet.pid, address)
    sampler.ready()
    sampler.stop()
    before = (sampler.directory.path / layout.RUN_JSON).read_bytes()
    again = samplers(puppet.pid, address)
    _, errors = again.process.communicate()
    assert again.process.returncode == 2
    assert "holds a run already" in errors
    assert (sampler.directory.path / layout.RUN_JSON).read_bytes() == before
