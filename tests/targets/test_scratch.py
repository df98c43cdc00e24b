"""`targets.brokers.scratch` and `.ports`: what a broker needs for itself, and gives back."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tidemark.targets.brokers.ports import LOOPBACK, ReservedPort, reserve_ports
from tidemark.targets.brokers.scratch import PREFIX, ScratchDirectory
from tidemark.targets.errors import TargetError


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)  # it is remembered there


def test_it_is_removed_with_all_that_is_in_it(tmp_path):
    scratch = ScratchDirectory()
    (scratch.path / "deep" / "down").mkdir(parents=True)
    (scratch.path / "deep" / "down" / "file").write_text("data")
    scratch.remove()
    assert list(tmp_path.iterdir()) == []


OWNER = """
import signal
from tidemark.targets.brokers.scratch import ScratchDirectory
print(ScratchDirectory().path, flush=True)
signal.pause()
"""


@pytest.fixture
def owner():
    """A process with a scratch directory, and that directory's path."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, process_group=0
    )
    yield process, Path(process.stdout.readline().strip())
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.mark.e2e
def test_it_goes_with_its_process_even_by_sigkill(owner, wait_until):
    process, path = owner
    assert path.is_dir()
    process.send_signal(signal.SIGKILL)
    wait_until(lambda: not path.exists(), "the directory is removed")


@pytest.mark.e2e
def test_what_nobody_holds_any_more_goes_with_the_next_one(owner, tmp_path):
    _, held = owner
    abandoned = tmp_path / f"{PREFIX}abandoned"
    abandoned.mkdir()
    (abandoned / "lock").touch()
    unfinished = tmp_path / f"{PREFIX}unfinished"
    unfinished.mkdir()
    scratch = ScratchDirectory()
    assert not abandoned.exists()
    assert held.exists(), "somebody is at work in it"
    assert unfinished.exists(), "somebody is about to be"
    scratch.remove()


def test_no_room_is_one_clear_error(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc")
    with pytest.raises(
        TargetError, match=r"no directory for the brokers' data in /proc \(.*TMPDIR"
    ):
        ScratchDirectory()


def test_a_reserved_port_can_be_listened_on_by_another_socket_but_is_given_to_nobody():
    port = ReservedPort()
    with socket.socket() as broker, socket.socket() as other:
        broker.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        broker.bind((LOOPBACK, port.number))
        broker.listen()
        with pytest.raises(OSError, match="Address already in use"):
            other.bind((LOOPBACK, port.number))
    with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
        other.bind((LOOPBACK, port.number))
    port.close()
    with socket.socket() as other:
        other.bind((LOOPBACK, port.number))


def first_free_pair() -> list[ReservedPort]:
    for base_port in range(20_000, 30_000, 2):
        try:
            return reserve_ports(2, base_port)
        except TargetError:
            continue
    pytest.fail("no two free ports")


def test_ports_follow_the_first_one():
    first, second = first_free_pair()
    assert second.number == first.number + 1
    assert first.address == f"127.0.0.1:{first.number}"
    first.close()
    second.close()


def test_a_port_is_given_back_when_the_next_one_is_taken():
    first, second = first_free_pair()
    first.close()
    with second.listen(1):
        with pytest.raises(TargetError, match=f"127.0.0.1:{second.number} .Address already in"):
            reserve_ports(2, first.number)
        ReservedPort(first.number).close()


def test_ports_that_do_not_fit():
    with pytest.raises(TargetError, match="2 brokers do not fit between port 65535 and 65535"):
        reserve_ports(2, 65535)
