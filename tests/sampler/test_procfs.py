import contextlib
import os
import resource
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.sampler import limits, procfs, procfs_source
from tidemark.sampler.errors import DeniedError, NoSuchProcessError, ShortageError
from tidemark.sampler.figures import FiguresReader
from tidemark.sampler.tree import ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable

STAT = (
    b"2032 (my (odd) name) R 2017 2017 5861 0 -1 4194304 102 0 0 0 150 50 0 0 20 0 7 0 498762"
    b" 3133440 389 18446744073709551615 94238161358848 94238161378729 0 0 0 0\n"
)
STATUS = b"Name:\tcat\nUmask:\t0022\nVmRSS:\t    2072 kB\nVmSwap:\t      12 kB\nThreads:\t1\n"
TCP = (
    b"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
    b" inode\n"
    b"   0: 0100007F:B2E7 0900007F:4A95 01 00000000:00000000 00:00000000 00000000     0        0"
    b" 942069 1 00000000542325e8 100 0 0 10 0\n"
    b"   1: 0100007F:4A95 0100007F:B2E7 01 00000000:00000000 00:00000000 00000000     0        0"
    b" 942070 1 00000000542325e8 100 0 0 10 0\n"
    b"   2: 0100007F:A343 0900007F:4A95 06 00000000:00000000 00:00000000 00000000     0        0"
    b" 0 1 00000000a236b8ac 100 0 0 10 0\n"
)
TCP6_MAPPED = b"0000000000000000FFFF00000900007F:4A95"


def test_a_name_with_spaces_and_brackets():
    stat = procfs.parse_stat(STAT)
    assert stat == procfs.Stat("my (odd) name", "R", False, 2017, 2.0, 7, 498762, 389 * 4096)


@pytest.mark.parametrize(
    ("given", "is_dead"),
    [(b" R 2017", False), (b" T 2017", False), (b" Z 2017", True), (b" X 2017", True)],
)
def test_who_is_dead(given, is_dead):
    assert procfs.parse_stat(STAT.replace(b" R 2017", given)).is_dead == is_dead


def test_one_that_is_about_to_be_a_zombie_is_dead_and_has_no_descriptors(monkeypatch):
    """It gives back its descriptors before it becomes one: 0 was never the truth."""
    exiting = procfs.parse_stat(STAT.replace(b" 4194304 ", b" 4194308 "))
    assert exiting.is_dead
    monkeypatch.setattr(procfs, "count_fds_by_size", lambda pid: 0)
    monkeypatch.setattr(procfs, "count_fds_by_listing", lambda pid: 0)
    monkeypatch.setattr(procfs, "read_stat", lambda pid: exiting)
    with pytest.raises(NoSuchProcessError):
        procfs.count_fds(7)


@pytest.mark.parametrize("cut", range(len(STAT)))
def test_a_truncated_stat_is_an_error_or_has_all_that_is_read(cut):
    try:
        stat = procfs.parse_stat(STAT[:cut])
    except ValueError:
        return
    assert (stat.start_ticks, stat.threads) == (498762, 7)


@given(st.binary(max_size=80))
def test_a_garbled_stat_is_a_value_error(data):
    try:
        procfs.parse_stat(data)
    except ValueError:
        return


def test_status_figures():
    assert procfs.parse_status_bytes(STATUS, b"VmSwap") == 12 * 1024
    assert procfs.parse_status_bytes(STATUS, b"VmLck") is None
    assert procfs.parse_status_bytes(STATUS[:60], b"VmSwap") is None
    assert procfs.parse_status_bytes(b"Name:\tx\nVmSwap:\t 1", b"VmSwap") is None


MEMORY = (
    b"Name:\tcat\nVmRSS:\t    2072 kB\nRssAnon:\t     712 kB\nRssFile:\t    1300 kB\n"
    b"RssShmem:\t      60 kB\nVmData:\t     360 kB\nVmSwap:\t      12 kB\nThreads:\t1\n"
)


def test_where_memory_is():
    assert procfs.parse_memory(MEMORY) == (712 * 1024, 1360 * 1024, 12 * 1024)
    before_4_5 = b"".join(line for line in MEMORY.splitlines(keepends=True) if b"Rss" not in line)
    assert procfs.parse_memory(before_4_5) == (None, None, 12 * 1024)
    assert procfs.parse_memory(b"Name:\tkthreadd\nThreads:\t1\n") == (None, None, None)
    only_file = MEMORY.replace(b"RssShmem", b"RssOther")
    assert procfs.parse_memory(only_file)[1] is None, "a part of a sum is not the sum"


@given(st.integers(0, len(MEMORY)))
def test_a_torn_status_has_whole_figures_or_none(cut):
    pairs = zip(procfs.parse_memory(MEMORY[:cut]), procfs.parse_memory(MEMORY), strict=True)
    assert all(found in (None, whole) for found, whole in pairs)


def test_the_limit_of_open_files():
    text = b"Limit    Soft Limit   Hard Limit  Units\nMax open files     1024      4096    files\n"
    name = b"Max open files"
    assert procfs.parse_soft_limit(text, name) == 1024
    assert procfs.parse_soft_limit(text.replace(b"1024", b"unlimited"), name) is None
    assert procfs.parse_soft_limit(text[:66], name) is None


def test_tcp_lines_towards_the_wanted_ports():
    found = list(procfs_source.parse_tcp(TCP.splitlines(keepends=True), frozenset({0x4A95})))
    assert [(str(one.remote[0]), one.state, one.inode) for one in found] == [
        ("127.0.0.9", 1, 942069),
        ("127.0.0.9", 6, 0),
    ]


def test_ipv4_mapped_addresses_are_ipv4():
    assert str(procfs_source.parse_address(TCP6_MAPPED)[0]) == "127.0.0.9"


