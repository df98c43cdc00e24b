"""Children: readiness, last words, and an end with the parent, however that ends."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.eventually import eventually
from tidemark.run.children import Child
from tidemark.run.errors import ChildError

FOREVER = "import signal; signal.pause()"
READY = "import json, sys; print(json.dumps({'port': 1}), flush=True);"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    started: list[Child] = []

    def start_child(code: str) -> Child:
        child = Child("thing", [sys.executable, "-c", code], tmp_path / "thing.log")
        started.append(child)
        return child

    yield start_child
    for child in started:
        child.stop(signal.SIGKILL)


def test_the_ready_line_comes_back(start: Callable[[str], Child]) -> None:
    child = start(READY + FOREVER)
    assert child.wait_ready(20.0) == {"port": 1}
    assert child.stop() == -signal.SIGTERM


def test_a_child_that_does_not_come_up_says_why(start: Callable[[str], Child]) -> None:
    child = start("import sys; sys.exit('python -m thing: error: the port is taken')")
    with pytest.raises(ChildError, match=r"^the port is taken$"):
        child.wait_ready(20.0)


def test_what_a_child_says_that_it_concerns_is_handed_on(start: Callable[[str], Child]) -> None:
    code = (
        "from tidemark.record.command_line import fail; "
        "from tidemark.record.errors import TidemarkError; "
        "fail('thing', TidemarkError('too low', about=['fds_limit', 'threads']))"
    )
    with pytest.raises(ChildError, match=r"^too low$") as raised:
        start(code).wait_ready(20.0)
    assert raised.value.about == ("fds_limit", "threads")

    grandchild = (
        f"import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-c', {code!r}]))"
    )
    with pytest.raises(ChildError, match=r"^too low$") as raised:
        start(grandchild).wait_ready(20.0)
    assert raised.value.about == (), "only who is asked answers"


def test_a_silent_end_is_told_with_its_code(start: Callable[[str], Child]) -> None:
    with pytest.raises(ChildError, match="the thing exited with code 3 and said nothing"):
        start("raise SystemExit(3)").wait_ready(20.0)


def test_a_child_that_never_gets_ready_is_stopped(start: Callable[[str], Child]) -> None:
    child = start(FOREVER)
    with pytest.raises(ChildError, match="not ready within"):
        child.wait_ready(0.2)
    assert not psutil.pid_exists(child.pid)


def test_only_words_of_this_child_count(start: Callable[[str], Child], tmp_path: Path) -> None:
    (tmp_path / "thing.log").write_text("words of another run\n")
    with pytest.raises(ChildError, match="said nothing"):
        start("raise SystemExit(1)").wait_ready(20.0)


def test_stop_kills_what_ignores_sigterm_and_its_children(start: Callable[[str], Child]) -> None:
    child = start(
        "import os, signal, subprocess, sys\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        f"grandchild = subprocess.Popen([sys.executable, '-c', {FOREVER!r}])\n"
        "print('{\"pid\": %d}' % grandchild.pid, flush=True)\n" + FOREVER
    )
    grandchild = child.wait_ready(20.0)["pid"]
    assert child.stop(timeout_s=0.2) == -signal.SIGKILL
    assert eventually(lambda: not _runs(grandchild), "the grandchild's end")


def test_how_it_ended_is_told_with_what_it_said_only_if_it_left_of_its_own_will(
    start: Callable[[str], Child],
) -> None:
    left = start("import sys; sys.exit('python -m thing: error: the port is taken')")
    eventually(lambda: left.returncode is not None, "its end")
    assert left.obituary(12.3) == "the thing exited with code 1 after 12 s: the port is taken"
    killed = start("import sys; print('Booting', file=sys.stderr, flush=True);" + READY + FOREVER)
    killed.wait_ready(20.0)
    killed.stop(signal.SIGKILL)
    assert killed.obituary(41.0) == "the thing was killed by SIGKILL after 41 s"


def test_one_that_was_stopped_ends_in_order_all_the_same(start: Callable[[str], Child]) -> None:
    child = start(
        "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
        + READY
        + FOREVER
    )
    child.wait_ready(20.0)
    psutil.Process(child.pid).suspend()
    assert child.stop() == 0


def test_a_nursery_ends_all_at_once_and_starts_no_more(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path\n"
        "from tidemark.run.children import NURSERY, Child, ChildError\n"
        f"command = [sys.executable, '-c', {FOREVER!r}]\n"
        "child = Child('thing', command, Path(sys.argv[1]))\n"
        "shared = NURSERY.start(command)\n"
        "NURSERY.close()\n"
        "assert child.stop(signal.SIGCONT) == shared.wait() == -signal.SIGKILL\n"
        "try: Child('thing', command, Path(sys.argv[1]))\n"
        "except ChildError: print('refused')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "log")]
    assert subprocess.check_output(command, timeout=60) == b"refused\n"


def test_a_child_ends_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, sys; from pathlib import Path; from tidemark.run.children import Child\n"
        f"child = Child('thing', [sys.executable, '-c', {FOREVER!r}], Path(sys.argv[1]))\n"
        "print(child.pid, flush=True)\n" + FOREVER
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "log")], stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    with parent.stdout:
        child_pid = int(parent.stdout.readline())
    assert _runs(child_pid)
    parent.kill()
    parent.wait()
    assert eventually(lambda: not _runs(child_pid), "the child's end")


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
