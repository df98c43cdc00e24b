"""The recorder in this process: fallbacks, the clock, what it asks of its parts."""

import contextlib
import io
import math
import os
import re
import resource
import subprocess
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tidemark.record.clock import Instant, RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.events import (
    ClockSet,
    PermissionDenied,
    SamplerStarted,
    SourceChanged,
    TargetExited,
    Unread,
    of_kind,
)
from tidemark.record.layout import SAMPLES
from tidemark.record.options import read_all
from tidemark.sampler import procfs
from tidemark.sampler.brokers import Brokers
from tidemark.sampler.budget import Budget
from tidemark.sampler.connection_watch import open_source
from tidemark.sampler.connections import Connections
from tidemark.sampler.errors import (
    DeniedError,
    DumpInterruptedError,
    NetlinkError,
    ShortageError,
)
from tidemark.sampler.journal import Journal
from tidemark.sampler.live import Glance, LiveLine, describe
from tidemark.sampler.local import LocalSource
from tidemark.sampler.netlink import owners
from tidemark.sampler.netlink import source as netsource
from tidemark.sampler.netlink.cgroups import NONE, find_own, unified_mount
from tidemark.sampler.netlink.fdtable import FdTable
from tidemark.sampler.netlink.namespaces import open_in_namespace
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.options import OPTIONS, Options
from tidemark.sampler.recorder import Recorder
from tidemark.sampler.tree import ProcessTree, identify


class Watched:
    """A recorder of one process, its directory, and what it wrote."""

    def __init__(self, pid, address, folder, **options):
        self.directory = RunDirectory.create(folder)
        self.clock = Clock()
        given = {"pid": pid, "brokers": address, "out": folder, "budget": math.inf, **options}
        options = Options(**read_all(OPTIONS, given))
        budget = Budget(options.budget / 100)
        self.source = LocalSource(options, budget)
        self.journal = Journal(self.directory)
        self.recorder = Recorder(self.journal, self.clock, [self.source], budget, options.interval)
        self.recorder.start()

    def rows(self):
        header, *lines = self.directory.file(SAMPLES.file).read_text().splitlines()
        return [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]

    def events(self, kind):
        return [one.event for one in of_kind(self.directory.read_events(), kind)]

    def close(self):
        self.source.close()
        self.journal.close()


class Clock(RunClock):
    def __init__(self):
        super().__init__(RunClock.start().started_monotonic_s)
        object.__setattr__(self, "set_by_s", 0.0)

    def now(self):
        instant = super().now()
        return Instant(instant.time_s + self.set_by_s, instant.elapsed_s)


