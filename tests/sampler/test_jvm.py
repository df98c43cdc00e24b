"""The heap of a JVM from its counters: made files, and real JVMs."""

import contextlib
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sampler.runtime_looks import RuntimeLooks
from tidemark.record.events import PermissionDenied, RuntimeSeen, Unread
from tidemark.sampler import jvm
from tidemark.sampler.errors import PerfDataError
from tidemark.sampler.heap import HeapFigures
from tidemark.sampler.hsperfdata import parse
from tidemark.sampler.jvm import JvmCounters

MIB = 2**20
CHURN = Path(__file__).with_name("Churn.java")

needs_java = pytest.mark.skipif(not shutil.which("java"), reason="needs java")

SERIAL = {
    "sun.gc.policy.name": "Copy:MSC",
    "java.rt.vmArgs": "-Xmx64m -Dx=y",
    "sun.gc.collector.0.invocations": 3,
    "sun.gc.collector.0.lastEntryTime": 10,
    "sun.gc.collector.0.lastExitTime": 11,
    "sun.gc.collector.1.invocations": 1,
    "sun.gc.collector.1.lastEntryTime": 8,
    "sun.gc.collector.1.lastExitTime": 9,
    "sun.gc.generation.0.maxCapacity": 20 * MIB,
    "sun.gc.generation.1.maxCapacity": 44 * MIB,
    "sun.gc.generation.0.space.0.used": 5000,
    "sun.gc.generation.0.space.1.used": 0,
    "sun.gc.generation.0.space.2.used": 300,
    "sun.gc.generation.1.space.0.used": 4000,
}


def made(counters, order="<", is_accessible=1, major=2):
    """A file of counters, as a JVM writes it."""
    entries = b""
    for name, value in counters.items():
        is_text = isinstance(value, str)
        text = name.encode() + b"\0"
        value_at = (20 + len(text) + 7) // 8 * 8
        held = value.encode() + b"\0\0" if is_text else struct.pack(order + "q", value)
        length = (value_at + len(held) + 7) // 8 * 8
        vector, kind = (len(held), b"B") if is_text else (0, b"J")
        head = struct.pack(order + "iiiccbbi", length, 20, vector, kind, b"\1", 5, 1, value_at)
        entries += ((head + text).ljust(value_at, b"\0") + held).ljust(length, b"\0")
    byte_order = 1 if order == "<" else 0
    prologue = struct.pack(">I", 0xCAFEC0C0) + bytes([byte_order, major, 0, is_accessible])
    numbers = struct.pack(order + "iiqii", 32 + len(entries), 0, 1, 32, len(counters))
    return (prologue + numbers + entries).ljust(32768, b"\0")


# -- the format -------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_counters_in_both_byte_orders(order):
    assert parse(made(SERIAL, order)) == SERIAL


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30)
VALUES = st.integers(-(2**63), 2**63 - 1) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=40
)


@given(st.dictionaries(NAMES, VALUES, max_size=12), st.sampled_from("<>"))
def test_counters_round_trip(counters, order):
    assert parse(made(counters, order)) == counters


def test_a_table_that_is_still_being_written_has_nothing_yet():
    assert parse(made(SERIAL, is_accessible=0)) == {}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "does not begin"),
        (b"\xca\xfe\xc0\xc0", "does not begin"),
        (b"\x7fELF" + bytes(60), "does not begin"),
        (made(SERIAL, major=1), "has version 1"),
        (made(SERIAL)[:400], "entry behind its end"),
        (made(SERIAL)[:700], "damaged entry"),
    ],
)
def test_what_is_no_such_file_says_why(data, why):
    with pytest.raises(PerfDataError, match=why):
        parse(data)


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_an_error_of_one_kind_or_are_read(data, has_prologue):
    start = b"\xca\xfe\xc0\xc0\x01\x02\x00\x01" if has_prologue else b""
    with contextlib.suppress(PerfDataError):
        parse(start + data)


