"""What a source is to the recorder, and the parts of the one that reads this host."""

import os

import pytest

from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.events import Emfile, LimitsRead, PermissionDenied, SamplerStarted, Unread
from tidemark.record.layout import COMPOSITION, ENDPOINTS, SAMPLES, TIME_COLUMNS
from tidemark.record.metrics import METRICS, TCP_STATES
from tidemark.record.options import read_all
from tidemark.record.stream import RowStream
from tidemark.sampler import limits, procfs
from tidemark.sampler.budget import Budget
from tidemark.sampler.connections import Connections, EndpointCount
from tidemark.sampler.errors import DeniedError, NetlinkError, NoSuchProcessError, ShortageError
from tidemark.sampler.exported import PAGE_COLUMNS
from tidemark.sampler.figures import IN_STAT, READINGS, FiguresReader, ProcessFigures
from tidemark.sampler.journal import Journal
from tidemark.sampler.limits import LimitsProbe
from tidemark.sampler.live import Glance
from tidemark.sampler.local import LocalSource
from tidemark.sampler.options import OPTIONS, Options
from tidemark.sampler.recorder import Recorder
from tidemark.sampler.runtime_watch import HEAP_COLUMNS
from tidemark.sampler.source import Sample
from tidemark.sampler.tree import Process, ProcessTree, identify
from tidemark.sampler.unreadable import Unreadable

READ = {*IN_STAT, *(column for reading in READINGS for column in reading.columns)}


class Elsewhere:
    """A source that reads no process: what an agent or a metrics endpoint would be."""

    target = "api-2"
    name = "somewhere else"
    shortcoming = None

    def __init__(self, *samples):
        self.samples = list(samples)
        self.full = []

    def take(self, now_s, *, full=False):
        self.full.append(full)
        return self.samples.pop(0)


@pytest.fixture
def record(tmp_path):
    """Records ticks of a source; gives the directory and the recorder."""
    directory = RunDirectory.create(tmp_path / "run")
    journal = Journal(directory)

    def make(source, ticks=1):
        recorder = Recorder(journal, RunClock.start(), [source], Budget(0.5), 1.0)
        recorder.start()
        for number in range(ticks):
            recorder.write(*recorder.read(full=number == ticks - 1))
        return directory, recorder

    yield make
    journal.close()


def rows(directory, table):
    return RowStream(directory.path, table).new_rows()


def test_any_source_is_recorded_under_its_target(record):
    connections = Connections({7: {1: 4, 8: 1}, 0: {6: 2}}, {"kafka:9092": EndpointCount(5, 3)})
    part = {"pid": 7, "kind": "fd", "name": "pipe", "count": 3}
    happened = Emfile("accept4: too many open files")
    figures = {"fds": 12, "threads": 2, "rss_bytes": 4096}
    source = Elsewhere(
        Sample([ProcessFigures(7, "api", figures)], connections, [part], [happened]),
        Sample([ProcessFigures(7, "api", {"fds": None, "threads": 3})]),
    )
    directory, recorder = record(source, ticks=2)
    first, kernel, second = rows(directory, SAMPLES)
    assert {row["target"] for row in (first, kernel, second)} == {"api-2"}
    assert (first["fds"], first["established"], first["close_wait"]) == ("12", "4", "1")
    assert (kernel["pid"], kernel["process"], kernel["time_wait"]) == ("0", "kernel", "2")
    assert (second["fds"], second["threads"], second["established"]) == ("", "3", "")
    (endpoint,) = rows(directory, ENDPOINTS)
    assert (endpoint["target"], endpoint["held"], endpoint["time_wait"]) == ("api-2", "5", "3")
    (composition,) = rows(directory, COMPOSITION)
    assert (composition["target"], composition["count"]) == ("api-2", "3")
    started, emfile = directory.read_events()
    assert started.event == SamplerStarted("somewhere else", 1.0, 0.5)
    assert emfile.event == happened
    assert f"{emfile.elapsed_s:.6f}" == f"{float(first['elapsed_s']):.6f}", "the time of its tick"
    assert source.full == [False, True]
    glance = recorder.glance
    assert (glance.fds, glance.threads, glance.connections, glance.time_wait) == (None, 3, 5, 2)


def test_why_there_is_no_better_source_is_said(record):
    source = Elsewhere()
    source.shortcoming = DeniedError(7, "/proc/7/ns/net")
    directory, _ = record(source, ticks=0)
    started, denied = (one.event for one in directory.read_events())
    assert "/proc/7/ns/net may not be read" in started.reason
    assert denied == PermissionDenied(7, "/proc/7/ns/net", "CAP_SYS_ADMIN", "api-2")


# -- the figures ------------------------------------------------------------------------------


def test_every_column_is_written_by_something():
    by_recorder = {*TIME_COLUMNS, "target", "pid", "process", "sample_cost_s"}
    told = {*HEAP_COLUMNS, *PAGE_COLUMNS}
    assert set(SAMPLES.columns) == by_recorder | set(TCP_STATES) | READ | told


def test_every_metric_is_read():
    read = READ | {*TCP_STATES, *HEAP_COLUMNS, *PAGE_COLUMNS}
    assert {column for metric in METRICS for column in metric.sampled} == read