@given(st.integers(0, len(TCP)))
def test_a_torn_table_gives_its_whole_lines(cut):
    whole = TCP[:cut].count(b"\n") - 1
    found = list(
        procfs_source.parse_tcp(TCP[:cut].splitlines(keepends=True), frozenset({0x4A95, 0xB2E7}))
    )
    assert len(found) == max(whole, 0)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_addresses_round_trip(address, port):
    packed = address.packed
    words = [packed[at : at + 4][::-1].hex().upper() for at in range(0, len(packed), 4)]
    found, found_port = procfs_source.parse_address("".join(words).encode() + b":%04X" % port)
    mapped = address.ipv4_mapped if address.version == 6 else None
    assert (found, found_port) == (mapped or address, port)


def test_a_line_of_another_format_is_refused():
    with pytest.raises(ValueError, match="not a line of it"):
        list(procfs_source.parse_tcp([b"header\n", b"what is this\n"], frozenset({1})))


def test_gone_and_denied_are_different():
    with pytest.raises(NoSuchProcessError) as gone:
        procfs.read_stat(999_999_999)
    assert gone.value.pid == 999_999_999
    with pytest.raises(DeniedError) as denied, procfs.reading(7, "/proc/7/fd"):
        raise PermissionError(13, "Permission denied")
    assert (denied.value.pid, denied.value.what) == (7, "/proc/7/fd")


def test_running_out_of_descriptors_is_neither(puppet):
    limits_before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(path.name) for path in Path("/proc/self/fd").iterdir())
    with ExitStack() as stack:
        stack.callback(resource.setrlimit, resource.RLIMIT_NOFILE, limits_before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits_before[1]))
        with contextlib.suppress(OSError):
            while True:  # the holes below
                stack.callback(os.close, os.dup(0))
        with pytest.raises(ShortageError, match="raise the sampler's own limits"):
            procfs.read_stat(puppet.pid)


def test_both_ways_of_counting_descriptors_agree(puppet, monkeypatch):
    puppet.do("files = [open('/dev/null') for _ in range(37)]")
    expected = psutil.Process(puppet.pid).num_fds()
    assert procfs.count_fds(puppet.pid) == expected
    monkeypatch.setattr(procfs, "count_fds_by_size", lambda pid: 0)  # before Linux 6.2
    assert procfs.count_fds(puppet.pid) == expected


def test_psutil_and_procfs_read_the_same(puppet):
    puppet.do("import threading; e = threading.Event(); threading.Thread(target=e.wait).start()")
    other, stat = psutil.Process(puppet.pid), procfs.read_stat(puppet.pid)
    assert (stat.parent_pid, stat.threads) == (other.ppid(), other.num_threads())
    assert (stat.parent_pid, stat.threads) == (os.getpid(), 2)
    assert stat.name == other.name()
    assert stat.rss_bytes == pytest.approx(other.memory_info().rss, abs=2**20)
    cpu = other.cpu_times()
    assert stat.cpu_s == pytest.approx(cpu.user + cpu.system, abs=0.02)
    began_s = psutil.boot_time() + stat.start_ticks / procfs.CLOCK_TICKS_PER_S
    assert began_s == pytest.approx(other.create_time(), abs=1.0)
    (figures,) = FiguresReader(Unreadable(pytest.fail)).read(ProcessTree(identify(puppet.pid)))
    figures = figures.figures
    assert (figures["fds"], figures["swap_bytes"]) == (other.num_fds(), 0)
    assert figures["fds_limit"] == other.rlimit(psutil.RLIMIT_NOFILE)[0]
    memory = other.memory_info()
    assert figures["rss_file_bytes"] == pytest.approx(memory.shared, abs=2**20)
    assert figures["rss_anon_bytes"] == pytest.approx(memory.rss - memory.shared, abs=2**20)
    assert procfs.read_command(puppet.pid) == other.cmdline()
    assert procfs.read_owner(puppet.pid) == other.uids().real
    assert procfs.read_working_directory(puppet.pid) == other.cwd()
    assert puppet.pid in set(procfs.list_pids()) & set(psutil.pids())
    assert len(procfs.read_thread_names(puppet.pid)) == other.num_threads()
    assert limits.read_limits(puppet.pid).fds_limit == figures["fds_limit"]
    puppet.do("e.set()")


def test_limits_of_a_process(puppet):
    puppet.do("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (123, 456))")
    found = limits.read_limits(puppet.pid)
    assert found.fds_limit == 123
    assert found.threads_limit > 0
    assert found.threads_limit_source
    assert found.rss_bytes_limit > 2**20
    assert found.local_ports_low < found.local_ports_high


def test_limit_words():
    assert limits.parse_limit("max\n") is None
    assert limits.parse_limit("9223372036854771712\n") is None
    assert limits.parse_limit("4096\n") == 4096


def test_cgroup_and_mount_tables():
    groups = limits.parse_cgroups("4:memory:/a/b\n8:pids,cpu:/c\n0::/d:e\ngarbage\n")
    assert groups == {"memory": "/a/b", "pids": "/c", "cpu": "/c", "": "/d:e"}
    mounts = limits.parse_mounts(
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw 0 0\n"
        "cgroup /sys/fs/cgroup/pids cgroup rw,relatime,pids 0 0\nx\n"
    )
    assert str(mounts[""]) == "/sys/fs/cgroup/unified"
    assert str(mounts["pids"]) == "/sys/fs/cgroup/pids"


def test_the_lowest_limit_on_the_way_up_counts(tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "memory.max").write_text("5000\n")
    (tmp_path / "a" / "b" / "memory.max").write_text("max\n")
    found = limits._lowest(limits._memory({"": "/a/b"}, {"": tmp_path}))
    assert found == (5000, "cgroup memory.max")
