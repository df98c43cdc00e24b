"""Several targets, one sampler: whose each row and each event is."""

import functools
import itertools
import signal
import socket
from pathlib import Path

import pytest

from tests.sampler.test_cli import ticks
from tidemark.record import layout
from tidemark.record.errors import OptionError
from tidemark.record.events import LimitsRead, SamplerStarted, TargetExited, TargetRestarted
from tidemark.record.options import read_all
from tidemark.record.roots import Root, listed_roots, named
from tidemark.sampler.budget import Budget, Cadence
from tidemark.sampler.errors import NestedRootsError, NoSuchProcessError
from tidemark.sampler.local import LocalSource, open_targets
from tidemark.sampler.netlink.sharing import OutgoingDumps
from tidemark.sampler.netlink.source import NetlinkSource
from tidemark.sampler.options import OPTIONS, Options


def options(*pids, **given):
    named_roots = [str(pid) for pid in pids]
    return Options(**read_all(OPTIONS, {"pid": named_roots, "out": "run", **given}))


@pytest.fixture
def puppets(puppets, tmp_path):
    """Puppets that no others are taken for: they have a working directory of their own."""
    return functools.partial(puppets, cwd=tmp_path)


@pytest.fixture
def several(puppets, samplers):
    """A sampler of two puppets, and these."""

    def make(*arguments):
        first, second = puppets(), puppets()
        more = ("--pid", f"b={second.pid}", "--interval", "0.05", "--budget", "inf", *arguments)
        sampler = samplers(f"a={first.pid}", None, *more)
        sampler.ready()
        return sampler, first, second

    return make


def opened(given):
    return open_targets(given, Budget(1.0, len(given.roots)))