@pytest.fixture
def watch(puppet, address, tmp_path):
    made = []

    def make(**options):
        made.append(Watched(puppet.pid, address, tmp_path / f"run{len(made)}", **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def connect(puppet, address, count):
    host, port = address.split(":")
    puppet.do(f"made = [connect({host!r}, {port}) for _ in range({count})]")


def test_setting_the_clock_is_told_and_elapsed_time_goes_on(watch):
    watched = watch()
    watched.recorder.tick()
    object.__setattr__(watched.clock, "set_by_s", -3600.0)
    watched.recorder.tick()
    watched.recorder.tick()
    (event,) = watched.events(ClockSet)
    assert event.by_s == pytest.approx(-3600, abs=1)
    elapsed = [float(row["elapsed_s"]) for row in watched.rows()]
    assert elapsed == sorted(elapsed)


def test_the_cost_of_a_sample_is_that_of_the_process(watch):
    watched = watch()
    before = psutil.Process().cpu_times()
    for _ in range(200):
        watched.recorder.tick()
    after = psutil.Process().cpu_times()
    used = after.user + after.system - before.user - before.system
    costs = {row["elapsed_s"]: float(row["sample_cost_s"]) for row in watched.rows()}
    assert sum(costs.values()) == pytest.approx(used, abs=0.05)


def test_without_netlink_procfs_is_taken_and_the_run_says_so(watch, puppet, address, monkeypatch):
    def refuse(self):
        raise NetlinkError("netlink: cannot be opened: Protocol not supported")

    monkeypatch.setattr(netsource.SockDiag, "__init__", refuse)
    connect(puppet, address, 3)
    watched = watch()
    watched.recorder.tick()
    (event,) = watched.events(SamplerStarted)
    assert event.source == "procfs"
    assert "Protocol not supported" in event.reason
    assert watched.rows()[0]["established"] == "3"
    with pytest.raises(NetlinkError):
        open_source(Brokers.resolve([address]), puppet.pid, "netlink")


def test_a_namespace_that_is_denied_is_told_and_procfs_taken(watch, puppet, address, monkeypatch):
    def refuse(pid, open_it):
        raise DeniedError(pid, f"/proc/{pid}/ns/net")

    monkeypatch.setattr(netsource, "open_in_namespace", refuse)
    connect(puppet, address, 3)
    watched = watch()
    watched.recorder.tick()
    assert watched.events(SamplerStarted)[0].source == "procfs"
    (event,) = watched.events(PermissionDenied)
    assert (event.pid, event.missing) == (puppet.pid, "CAP_SYS_ADMIN")
    assert watched.rows()[0]["established"] == "3"


@pytest.mark.parametrize("source", ["netlink", "procfs"])
def test_every_source_fills_the_same_columns(watch, puppet, address, source):
    connect(puppet, address, 4)
    watched = watch(source=source)
    watched.recorder.tick()
    rows = {row["process"]: row for row in watched.rows()}
    assert rows["puppet.py"]["established"] == "4"
    assert rows["kernel"]["established"] == "0"


def test_a_dump_that_is_interrupted_is_repeated(watch, puppet, address, monkeypatch):
    connect(puppet, address, 2)
    watched = watch()
    dump = netsource.SockDiag.dump
    left = [1, 2]

    def interrupted(self, *arguments):
        yield from dump(self, *arguments)
        if left:
            left.pop()
            raise DumpInterruptedError("netlink: the socket table changed under the dump")

    monkeypatch.setattr(netsource.SockDiag, "dump", interrupted)
    watched.recorder.tick()
    assert watched.rows()[0]["established"] == "2"
    assert left == []


def test_dumps_that_cannot_be_trusted_are_empty_and_lead_to_another_source(
    watch, puppet, address, monkeypatch
):
    connect(puppet, address, 2)
    watched = watch()

    def interrupted(self, *arguments):
        raise DumpInterruptedError("netlink: the socket table changed under the dump")

    monkeypatch.setattr(netsource.SockDiag, "dump", interrupted)
    for _ in range(4):
        watched.recorder.tick()
    found = [row["established"] for row in watched.rows() if row["process"] != "kernel"]
    assert found == ["", "", "", "2"]
    assert all(row["fds"] for row in watched.rows() if row["process"] != "kernel")
    assert len(watched.events(Unread)) == 1
    (event,) = watched.events(SourceChanged)
    assert event.source == "procfs"


def test_a_sampler_that_runs_short_leaves_fields_empty(watch, monkeypatch):
    watched = watch()

    def short(pid):
        raise ShortageError(f"/proc/{pid}/fd", "Too many open files")

    monkeypatch.setattr(procfs, "count_fds_by_size", short)
    watched.recorder.tick()
    watched.recorder.tick()
    row = watched.rows()[0]
    assert (row["fds"], row["threads"]) == ("", "1")
    assert len(watched.events(Unread)) == 1


def test_a_sampler_without_descriptors_goes_on(watch, eventually):
    watched = watch()
    watched.recorder.tick()
    with ExitStack() as stack:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
        with contextlib.suppress(OSError):
            while True:
                stack.callback(os.close, os.dup(0))
        watched.recorder.tick()
        watched.recorder.tick()
    watched.recorder.tick()
    mine = [row for row in watched.rows() if row["process"] != "kernel"]
    assert [bool(row["threads"]) for row in mine] == [True, False, False, True]
    assert any("Too many open files" in one.reason for one in watched.events(Unread))


def test_a_process_that_vanishes_in_mid_read(watch, puppet, monkeypatch):
    watched = watch()
    count = procfs.count_fds_by_size

    def vanish(pid):
        puppet.end()
        return count(pid)

    monkeypatch.setattr(procfs, "count_fds_by_size", vanish)
    watched.recorder.tick()
    monkeypatch.setattr(procfs, "count_fds_by_size", count)
    watched.recorder.tick()
    assert len(watched.events(TargetExited)) == 1
    mine = [row for row in watched.rows() if row["process"] != "kernel"]
    assert [row["fds"] for row in mine] == [""]


def test_what_is_not_due_is_empty_not_old(watch, puppet, address):
    connect(puppet, address, 3)
    watched = watch(budget=1e-5)
    for _ in range(4):
        watched.recorder.tick()
    watched.recorder.write(*watched.recorder.read(full=True))
    found = [row["established"] for row in watched.rows() if row["process"] != "kernel"]
    assert found == ["3", "", "", "", "3"]
    assert all(row["fds"] for row in watched.rows() if row["process"] != "kernel")


def test_on_a_kernel_that_does_not_count_descriptors(puppet, address, monkeypatch, closed):
    monkeypatch.setattr(procfs, "count_fds_by_size", lambda pid: 0)
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    tree = ProcessTree(identify(puppet.pid))
    for count in (3, 30, 10):
        connect(puppet, address, count)
        source.read(tree.members)
        assert source.read(tree.members).by_process[puppet.pid] == {1: count}


def test_closed_and_new_in_one_descriptor_within_a_dump_is_counted_once(puppet, address, closed):
    """The dump shows a socket that was closed beside the one that took its descriptor."""
    connect(puppet, address, 5)
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    members = ProcessTree(identify(puppet.pid)).members
    source.read(members)
    dump_one = source._dump_one

    def blurred(diag, reader):
        before = dump_one(diag, reader)
        host_name, port = address.split(":")
        puppet.do(f"made[2].close(); made[2] = connect({host_name!r}, {port})")
        after = dump_one(diag, reader)
        known = set(before.inodes)
        for at, inode in enumerate(after.inodes):
            if inode not in known:
                before.inodes.append(inode)
                before.states.append(after.states[at])
                before.endpoints.append(after.endpoints[at])
        return before

    source._dump_one = blurred
    assert source.read(members).by_process[puppet.pid] == {1: 5}
    source._dump_one = dump_one
    assert source.read(members).by_process[puppet.pid] == {1: 5}


def test_a_socket_that_a_dump_shows_twice_counts_once(puppet, address, closed):
    connect(puppet, address, 5)
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    members = ProcessTree(identify(puppet.pid)).members
    dump_one = source._dump_one

    def doubled(diag, reader):
        columns = dump_one(diag, reader)
        columns.inodes.append(columns.inodes[0])
        columns.states.append(columns.states[0])
        columns.endpoints.append(columns.endpoints[0])
        return columns

    for _ in range(3):
        source._dump_one = doubled
        found = source.read(members)
        assert found.by_process[puppet.pid] == {1: 5}
        assert found.by_endpoint[address].held == 5
        source._dump_one = dump_one
        assert source.read(members) == found


def test_steady_state_reads_only_what_is_new(puppet, address, monkeypatch, closed):
    connect(puppet, address, 200)
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    members = ProcessTree(identify(puppet.pid)).members
    source.read(members)
    read, listed = [], []
    from tidemark.sampler.netlink import fdtable

    real = fdtable.os.readlink
    monkeypatch.setattr(fdtable.os, "readlink", lambda *a, **k: read.append(a) or real(*a, **k))
    monkeypatch.setattr(FdTable, "walk", lambda *a: listed.append(a))
    assert source.read(members).by_process[puppet.pid] == {1: 200}
    assert (read, listed) == ([], [])
    host_name, port = address.split(":")
    puppet.do(f"made[70].close(); made += [connect({host_name!r}, {port}) for _ in range(6)]")
    assert source.read(members).by_process[puppet.pid] == {1: 205}
    assert listed == []
    assert 6 <= len(read) <= 40


def test_where_much_changes_it_is_compared_as_sets_and_comes_to_the_same(
    puppet, address, monkeypatch, closed
):
    """What is new is looked for in ever larger steps, what was closed among them."""
    monkeypatch.setattr(owners, "_MANY_CHANGES", 3)
    connect(puppet, address, 60)
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    members = ProcessTree(identify(puppet.pid)).members
    assert source.read(members).by_process[puppet.pid] == {1: 60}
    host_name, port = address.split(":")
    more = f"[connect({host_name!r}, {port}) for _ in range(45)]"
    walked = []
    monkeypatch.setattr(FdTable, "walk", lambda *a: walked.append(a))
    for left, wanted in ((30, 75), (20, 65), (65, 110)):
        puppet.do(f"[one.close() for one in made[{left}::2] + made[{left} + 1::2]]")
        puppet.do(f"made = made[:{left}] + {more}")
        assert source.read(members).by_process[puppet.pid] == {1: wanted}
        assert source.read(members).by_process[puppet.pid] == {1: wanted}
    assert walked == []


@pytest.fixture
def cgroup(tmp_path):
    mount = unified_mount()
    if mount is None or not os.access(mount, os.W_OK):
        pytest.skip("no cgroup2 hierarchy that may be written")
    folder = mount / f"tidemark-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"a cgroup cannot be made: {error}")
    yield folder
    home = Path("/proc/self/cgroup").read_text().splitlines()[-1].split("::")[1]
    for line in (folder / "cgroup.procs").read_text().split():
        (mount / home.lstrip("/") / "cgroup.procs").write_text(line)
    folder.rmdir()


def move(pid, folder):
    try:
        (folder / "cgroup.procs").write_text(str(pid))
    except OSError as error:
        pytest.skip(f"a process cannot be moved into a cgroup: {error}")


def test_a_cgroup_of_its_own_tells_the_targets_sockets(
    puppets, address, cgroup, monkeypatch, closed
):
    puppet = puppets()
    move(puppet.pid, cgroup)
    connect(puppet, address, 6)
    other = puppets()
    connect(other, address, 2)
    tree = ProcessTree(identify(puppet.pid))
    own = find_own(tree.members, unified_mount())
    assert own.single == {cgroup.stat().st_ino: puppet.pid}
    assert own.complete
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    first = source.read(tree.members)
    assert first.by_process[puppet.pid] == {1: 6}
    assert source._trusted == own
    monkeypatch.setattr(source._owners, "update", None)  # not needed from here on
    assert source.read(tree.members) == first


def test_sockets_from_before_a_move_are_not_lost(puppet, address, cgroup, closed):
    connect(puppet, address, 3)
    move(puppet.pid, cgroup)
    puppet.do("first = made")
    connect(puppet, address, 2)
    tree = ProcessTree(identify(puppet.pid))
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))
    for _ in range(2):
        assert source.read(tree.members).by_process[puppet.pid] == {1: 5}
    assert source._trusted == NONE