@given(st.data())
def test_a_damaged_file_is_an_error_of_one_kind_or_is_read(data):
    whole = bytearray(made(SERIAL)[:1200])
    for _ in range(data.draw(st.integers(1, 10))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(PerfDataError):
        parse(bytes(whole[: data.draw(st.integers(0, len(whole)))]))


# -- what is made of them ---------------------------------------------------------------------


@pytest.fixture
def opened(tmp_path):
    """Opens made counters; what is written into the file afterwards is seen."""
    path, counters = tmp_path / "17", []

    def open_them(values):
        path.write_bytes(made(values))
        counters.append(JvmCounters(os.getpid(), str(path)))
        return counters[-1]

    def write(values):
        with path.open("r+b") as file:  # in place, as a JVM does
            file.write(made(values))

    open_them.write = write
    yield open_them
    for one in counters:
        one.close()


def test_what_is_kept_is_the_old_generation_and_survivors(opened):
    counters = opened(SERIAL)
    assert counters.heap() == HeapFigures(4300, 4)
    assert (counters.collector, counters.heap_max_bytes) == ("Serial", 64 * MIB)
    assert counters.heap_max_source == "-Xmx"


def test_it_changes_with_a_collection_only(opened):
    counters = opened(SERIAL)
    counters.heap()
    opened.write({**SERIAL, "sun.gc.generation.1.space.0.used": 9000})
    assert counters.heap() == HeapFigures(4300, 4), "a large object was created"
    opened.write({**SERIAL, "sun.gc.collector.0.invocations": 4})
    assert counters.heap() == HeapFigures(4300, 5)
    new = {"sun.gc.collector.1.invocations": 2, "sun.gc.generation.1.space.0.used": 1000}
    opened.write({**SERIAL, "sun.gc.collector.0.invocations": 4, **new})
    assert counters.heap() == HeapFigures(1300, 6)


def test_while_one_is_being_done_the_one_before_counts(opened):
    counters = opened(SERIAL)
    counters.heap()
    began = {"sun.gc.collector.0.invocations": 4, "sun.gc.collector.0.lastEntryTime": 20}
    opened.write({**SERIAL, **began, "sun.gc.generation.1.space.0.used": 7000})
    assert counters.heap() == HeapFigures(4300, 4)
    ended = {"sun.gc.collector.0.lastExitTime": 21, "sun.gc.generation.1.space.0.used": 4100}
    opened.write({**SERIAL, **began, **ended})
    assert counters.heap() == HeapFigures(4400, 5)


def test_a_first_look_during_a_collection_tells_nothing(opened):
    assert opened({**SERIAL, "sun.gc.collector.0.lastEntryTime": 20}).heap() is None


def test_before_the_first_collection_there_is_no_heap_after_one(opened):
    none = {f"sun.gc.collector.{number}.invocations": 0 for number in range(2)}
    assert opened({**SERIAL, **none}).heap() == HeapFigures(None, 0)


def test_a_collector_that_does_not_tell(opened):
    counters = opened(
        {
            "sun.gc.collector.2.name": "Z concurrent cycle pauses",
            "sun.gc.collector.2.invocations": 9,
            "sun.gc.generation.1.maxCapacity": 128 * MIB,
            "sun.gc.generation.1.space.0.used": 4000,
        }
    )
    assert counters.heap() is None
    assert (counters.collector, counters.heap_max_bytes) == ("Z", 128 * MIB)
    assert counters.heap_max_source == "default of the JVM"


def test_counters_of_another_kind_than_they_should_be(opened):
    odd = {name: "x" if isinstance(value, int) else 7 for name, value in SERIAL.items()}
    counters = opened(odd)
    assert (counters.heap(), counters.collector, counters.heap_max_bytes) == (None, None, None)


def test_a_file_that_shrinks_is_an_error_not_a_signal(opened, tmp_path):
    counters = opened(SERIAL)
    os.truncate(tmp_path / "17", 100)
    with pytest.raises(PerfDataError, match="behind its end"):
        counters.heap()


@pytest.mark.timeout(20)
def test_what_is_no_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "17")
    with pytest.raises(PerfDataError, match="no regular file"):
        JvmCounters(os.getpid(), str(tmp_path / "17"))


# -- real JVMs --------------------------------------------------------------------------------


