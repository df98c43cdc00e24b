"""`targets.worker`: the pauses after a failed `accept`, and how it stops."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from gunicorn.config import Config
from gunicorn.workers import gthread

from tidemark.targets.worker import AcceptBackoff, TargetWorker, _has_head


def test_pauses_double_from_5_ms_to_1_s():
    backoff = AcceptBackoff()
    pauses = [backoff.fail(0.0) for _ in range(10)]
    assert pauses == pytest.approx([0.005 * 2**n for n in range(8)] + [1.0, 1.0])


def test_a_success_starts_again():
    backoff = AcceptBackoff()
    backoff.fail(0.0)
    backoff.fail(0.0)
    backoff.succeed()
    assert backoff.fail(0.0) == pytest.approx(0.005)


def test_the_pause_runs_from_the_failure():
    backoff = AcceptBackoff()
    assert backoff.remaining_s(100.0) == 0.0
    backoff.fail(100.0)
    backoff.fail(100.0)
    assert backoff.remaining_s(100.004) == pytest.approx(0.006)
    assert backoff.remaining_s(100.010) == pytest.approx(0.0)
    assert backoff.remaining_s(200.0) == 0.0


@pytest.fixture
def worker():
    """A worker with as much of gunicorn around it as its methods ask for."""
    worker = TargetWorker.__new__(TargetWorker)
    worker.tpool = ThreadPoolExecutor(1)
    worker.cfg = SimpleNamespace(worker_int=lambda _worker: None)
    yield worker
    worker.tpool.shutdown()


@pytest.mark.timeout(10)
def test_a_quick_stop_does_not_wait_for_the_pool(worker):
    with worker.tpool._shutdown_lock, pytest.raises(SystemExit):  # as within `submit`
        worker.handle_quit(signal.SIGQUIT, None)


class _Listener:
    def __init__(self, error: int) -> None:
        self.error = error

    def accept(self):
        raise OSError(self.error, "no")


def test_other_errors_of_accept_are_not_swallowed(worker):
    with pytest.raises(OSError, match="no"):
        worker.accept(_Listener(errno.ENOMEM))


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.ECONNABORTED])
def test_a_connection_that_somebody_else_took_is_no_error(worker, error):
    worker.accept(_Listener(error))


@pytest.fixture
def connection():
    """One of the worker's connections, and the client's end of it."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = gthread.TConn(Config(), ours, None, None)
        connection.init()
        ours.setblocking(False)
        yield connection, theirs


def test_a_head_is_there_when_it_is_whole(connection):
    connection, client = connection
    assert not _has_head(connection)
    for part in (b"\r\n\r\n", b"GET / HTTP/1.1\r\n", b"Host: h\r\n", b"\r"):
        client.send(part)
        assert not _has_head(connection)
    client.send(b"\nGET")
    assert _has_head(connection)
    assert _has_head(connection), "and stays"
    assert connection.parser.unreader.buf.getvalue().endswith(b"\r\n\r\nGET")


def test_a_head_without_end_and_a_client_that_has_gone_are_for_a_thread(connection):
    connection, client = connection
    client.send(b"GET / HTTP/1.1\r\n")
    assert not _has_head(connection)
    client.close()
    assert _has_head(connection)


def test_a_head_that_is_too_long_keeps_no_thread_waiting(connection):
    connection, client = connection
    client.send(b"GET / HTTP/1.1\r\nX: ")
    assert not _has_head(connection)
    client.send(b"x" * 70_000)
    while not _has_head(connection):
        pass
    connection.sock.setblocking(True)
    while connection.sock.recv(4096):
        pass


def test_the_threads_of_the_pool_are_there_before_the_first_request():
    worker = TargetWorker.__new__(TargetWorker)
    worker.cfg = SimpleNamespace(threads=5)
    before = threading.active_count()
    with worker.get_thread_pool() as pool:
        assert threading.active_count() == before + 5
        pool.submit(int).result()
        assert threading.active_count() == before + 5
