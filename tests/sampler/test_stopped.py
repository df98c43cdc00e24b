"""Processes that are there but do not run."""

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from tidemark.record.events import ProcessContinued, ProcessStopped
from tidemark.sampler import procfs
from tidemark.sampler.limits import parse_mounts
from tidemark.sampler.stopped import StoppedWatch
from tidemark.sampler.tree import ProcessTree, identify


class Looks:
    """Looks at a tree, a second after the other; gives what was said."""

    def __init__(self, pid):
        self.tree = ProcessTree(identify(pid))
        self.said = []
        self.watch = StoppedWatch(self.tree, self.said.append, "api")
        self.now_s = 0.0

    def __call__(self):
        self.now_s += 1.0
        self.tree.refresh(self.now_s)
        self.watch.look(self.now_s)
        said, self.said[:] = self.said.copy(), []
        return said


def test_a_process_that_is_stopped_is_said_once_and_so_is_its_return(puppet, eventually):
    child = puppet.do("result = fork()")
    look = Looks(puppet.pid)
    assert look() == []
    os.kill(child, signal.SIGSTOP)
    eventually(lambda: procfs.read_stat(child).state == "T", "the stop")
    name = look.tree.members[child].name
    assert look() == [ProcessStopped(child, name, "api")]
    assert look() == []
    os.kill(child, signal.SIGCONT)
    eventually(lambda: procfs.read_stat(child).state != "T", "the return")
    assert look() == [ProcessContinued(child, name, 2.0, "api")]
    assert look() == []


def test_one_that_ends_while_it_is_stopped_does_not_go_on(puppet, eventually):
    child = puppet.do("result = fork()")
    os.kill(child, signal.SIGSTOP)
    eventually(lambda: procfs.read_stat(child).state == "T", "the stop")
    look = Looks(puppet.pid)
    assert [type(event) for event in look()] == [ProcessStopped]
    puppet.do(f"os.kill({child}, 9); os.waitpid({child}, 0)")
    assert look() == []


def test_one_that_is_traced_and_runs_is_not_stopped(puppet, monkeypatch):
    read_stat, used_s = procfs.read_stat, iter([1.0, 2.0, 2.0, 2.0])

    def traced(pid):
        stat = read_stat(pid)
        return replace(stat, state="t", cpu_s=next(used_s)) if pid == puppet.pid else stat

    look = Looks(puppet.pid)
    monkeypatch.setattr(procfs, "read_stat", traced)
    assert [[type(event) for event in look()] for _ in range(4)] == [[], [], [ProcessStopped], []]


FREEZERS = {
    "": ("cgroup.freeze", b"1", b"0", "cgroup.events", "frozen 1"),
    "freezer": ("freezer.state", b"FROZEN", b"THAWED", "freezer.state", "FROZEN"),
}


@pytest.fixture(params=FREEZERS)
def freezer(request):
    """Freezes a process with a cgroup of its own, version 2 or 1."""
    mount = parse_mounts(procfs.read_text(os.getpid(), "mounts")).get(request.param)
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs root and a freezer of that version")
    outer = mount / f"tidemark-test-{os.getpid()}"
    group = outer / "inner"
    try:
        outer.mkdir()
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made here ({error})")
    name, on, off, told, line = FREEZERS[request.param]

    def set_to(pid, *, frozen):
        (group / "cgroup.procs").write_bytes(b"%d" % pid)
        (outer / name).write_bytes(on if frozen else off)  # the one above freezes it too
        return lambda: (line in (group / told).read_text().splitlines()) == frozen

    yield set_to
    (outer / name).write_bytes(off)
    for pid in (group / "cgroup.procs").read_text().split():
        Path(mount, "cgroup.procs").write_text(pid)
    group.rmdir()
    outer.rmdir()


def test_one_that_is_frozen_is_stopped(puppet, freezer, eventually):
    eventually(freezer(puppet.pid, frozen=False))
    look = Looks(puppet.pid)
    assert look() == []
    eventually(freezer(puppet.pid, frozen=True), "the freeze")
    assert procfs.read_stat(puppet.pid).state != "T"
    assert [type(event) for event in look()] == [ProcessStopped]
    assert look() == []
    eventually(freezer(puppet.pid, frozen=False), "the thaw")
    (event,) = look()
    assert (type(event), event.stopped_s) == (ProcessContinued, 2.0)