def test_where_descriptors_are_denied_the_cgroup_still_tells(
    puppet, address, cgroup, monkeypatch, closed
):
    move(puppet.pid, cgroup)
    connect(puppet, address, 4)
    tree = ProcessTree(identify(puppet.pid))
    source = closed(NetlinkSource(Brokers.resolve([address]), puppet.pid))

    def denied(self, pid):
        raise DeniedError(pid, f"/proc/{pid}/fd")

    monkeypatch.setattr("tidemark.sampler.netlink.fdtable.FdFolder.__init__", denied)
    assert source.read(tree.members).by_process[puppet.pid] == {1: 4}


def test_a_shared_cgroup_is_no_cgroup_of_its_own(puppets, puppet, cgroup):
    other = puppets()
    move(puppet.pid, cgroup)
    move(other.pid, cgroup)
    assert not find_own([puppet.pid], unified_mount()).complete
    both = find_own([puppet.pid, other.pid], unified_mount())
    assert both.complete
    assert both.shared == {cgroup.stat().st_ino}
    assert find_own([puppet.pid], None) == NONE


def test_entering_a_namespace_leaves_this_process_where_it_is(puppets):
    if os.geteuid() or subprocess.run(["unshare", "-n", "true"], check=False).returncode:
        pytest.skip("network namespaces are forbidden here")
    inside = puppets(prefix=["unshare", "-n"])
    mine = procfs.network_namespace(os.getpid())
    theirs = procfs.network_namespace(inside.pid)
    assert mine != theirs
    found = open_in_namespace(inside.pid, lambda: Path("/proc/thread-self/net/tcp").stat().st_ino)
    assert found == theirs
    assert procfs.network_namespace(os.getpid()) == mine


def test_a_namespace_that_may_not_be_entered(puppets, monkeypatch):
    from tidemark.sampler.netlink import namespaces

    monkeypatch.setattr(procfs, "network_namespace", lambda pid: pid)

    def refuse(pid):
        raise DeniedError(pid, f"/proc/{pid}/ns/net")

    monkeypatch.setattr(namespaces, "_enter", refuse)
    with pytest.raises(DeniedError, match="ns/net"):
        open_in_namespace(1, lambda: 1)


def test_the_live_line():
    glance = Glance(65.2, 3, 1500, 40, 300 * 2**20, 1200, 7, 0.004)
    text = describe(glance)
    assert re.sub(r" +", " ", text).strip() == (
        "1:05 3 processes fds 1,500 threads 40 rss 300 MiB connections 1,200 TIME_WAIT 7"
        " (sampler 0.4% of a core)"
    )
    assert "fds -" in describe(Glance())
    stream = io.StringIO()
    LiveLine(stream).show(glance)
    assert stream.getvalue() == ""


def test_unread_connections_are_not_zero():
    assert Connections().by_process == {}
    assert Connections().by_endpoint is None
