"""The line that says that descriptors have run out, in the words of several runtimes."""

from pathlib import Path

import pytest

from tidemark.run.watch import OUT_OF_DESCRIPTORS, REFUSED_BY_BROKER, LogWatch


@pytest.mark.parametrize(
    "line",
    [
        "accept: [Errno 24] Too many open files; retrying in 0.16 s",
        "http: Accept error: accept tcp [::]:80: accept4: too many open files; retrying in 160ms",
        "java.net.SocketException: Too many open files",
        "Error: EMFILE: too many open files, open '/etc/hosts'",
        "uncaught: Error: listen EMFILE",
        "socket: No file descriptors available",
    ],
)
def test_exhaustion_is_recognised(tmp_path: Path, line: str) -> None:
    log = tmp_path / "target.log"
    log.write_text(f"started\n{line}\nlater\n")
    assert LogWatch(log, OUT_OF_DESCRIPTORS).first_match() == line


def test_other_lines_are_not(tmp_path: Path) -> None:
    log = tmp_path / "target.log"
    log.write_text("HEMFILED\n24 files opened\n")
    assert LogWatch(log, OUT_OF_DESCRIPTORS).first_match() is None


def test_a_line_is_read_once_it_is_complete(tmp_path: Path) -> None:
    log = tmp_path / "target.log"
    watch = LogWatch(log, OUT_OF_DESCRIPTORS)
    assert watch.first_match() is None  # the log is not there yet
    log.write_bytes(b"accept: Too many op")
    assert watch.first_match() is None
    with log.open("ab") as more:
        more.write(b"en files\n")
    assert watch.first_match() == "accept: Too many open files"
    assert watch.first_match() is None


def test_what_was_read_is_not_read_again(tmp_path: Path) -> None:
    log = tmp_path / "target.log"
    log.write_text("started\n" * 10_000)
    watch = LogWatch(log, OUT_OF_DESCRIPTORS)
    assert watch.first_match() is None
    with log.open("r+b") as file:
        file.write(b"EMFILE!\n" * 10_000)
        file.write(b"too many open files\n")
    assert watch.first_match() == "too many open files"


def test_a_line_that_comes_again_and_again_is_said_once(tmp_path: Path) -> None:
    log = tmp_path / "target.log"
    watch = LogWatch(log, OUT_OF_DESCRIPTORS)
    found = []
    for _ in range(3):
        with log.open("a") as file:
            file.write("EMFILE\n")
        found.append(watch.first_match())
    assert found == ["EMFILE", None, None]


def test_a_brokers_refusal_is_not_the_targets_exhaustion(tmp_path: Path) -> None:
    line = (
        "INFO DataPlaneAcceptor: Rejected connection from /127.0.0.1, address already has the "
        "configured maximum of 5 connections."
    )
    log = tmp_path / "broker.log"
    log.write_text(line + "\n")
    assert LogWatch(log, OUT_OF_DESCRIPTORS).first_match() is None
    assert LogWatch(log, REFUSED_BY_BROKER).first_match() == line
