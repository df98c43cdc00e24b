"""Which runtime a process has: by its files, real ones and made ones."""

import io
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sampler.runtime_looks import RuntimeLooks
from tidemark.record.events import PermissionDenied, RuntimeSeen
from tidemark.sampler import procfs, runtimes
from tidemark.sampler.elf import ElfError, section_names
from tidemark.sampler.errors import DeniedError

MIB = 2**20
SLEEPING_GO = 'package main\nimport "time"\nfunc main() { time.Sleep(time.Hour) }\n'
MAPS = (
    b"7f49fc000000-7f49fd589000 r-xp 00000000 fe:00 14180  /usr/lib/jvm/17/lib/server/libjvm.so\n"
    b"7f49fd589000-7f49fd591000 rw-s 00000000 fe:00 9986054                    "
    b"/tmp/hsperfdata_root/13938\n"
)

needs_go = pytest.mark.skipif(not shutil.which("go"), reason="needs the go command")
needs_node = pytest.mark.skipif(not shutil.which("node"), reason="needs node")


@pytest.fixture
def started():
    """Starts programs that end with the test."""
    made = []

    def start(*command, **options):
        made.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, **options))
        return made[-1].pid

    yield start
    for process in made:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def go_program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("go")
    (folder / "main.go").write_text(SLEEPING_GO)
    build = ["go", "build", "-ldflags=-s -w", "-o", "service", "main.go"]
    subprocess.run(build, cwd=folder, check=True, env={**os.environ, "GOFLAGS": "-mod=mod"})
    return str(folder / "service")


def recognised(pid):
    return runtimes.recognise(pid, procfs.read_stat(pid).name)


# -- real processes ---------------------------------------------------------------------------


def test_python_and_what_is_none_of_these(started, puppet):
    assert recognised(puppet.pid) == runtimes.CPYTHON
    assert recognised(started("sleep", "60")) == runtimes.NATIVE


@needs_node
def test_node(started, eventually):
    pid = started("node", "--max-old-space-size=100", "-e", "setTimeout(() => {}, 60000)")
    assert recognised(pid) == runtimes.NODE
    bound = eventually(lambda: runtimes.heap_bound(runtimes.NODE, pid))  # the command line is last
    assert bound == (100 * MIB, "--max-old-space-size")


@needs_go
def test_go_even_stripped(started, go_program, eventually):
    pid = started(go_program, env={"GOMEMLIMIT": "64MiB"})
    assert recognised(pid) == runtimes.GO
    bound = eventually(lambda: runtimes.heap_bound(runtimes.GO, pid))
    assert bound == (64 * MIB, "GOMEMLIMIT")


@needs_go
def test_a_program_that_was_replaced_while_it_runs(started, go_program, tmp_path):
    program = shutil.copy(go_program, tmp_path / "service")
    pid = started(program)
    Path(program).unlink()
    assert recognised(pid) == runtimes.GO


def test_what_may_not_be_read_is_told_by_its_name_or_not_at_all(monkeypatch):
    def refuse(pid):
        raise DeniedError(pid, f"/proc/{pid}/exe")

    monkeypatch.setattr(procfs, "read_program", refuse)
    assert runtimes.recognise(7, "java") == runtimes.JVM
    assert runtimes.recognise(7, "service") is None


# -- names, libraries, sections ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("python3.12", "cpython"),
        ("python", "cpython"),
        ("python3.13t", "cpython"),
        ("java", "jvm"),
        ("node", "node"),
        ("nodejs", "node"),
        ("ruby3.1", "ruby"),
        ("dotnet", "dotnet"),
        ("beam.smp", "beam"),
        ("pythonista", None),
        ("javascript-service", None),
        ("", None),
    ],
)
def test_programs_by_name(program, expected):
    assert runtimes.named(program) == expected


def test_programs_by_what_they_have_mapped():
    assert runtimes.mapped(MAPS) == runtimes.JVM
    assert runtimes.mapped(b"... /usr/lib/libpython3.11.so.1.0\n") == runtimes.CPYTHON
    assert runtimes.mapped(b"... /app/libcoreclr.so\n") == runtimes.DOTNET
    assert runtimes.mapped(b"... /usr/lib/libc.so.6\n") is None


def made_elf(names, bits=64, order="<"):
    """An ELF file that has a table of sections and nothing else."""
    blob = b"\0" + b"".join(name.encode() + b"\0" for name in [*names, ".shstrtab"])
    header, section = {
        64: ("16xHHIQQQIHHHHHH", "IIQQQQIIQQ"),
        32: ("16xHHIIIIIHHHHHH", "IIIIIIIIII"),
    }[bits]
    start = struct.calcsize(order + header)
    each, at = struct.calcsize(order + section), 0
    rows = []
    for name in [*names, ".shstrtab"]:
        at = blob.index(name.encode(), at)
        rows.append(struct.pack(order + section, at, 1, 0, 0, start, len(blob), 0, 0, 0, 0))
    table_at = start + len(blob)
    fields = (2, 62, 1, 0, 0, table_at, 0, start, 0, 0, each, len(rows), len(rows) - 1)
    ident = b"\x7fELF" + bytes([bits // 32, 1 if order == "<" else 2])
    packed = struct.pack(order + header, *fields)
    return ident + packed[len(ident) :] + blob + b"".join(rows)


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_sections_of_every_kind_of_elf(bits, order):
    found = section_names(io.BytesIO(made_elf([".text", ".go.buildinfo"], bits, order)))
    assert found == {".text", ".go.buildinfo", ".shstrtab"}


@given(st.data())
def test_a_damaged_elf_is_an_elf_error_or_has_names(data):
    whole = bytearray(made_elf([".text", ".data"]))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(whole)))
    try:
        assert all(isinstance(name, str) for name in section_names(io.BytesIO(whole[:cut])))
    except ElfError:
        return