def open_fds(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def rows_of(sampler, target):
    return [row for row in sampler.rows() if row["target"] == target and row["pid"] != "0"]


def test_rows_say_whose_they_are_and_have_one_instant(several, eventually):
    sampler, first, second = several()
    second.do("kept = [open('/dev/null') for _ in range(50)]")
    held = {"a": open_fds(first.pid), "b": open_fds(second.pid)}
    eventually(lambda: int(rows_of(sampler, "b")[-1]["fds"]) == held["b"], "what b holds")
    assert sampler.stop() == (0, "")
    assert held["b"] == held["a"] + 50
    assert {row["pid"] for row in rows_of(sampler, "a")} == {str(first.pid)}
    assert {row["pid"] for row in rows_of(sampler, "b")} == {str(second.pid)}
    assert rows_of(sampler, "a")[-1]["fds"] == str(held["a"])
    moments = {
        name: [(row["time_s"], row["elapsed_s"]) for row in rows_of(sampler, name)] for name in "ab"
    }
    assert moments["a"] == moments["b"]
    composed = {(row["target"], row["pid"]) for row in sampler.rows(layout.COMPOSITION)}
    assert composed == {("a", str(first.pid)), ("b", str(second.pid))}
    told = sampler.directory.read_metadata().targets
    assert [(one.id, one.pids) for one in told] == [("a", (first.pid,)), ("b", (second.pid,))]
    assert all("puppet.py" in (one.command or "") for one in told)
    assert [event.target for event in sampler.events(LimitsRead)] == ["a", "b"]
    assert len(sampler.events(SamplerStarted)) == 1


def test_connections_are_those_of_their_target(several, listener, address, eventually):
    sampler, first, second = several("--brokers", address)
    host, port = listener.getsockname()
    for puppet, count in ((first, 2), (second, 5)):
        puppet.do(f"made = [connect({host!r}, {port}) for _ in range({count})]")

    def held(name):
        rows = [row for row in sampler.rows(layout.ENDPOINTS) if row["target"] == name]
        return rows[-1]["held"], rows[-1]["foreign"]

    eventually(lambda: (held("a"), held("b")) == (("2", "5"), ("5", "2")), "both")
    sampler.stop()
    assert rows_of(sampler, "a")[-1]["established"] == "2"
    assert rows_of(sampler, "b")[-1]["established"] == "5"


def test_the_end_of_one_is_told_and_the_others_go_on(several, eventually):
    sampler, first, second = several()
    second.end()
    eventually(lambda: sampler.events(TargetExited), "target_exited")
    seen = len(rows_of(sampler, "a"))
    eventually(lambda: len(rows_of(sampler, "a")) >= seen + 5, "five more ticks")
    gone = len(rows_of(sampler, "b"))
    assert sampler.stop() == (0, "")
    assert len(rows_of(sampler, "b")) == gone
    (event,) = sampler.events(TargetExited)
    assert (event.target, event.pid) == ("b", second.pid)
    assert rows_of(sampler, "a")[-1]["pid"] == str(first.pid)


def test_each_is_followed_by_itself_when_it_is_started_again(several, puppets, eventually):
    sampler, first, second = several()
    second.end()
    eventually(lambda: sampler.events(TargetExited), "that b ended")
    heir = puppets()
    eventually(lambda: sampler.events(TargetRestarted), "that b goes on")
    first.end()
    eventually(lambda: len(sampler.events(TargetExited)) == 2, "that a ended")
    late = puppets()
    eventually(lambda: len(sampler.events(TargetRestarted)) == 2, "that a goes on")
    eventually(lambda: ticks(sampler, pid=late.pid), "rows of a's heir")
    assert sampler.stop() == (0, "")
    restarted = [(one.target, one.former_pid, one.pid) for one in sampler.events(TargetRestarted)]
    assert restarted == [("b", second.pid, heir.pid), ("a", first.pid, late.pid)]
    assert {row["pid"] for row in rows_of(sampler, "b")} == {str(second.pid), str(heir.pid)}


@pytest.fixture
def sources(puppets):
    """Three targets that are alike, and what watches them; closed at the end."""
    made = [puppets() for _ in range(3)]
    found = opened(options(*(one.pid for one in made)))
    yield made, found
    for source in found:
        source.close()


def events_of(sources, now_s, kind):
    taken = [source.take(now_s) for source in sources]
    return [event for sample in taken for event in sample.events if isinstance(event, kind)]


def test_one_that_comes_takes_the_place_of_the_one_that_ended_last(sources, puppets):
    """The first one's end was long ago: nobody came for it."""
    (first, second, _), found = sources
    first.end()
    assert [one.target for one in events_of(found, 1.0, TargetExited)] == ["target-1"]
    second.end()
    heir = puppets()
    (event,) = events_of(found, 2.0, TargetRestarted)
    assert (event.target, event.pid) == ("target-2", heir.pid)
    later = puppets()
    (event,) = events_of(found, 3.0, TargetRestarted)
    assert (event.target, event.pid) == ("target-1", later.pid)


def test_what_one_file_names_is_not_taken_for_another(puppets, tmp_path):
    files = [tmp_path / name for name in "ab"]
    made = [puppets() for _ in files]
    given = options(
        *(f"{file.name}={one.pid}" for file, one in zip(files, made, strict=True)),
        pid_file=[f"{file.name}={file}" for file in files],
        no_follow=False,
    )
    found = opened(given)
    try:
        for one in made:
            one.end()
        assert len(events_of(found, 1.0, TargetExited)) == 2
        heirs = [puppets(), puppets()]
        assert events_of(found, 1.5, TargetRestarted) == [], "no file names one yet"
        for file, heir in zip(files, reversed(heirs), strict=True):
            file.write_text(f"{heir.pid}\n")
        told = [(one.target, one.pid) for one in events_of(found, 2.0, TargetRestarted)]
        assert told == [("a", heirs[1].pid), ("b", heirs[0].pid)]
    finally:
        for source in found:
            source.close()


def test_a_process_below_another_one_is_refused(puppet):
    child = puppet.do("result = fork()")
    with pytest.raises(NestedRootsError, match=f"process {child} descends from"):
        opened(options(puppet.pid, child))


def test_what_was_opened_is_closed_when_one_cannot_be(puppet):
    before = open_fds("self")
    with pytest.raises(NoSuchProcessError):
        opened(options(puppet.pid, 2**30))
    assert open_fds("self") == before


def test_the_dear_parts_of_several_cost_what_those_of_one_would():
    """Each is due so much less often that all together keep to the budget."""

    def cost_of(sharers):
        budget = Budget(0.01, sharers)
        cadences = [Cadence(budget, 0.7) for _ in range(sharers)]
        spent = 0.0
        for now_s, cadence in itertools.product(range(3600), cadences):
            if cadence.due(now_s):
                cadence.done(now_s, 0.02)
                spent += 0.02
        return spent / 3600

    allowed = 0.01 * 0.9 * 0.7
    assert 0.7 * allowed < cost_of(1) <= allowed
    assert 0.7 * allowed < cost_of(4) <= allowed


def test_how_targets_are_called():
    assert named((Root(7),)) == (Root(7, "target"),)
    assert named((Root(7),), "api") == (Root(7, "api"),)
    assert named((Root(7), Root(8, "b"), Root(9))) == (
        Root(7, "target-1"),
        Root(8, "b"),
        Root(9, "target-3"),
    )
    assert listed_roots("7, web=8,") == (Root(7), Root(8, "web"))
    assert listed_roots("0") == listed_roots("") == ()
    assert listed_roots(",".join(map(str, listed_roots("7,web=8")))) == (Root(7), Root(8, "web"))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pid": ["7", "7"]}, "--pid: process 7 is named twice"),
        ({"pid": ["a=7", "a=8"]}, "--pid: two targets are called a"),
        ({"pid": ["a/b=7"]}, "--pid: must be a plain name"),
        ({"pid": ["=7"]}, "--pid: must not be empty"),
        ({"pid": ["7,8"]}, "--pid: must be a whole number"),
        ({"pid": ["0"]}, "--pid: must be a whole number"),
        ({"pid": ["7", "8"], "metrics_url": "http://h:1/m"}, "--metrics-url is the page of one"),
        ({"pid": ["7", "8"], "pid_file": ["x"]}, "--pid-file must say whose it is, ID=FILE with"),
        ({"pid": ["a=7", "8"], "pid_file": ["a=x", "a=y"]}, "--pid-file must say whose it is"),
        ({"pid": ["7"], "pid_file": ["x", "y"]}, "--pid-file must say whose it is"),
    ],
)
def test_what_cannot_be_is_one_line(given, message):
    with pytest.raises(OptionError) as caught:
        Options(**read_all(OPTIONS, {"out": "run", **given}))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pid_file_of_the_only_one_may_be_called_anything():
    assert options(7, pid_file=["x=y.pid"]).pid_file_of("target") == Path("x=y.pid")
    assert options(7, pid_file=["target=y.pid"]).pid_file_of("target") == Path("y.pid")
    assert options(7).pid_file_of("target") is None


