"""The keeper: it runs a command as it is told to, and leaves nothing of it behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.eventually import eventually

FAMILY = "sleep 1000 & (sleep 1000 & setsid sleep 1000 & wait) & wait"


class Kept:
    """A keeper, and what it has started."""

    def __init__(self, log: Path, command: list[str], **order: Any) -> None:
        self.log = log
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tidemark.services.keeper"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                start_new_session=True,
            )
        assert self.process.stdin
        assert self.process.stdout
        told = {"arguments": command, "directory": ".", "environment": {}, "fds_limit": None}
        self.process.stdin.write(json.dumps({**told, **order}).encode() + b"\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        self.pid: int | None = json.loads(line)["pid"] if line else None
        self.family: list[psutil.Process] = []

    def meet(self, number: int) -> None:
        """Wait until so many processes live below the keeper."""
        keeper = psutil.Process(self.process.pid)
        self.family = eventually(
            lambda: found if len(found := keeper.children(recursive=True)) == number else []
        )

    def expect_nobody(self) -> None:
        """Fail when one of those that were met goes on."""
        eventually(lambda: not any(map(psutil.Process.is_running, self.family)), "an end of all")

    def wait(self) -> int:
        return self.process.wait(30)


@pytest.fixture
def keep(tmp_path: Path) -> Iterator[Callable[..., Kept]]:
    kept: list[Kept] = []

    def start(command: list[str], **order: Any) -> Kept:
        kept.append(Kept(tmp_path / "log", command, **order))
        return kept[-1]

    yield start
    for one in kept:
        one.process.kill()
        one.process.wait()
        for stream in (one.process.stdin, one.process.stdout):
            if stream and not stream.closed:
                stream.close()
        for process in one.family:
            if process.is_running():
                process.kill()


def test_a_command_runs_as_it_is_told_to(keep: Callable[..., Kept], tmp_path: Path) -> None:
    kept = keep(
        ["sh", "-c", "ulimit -n; ulimit -Hn; pwd; echo $NAME >&2"],
        directory=str(tmp_path),
        environment={"NAME": "a b"},
        fds_limit=99,
    )
    assert kept.wait() == 0
    assert kept.log.read_text() == f"99\n99\n{tmp_path}\na b\n"


@pytest.mark.parametrize(("command", "code"), [("exit 3", 3), ("kill -TERM $$", -15)])
def test_it_ends_as_its_command_does(keep: Callable[..., Kept], command: str, code: int) -> None:
    assert keep(["sh", "-c", command]).wait() == code


def test_a_command_that_is_killed_takes_its_family_along(keep: Callable[..., Kept]) -> None:
    kept = keep(["sh", "-c", FAMILY])
    kept.meet(5)
    assert kept.pid
    os.kill(kept.pid, signal.SIGKILL)
    assert kept.wait() == -signal.SIGKILL
    kept.expect_nobody()


def test_the_end_of_its_parent_is_the_end_of_all(keep: Callable[..., Kept]) -> None:
    kept = keep(["sh", "-c", f"trap '' TERM HUP; {FAMILY}"])
    kept.meet(5)
    assert kept.process.stdin
    kept.process.stdin.close()  # as the kernel does when the parent is killed
    kept.wait()
    kept.expect_nobody()


def test_its_own_end_is_that_of_the_command_at_least(keep: Callable[..., Kept]) -> None:
    kept = keep(["sleep", "1000"])
    kept.meet(1)
    kept.process.kill()
    kept.expect_nobody()


def test_asked_to_end_it_asks_the_command_first_then_the_rest(keep: Callable[..., Kept]) -> None:
    rest = "trap 'echo rest; exit' TERM; while :; do sleep 0.1; done"
    kept = keep(["sh", "-c", f"trap 'echo first; exit 7' TERM; ({rest}) & while :; do wait; done"])
    kept.meet(3)
    kept.process.terminate()
    assert kept.wait() == 7
    kept.expect_nobody()
    assert [line for line in kept.log.read_text().split() if line != "Terminated"] == [
        "first",
        "rest",
    ]


@pytest.mark.parametrize(
    ("command", "order", "wanted"),
    [
        (["./nothing-here"], {}, "cannot run ./nothing-here: No such file or directory"),
        (["/etc/passwd"], {}, "cannot run /etc/passwd: Permission denied"),
        (["true"], {"directory": "/nowhere"}, "there is no directory /nowhere"),
        (["true"], {"fds_limit": 2**31 - 1}, "a limit of 2147483647 descriptors is not allowed"),
    ],
)
def test_what_cannot_be_run_is_one_line(
    keep: Callable[..., Kept], command: list[str], order: dict[str, Any], wanted: str
) -> None:
    kept = keep(command, **order)
    assert kept.wait() == 2
    assert kept.log.read_text().startswith(f"keeper: error: {wanted}")
    assert kept.log.read_text().count("\n") == 1