@given(st.binary(max_size=200))
def test_random_bytes_are_no_elf(data):
    with pytest.raises(ElfError):
        section_names(io.BytesIO(data))


def test_the_sections_of_this_interpreter_are_those_that_readelf_shows():
    if not shutil.which("readelf"):
        pytest.skip("needs readelf")
    program = Path(sys.executable).resolve()
    shown = subprocess.run(["readelf", "-SW", program], capture_output=True, text=True, check=True)
    with program.open("rb") as file:
        found = section_names(file) - {""}
    assert found == {name for name in found if f" {name} " in shown.stdout}
    assert ".text" in found


# -- bounds -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "environment", "expected"),
    [
        (["java", "-Xmx64m", "-jar", "x.jar"], {}, (64 * MIB, "-Xmx")),
        (["java", "-Xmx1g", "-Xmx2G"], {}, (2048 * MIB, "-Xmx")),
        (["java", "-XX:MaxHeapSize=1048576"], {}, (MIB, "-XX:MaxHeapSize")),
        (["java"], {"JAVA_TOOL_OPTIONS": "-Xms8m -Xmx32m"}, (32 * MIB, "-Xmx")),
        (["java", "-Xmx16m"], {"JAVA_TOOL_OPTIONS": "-Xmx32m"}, (16 * MIB, "-Xmx")),
        (["java", "-Xmx", "-Xmxlots", "64m"], {}, None),
        (["java"], {}, None),
    ],
)
def test_the_bound_of_a_jvm(command, environment, expected):
    assert runtimes.java_bound(command, environment) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1048576", MIB),
        ("1048576B", MIB),
        ("64MiB", 64 * MIB),
        ("2GiB", 2048 * MIB),
        ("off", None),
        ("64MB", None),
        ("", None),
        ("9223372036854775807", None),
    ],
)
def test_the_bound_of_a_go_program(text, expected):
    found = runtimes.go_bound([], {"GOMEMLIMIT": text})
    assert found == (None if expected is None else (expected, "GOMEMLIMIT"))


@pytest.mark.parametrize(
    ("command", "options", "expected"),
    [
        (["node", "--max-old-space-size=100", "app.js"], "", 100),
        (["node", "--max_old_space_size=100", "app.js"], "", 100),
        (["node", "--max-old-space-size", "100", "app.js"], "", 100),
        (["node", "app.js"], "--inspect --max-old-space-size=70", 70),
        (["node", "--max-old-space-size=100"], "--max-old-space-size=70", 100),
        (["node", "--max-old-space-size=x"], "", None),
        (["node", "--max-old-space-size"], "", None),
        (["node", "app.js"], "", None),
    ],
)
def test_the_bound_of_node(command, options, expected):
    found = runtimes.node_bound(command, {"NODE_OPTIONS": options})
    assert found == (None if expected is None else (expected * MIB, "--max-old-space-size"))


@given(st.lists(st.text(max_size=20)), st.dictionaries(st.text(max_size=20), st.text(max_size=40)))
def test_no_command_and_environment_is_an_error(command, environment):
    given = {**environment, "GOMEMLIMIT": next(iter(command), "")}
    for bound in (runtimes.java_bound, runtimes.go_bound, runtimes.node_bound):
        assert bound(command, given) is None or bound(command, given)[0] > 0


# -- the event --------------------------------------------------------------------------------


def test_each_process_is_said_once(puppet, closed):
    looks = closed(RuntimeLooks(puppet.pid))
    assert looks.look() == looks.look(1.0)
    child = puppet.do("result = fork()")
    expected = [
        RuntimeSeen(puppet.pid, "puppet.py", "cpython", target="api"),
        RuntimeSeen(child, "puppet.py", "cpython", target="api"),
    ]
    assert looks.look(2.0) == expected
    puppet.do(f"os.kill({child}, 9); os.waitpid({child}, 0)")
    assert looks.look(3.0) == expected


def test_one_that_becomes_another_program_is_said_again(started, eventually, closed):
    script = "read line; exec sleep 60"
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE)
    try:
        looks = closed(RuntimeLooks(shell.pid))
        assert [event.runtime for event in looks.look()] == ["native"]
        shell.stdin.write(b"\n")
        shell.stdin.flush()
        eventually(lambda: procfs.read_stat(shell.pid).name == "sleep")
        assert len(looks.look(1.0)) == 1, "there is no news in it"
    finally:
        shell.kill()
        shell.communicate()


def test_a_shell_that_becomes_python_is_said_again(eventually, closed):
    script = f"read line; exec {sys.executable} -c 'import signal; signal.pause()'"
    shell = subprocess.Popen(["sh", "-c", script], stdin=subprocess.PIPE)
    try:
        looks = closed(RuntimeLooks(shell.pid))
        looks.look()
        shell.stdin.write(b"\n")
        shell.stdin.flush()
        eventually(lambda: procfs.read_stat(shell.pid).name.startswith("python"))
        assert [event.runtime for event in looks.look(1.0)] == ["native", "cpython"]
        assert {event.process for event in looks.said} == {"sh"}, "a name is fixed"
    finally:
        shell.kill()
        shell.communicate()


def test_bounds_that_may_not_be_read_are_told_once(puppet, monkeypatch, closed):
    def refuse(runtime, pid):
        raise DeniedError(pid, f"/proc/{pid}/environ")

    monkeypatch.setattr(runtimes, "heap_bound", refuse)
    denied, seen = closed(RuntimeLooks(puppet.pid)).look()
    assert isinstance(denied, PermissionDenied)
    assert (seen.runtime, seen.heap_max_bytes) == ("cpython", None)
