"""`targets.worker`: the pauses after a failed `accept`, and how it stops."""

from __future__ import annotations

import errno
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from tidemark.targets.worker import AcceptBackoff, Connection, TargetWorker


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


def test_waiting_for_the_first_bytes():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(None, ours, None, None)
        assert connection.wait_for_data(0.0) is False
        theirs.send(b"P")
        assert connection.wait_for_data(5.0) is True
    assert connection.wait_for_data(0.0) is True, "it has been seen already"


def test_a_closed_connection_has_no_data():
    ours, theirs = socket.socketpair()
    connection = Connection(None, ours, None, None)
    ours.close()
    theirs.close()
    assert connection.wait_for_data(0.0) is False


def test_the_threads_of_the_pool_are_there_before_the_first_request():
    worker = TargetWorker.__new__(TargetWorker)
    worker.cfg = SimpleNamespace(threads=5)
    before = threading.active_count()
    with worker.get_thread_pool() as pool:
        assert threading.active_count() == before + 5
        pool.submit(int).result()
        assert threading.active_count() == before + 5