def test_one_of_several_that_may_be_anybodys_child_is_watched_alone(puppet):
    """What the sampler of one does is not changed by what several have in common."""
    source = LocalSource(options(f"x={puppet.pid}"), Budget(1.0))
    try:
        assert source.target == "x"
        puppet.process.send_signal(signal.SIGKILL)
        puppet.process.wait()
        (event,) = events_of([source], 1.0, TargetExited)
        assert event.target == "x"
    finally:
        source.close()


def dumps_at(found, now_s, monkeypatch):
    """How many dumps the samples of one tick took."""
    taken = []
    plain = NetlinkSource._dump_one

    def counted(self, *arguments):
        taken.append(self)
        return plain(self, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(NetlinkSource, "_dump_one", counted)
        samples = [source.take(now_s) for source in found]
    return len(taken), [sample.connections for sample in samples]


def test_one_dump_a_tick_shows_the_sockets_of_all(sources, address, monkeypatch):
    made, found = sources
    host, port = address.split(":")
    for count, puppet in enumerate(made, start=1):
        puppet.do(f"made = [connect({host!r}, {port}) for _ in range({count})]")
    taken, connections = dumps_at(found, 0.0, monkeypatch)
    assert taken == 1
    for count, (puppet, told) in enumerate(zip(made, connections, strict=True), start=1):
        assert told.by_process[puppet.pid] == {1: count}
        assert told.by_endpoint[address].held == count
        assert told.by_endpoint[address].foreign == 6 - count
    made[0].do(f"more = connect({host!r}, {port})")
    taken, connections = dumps_at(found, 1000.0, monkeypatch)
    assert taken == 1, "another tick has a dump of its own"
    assert connections[0].by_process[made[0].pid] == {1: 2}


def test_brokers_and_what_is_beside_them_are_dumped_once(puppets, address, monkeypatch):
    made = [puppets() for _ in range(2)]
    found = opened(options(*(one.pid for one in made), brokers=address))
    try:
        taken, _ = dumps_at(found, 0.0, monkeypatch)
        assert taken == 2
    finally:
        for source in found:
            source.close()


def test_another_network_namespace_has_a_dump_of_its_own(puppets, in_a_namespace, monkeypatch):
    inside, address = in_a_namespace
    outside = puppets()
    found = opened(options(outside.pid, inside.pid))
    try:
        taken, connections = dumps_at(found, 0.0, monkeypatch)
        assert taken == 2
        assert connections[0].by_process[outside.pid] == {}
        assert connections[1].by_process[inside.pid] == {1: 3}
        assert connections[1].by_endpoint[address].held == 3
    finally:
        for source in found:
            source.close()


class Ends:
    """What remembers remote ends by their numbers."""

    def __init__(self, dumps, *used):
        self.used = set(used)
        dumps.enter(self)

    def renumber(self, used):
        self.used = used


def test_room_is_made_for_remote_ends_without_mixing_up_whose_they_are():
    dumps = OutgoingDumps(are_kept=True)
    keys = [(port, socket.htons(port)) for port in range(1, 6)]
    numbers = [dumps.remotes[key] for key in keys]
    first, second = Ends(dumps, numbers[1], numbers[3]), Ends(dumps, numbers[3], numbers[4])
    names = [{dumps.remotes.names[at] for at in one.used} for one in (first, second)]
    dumps.make_room()
    assert len(dumps.remotes.names) == 1 + 3
    assert [{dumps.remotes.names[at] for at in one.used} for one in (first, second)] == names
    assert len(names[0] & names[1]) == 1


def test_what_is_common_is_due_for_all_in_the_same_tick():
    """What the second one costs counts, and when the next turn is follows from both."""
    budget = Budget(0.01, 2)
    cadence = Cadence(budget, 0.7, is_common=True)
    turns = []
    for now_s in range(600):
        due = [cadence.due(now_s)]
        if due[0]:
            cadence.done(now_s, 0.02)
        due.append(cadence.due(now_s))
        if due[1]:
            cadence.done(now_s, 0.01)
        assert due[0] == due[1]
        turns += [now_s] if due[0] else []
    spent_s = 0.03 * len(turns)
    allowed_s = 600 * 0.01 * 0.9 * 0.7
    assert 0.8 * allowed_s < spent_s <= allowed_s + 0.03