class Jvm:
    """A JVM that makes garbage and collects it whenever it is told to."""

    def __init__(self, *options: str, leaks: bool = False) -> None:
        words = ["leak"] if leaks else []
        self.process = subprocess.Popen(
            ["java", "-Xmx256m", *options, str(CHURN), *words],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout.readline() == b"ready\n"

    @property
    def pid(self) -> int:
        return self.process.pid

    def churn(self) -> None:
        self.process.stdin.write(b"x")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == b"done\n"

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@pytest.fixture
def jvms() -> Iterator[type[Jvm]]:
    made_ones: list[Jvm] = []

    def make(*options, **more):
        made_ones.append(Jvm(*options, **more))
        return made_ones[-1]

    yield make
    for one in made_ones:
        one.end()


@needs_java
@pytest.mark.parametrize(
    "collector",
    ["G1", *(pytest.param(name, marks=pytest.mark.long) for name in ("Serial", "Parallel"))],
)
def test_a_heap_of_garbage_stays_and_one_that_leaks_grows(jvms, collector, closed):
    kept = {}
    for leaks in (False, True):
        java = jvms(f"-XX:+Use{collector}GC", leaks=leaks)
        watched = closed(RuntimeLooks(java.pid))
        rows = []
        for _ in range(6):
            java.churn()
            rows.append(watched.heap())
        counts = [row["collections"] for row in rows]
        assert counts == sorted(set(counts)), "each round collects"
        kept[leaks] = [row["heap_bytes"] for row in rows]
        (event,) = watched.said
        assert event == RuntimeSeen(
            java.pid, "java", "jvm", collector, 256 * MIB, "-Xmx", target="api"
        )
    assert max(kept[False]) - min(kept[False]) < MIB
    steps = [after - before for before, after in zip(kept[True], kept[True][1:], strict=False)]
    assert all(step == pytest.approx(400 * 10256, rel=0.2) for step in steps), "what it keeps"


@needs_java
def test_without_counters_the_columns_are_empty_and_the_command_line_bounds(jvms, closed):
    java = jvms("-XX:-UsePerfData")
    watched = closed(RuntimeLooks(java.pid))
    assert watched.heap() == {}
    assert watched.said == [], "they may come yet"
    assert watched.heap(60.0) == {}
    assert watched.said == [
        RuntimeSeen(java.pid, "java", "jvm", None, 256 * MIB, "-Xmx", target="api")
    ]


@needs_java
def test_a_jvm_that_ends_gives_its_counters_back(jvms, closed):
    java = jvms("-XX:+UseSerialGC")
    watched = closed(RuntimeLooks(java.pid))
    watched.heap()
    path = jvm.find_counters(java.pid)
    target = f"/tmp/{path.partition('/tmp/')[2]}"
    assert target in _open_paths()
    java.end()
    watched.heap(1.0)
    assert target not in {path.removesuffix(" (deleted)") for path in _open_paths()}


def _open_paths():
    found = set()
    for one in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(one.readlink()))
    return found


@needs_java
def test_counters_that_are_damaged_are_told_once(jvms, monkeypatch, tmp_path, closed):
    java = jvms("-XX:+UseSerialGC")
    (tmp_path / "17").write_bytes(b"what is this")
    monkeypatch.setattr(jvm, "find_counters", lambda pid: str(tmp_path / "17"))
    watched = closed(RuntimeLooks(java.pid))
    assert (watched.heap(), watched.heap(1.0)) == ({}, {})
    unread, seen = watched.said
    assert isinstance(unread, Unread)
    assert "performance counters of a JVM cannot be read" in unread.reason
    assert (seen.runtime, seen.heap_max_source) == ("jvm", "-Xmx")
    assert not [event for event in watched.said if isinstance(event, PermissionDenied)]


@needs_java
def test_the_jvms_own_tool_shows_the_same_counters(jvms):
    if not shutil.which("jcmd"):
        pytest.skip("needs jcmd")
    java = jvms("-XX:+UseSerialGC")
    java.churn()
    command = ["jcmd", str(java.pid), "PerfCounter.print"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = (line.partition("=") for line in shown.splitlines() if "=" in line)
    theirs = {name: value.strip('"') for name, _, value in pairs}
    ours = parse(Path(jvm.find_counters(java.pid)).read_bytes())
    steady = [name for name in ours if name.startswith(("sun.gc.generation.1", "sun.gc.collector"))]
    assert len(steady) > 10
    assert {name: str(ours[name]) for name in steady} == {name: theirs[name] for name in steady}