def test_no_column_of_a_first_sample_is_empty(puppet, address, record, closed):
    puppet.do("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512))")
    given = {"pid": puppet.pid, "brokers": address, "out": "unused"}
    source = closed(LocalSource(Options(**read_all(OPTIONS, given)), Budget(1.0)))
    directory, _ = record(source)
    (mine,) = (row for row in rows(directory, SAMPLES) if row["pid"] == str(puppet.pid))
    assert {column for column, text in mine.items() if not text} == {*HEAP_COLUMNS, *PAGE_COLUMNS}
    assert mine["fds_limit"] == "512"


def tree_of(pid):
    tree = ProcessTree(identify(pid))
    tree.refresh(0.0)
    return tree


def test_one_file_that_tells_several_figures_is_read_once(puppet, monkeypatch):
    read, seen = procfs.read_file, []
    monkeypatch.setattr(procfs, "read_file", lambda pid, name: seen.append(name) or read(pid, name))
    tree = tree_of(puppet.pid)
    seen.clear()
    (one,) = FiguresReader(Unreadable(pytest.fail)).read(tree)
    assert seen == ["status"]
    assert set(one.figures) == READ


@pytest.fixture
def refuse_fds(monkeypatch):
    """Makes counting descriptors fail."""

    def refuse(error):
        def count(pid):
            raise error

        monkeypatch.setattr(procfs, "count_fds_by_size", count)

    return refuse


def test_a_figure_that_is_refused_costs_no_other(puppet, refuse_fds):
    said = []
    refuse_fds(DeniedError(puppet.pid, f"/proc/{puppet.pid}/fd"))
    reader = FiguresReader(Unreadable(said.append))
    for _ in range(2):
        (one,) = reader.read(tree_of(puppet.pid))
        assert set(one.figures) >= {"fds_limit", "threads", "rss_bytes", "cpu_s"}
        assert "fds" not in one.figures
    assert [event.what for event in said] == [f"/proc/{puppet.pid}/fd"]


def test_what_was_read_before_a_process_went_stands(puppet, refuse_fds):
    refuse_fds(NoSuchProcessError(puppet.pid))
    (one,) = FiguresReader(Unreadable(pytest.fail)).read(tree_of(puppet.pid))
    assert set(one.figures) == {"threads", "rss_bytes", "cpu_s"}


# -- the limits -------------------------------------------------------------------------------


def test_the_limits_of_each_process_are_read_once(monkeypatch):
    said = []
    monkeypatch.setattr(limits, "read_limits", LimitsRead)
    watch = LimitsProbe("api", said.append, Unreadable(pytest.fail))
    first, second, reborn = Process(1, 10, "a"), Process(2, 10, "b"), Process(1, 99, "a")
    for there in ([first], [first, second], [first, second], [second], [reborn, second]):
        watch.look(there)
    assert [event.pid for event in said] == [1, 2, 1]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (NoSuchProcessError(3), []),
        (DeniedError(3, "/proc/3/cgroup"), [PermissionDenied]),
        (ShortageError("/proc/3/cgroup", "Too many open files"), [Unread]),
    ],
)
def test_limits_that_cannot_be_read_are_told_once_at_most(error, expected, monkeypatch):
    said = []

    def fail(pid):
        raise error

    monkeypatch.setattr(limits, "read_limits", fail)
    watch = LimitsProbe("api", said.append, Unreadable(said.append))
    watch.look([Process(3, 1, "a")])
    watch.look([Process(3, 2, "a")])
    assert [type(event) for event in said] == expected


def test_the_limits_of_a_process_name_it_and_its_target():
    said = []
    watch = LimitsProbe("api", said.append, Unreadable(pytest.fail))
    watch.look([Process(os.getpid(), 1, "tests")])
    (found,) = said
    assert (found.pid, found.process, found.target) == (os.getpid(), "tests", "api")
    assert found.fds_limit > 0


# -- what cannot be read ----------------------------------------------------------------------


def test_each_kind_of_figure_is_said_to_be_unreadable_once():
    said = []
    unreadable = Unreadable(said.append)
    for pid in (7, 8):
        unreadable.tell(DeniedError(pid, f"/proc/{pid}/fd"), pid)
        unreadable.tell(DeniedError(pid, f"/proc/{pid}/cgroup"))
        unreadable.tell(NetlinkError("netlink: refused"))
    assert said == [
        PermissionDenied(7, "/proc/7/fd", "the target's user, or CAP_SYS_PTRACE"),
        PermissionDenied(7, "/proc/7/cgroup", "the target's user, or CAP_SYS_PTRACE"),
        Unread(None, "netlink: refused"),
    ]


def test_a_glance_keeps_the_connections_that_were_read_last():
    glance = Glance()
    first = Sample([ProcessFigures(7, "a", {"fds": 3})], Connections({7: {1: 2}}))
    glance.update(1.0, [first], 0.1)
    glance.update(2.0, [Sample([ProcessFigures(7, "a", {"fds": 4})])], 0.2)
    assert (glance.elapsed_s, glance.fds, glance.connections, glance.time_wait) == (2.0, 4, 2, 0)
