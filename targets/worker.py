"""gunicorn's threaded worker, made to survive the end of its descriptors.

When `accept` fails for want of a descriptor, gunicorn's own worker dies of the exception,
and the master starts a fresh one: the leak hides behind restarts. Go's net/http, the
story's server, says `accept4: too many open files; retrying in 160ms` and stays. So does
this worker.

gunicorn's worker also gives each connection a request thread to wait in for what the client has to
say; a few clients that say nothing, or half of it, keep all of them. Here a connection waits in
the poller, without a thread, until the head of a request is there.
"""

import errno
import io
import selectors
import socket
import struct
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from types import FrameType

from gunicorn.workers import gthread
from gunicorn.workers.base import Worker

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0
_READ_TIMEOUT = struct.pack("ll", 5, 0)  # 5 s, the story's, as struct timeval: see socket(7)
_HEAD_TIMEOUT_S = 10.0
_MAX_HEAD_BYTES = 65_536
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class AcceptBackoff:
    """How long to leave a listener alone after `accept` failed, as Go's net/http does it.

    5 ms after the first failure, twice as long after each further one, 1 s at most; from
    the start again after a success. Times are those of a monotonic clock, in seconds.
    """

    def __init__(self) -> None:
        self._pause_s = 0.0
        self._resume_at_s = 0.0

    def fail(self, now_s: float) -> float:
        """Note a failure; returns the pause that it means, in seconds."""
        self._pause_s = min(self._pause_s * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self._resume_at_s = now_s + self._pause_s
        return self._pause_s

    def succeed(self) -> None:
        """Note a success."""
        self._pause_s = 0.0

    def remaining_s(self, now_s: float) -> float:
        """How much of the pause is left; 0 if it is over."""
        return max(0.0, self._resume_at_s - now_s)


class TargetWorker(gthread.ThreadWorker):  # type: ignore[misc]
    """A threaded worker that pauses accepting while there is no descriptor to accept with."""

    def init_process(self) -> None:
        """Boot, and serve until told to stop."""
        self._backoff = AcceptBackoff()
        super().init_process()

    def get_thread_pool(self) -> ThreadPoolExecutor:
        """A pool whose threads are all there from the start.

        One that starts a thread whenever more requests coincide than before grows for minutes,
        by chance and ever more slowly, which a short run cannot tell from a leak.
        """
        pool: ThreadPoolExecutor = super().get_thread_pool()
        all_started = threading.Barrier(self.cfg.threads + 1)
        for _ in range(self.cfg.threads):
            pool.submit(all_started.wait)
        all_started.wait()
        return pool

    def accept(self, listener: socket.socket) -> None:
        """Accept one connection and hand it to the thread pool."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                return  # another worker was faster, or the client has gone
            if error.errno not in _OUT_OF_DESCRIPTORS:
                raise
            pause_s = self._backoff.fail(time.monotonic())
            self.log.error("accept: %s; retrying in %g s", error, pause_s)  # noqa: TRY400 - no trace
            self.set_accept_enabled(False)
            return
        self._backoff.succeed()
        self.nr_conns += 1
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _READ_TIMEOUT)
        connection = gthread.TConn(self.cfg, client, address, listener.getsockname())
        connection.init()
        self.enqueue_req(connection)

    def enqueue_req(self, conn: gthread.TConn) -> None:
        """Hand a connection to a request thread once it has the head of a request.

        Until then it waits in the poller, for `_HEAD_TIMEOUT_S` at most.
        """
        conn.sock.setblocking(False)
        if _has_head(conn):
            super().enqueue_req(conn)
            return
        conn.timeout = time.monotonic() + _HEAD_TIMEOUT_S
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def on_pending_socket_readable(self, conn: gthread.TConn, client: socket.socket) -> None:
        """Look again; the time it has runs on from when it began to wait."""
        if _has_head(conn):
            self.poller.unregister(client)
            self.pending_conns.remove(conn)
            super().enqueue_req(conn)

    def set_accept_enabled(self, enabled: bool) -> None:
        """As gunicorn's, but not before the pause is over."""
        paused = self._backoff.remaining_s(time.monotonic()) > 0.0
        super().set_accept_enabled(enabled and not paused)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """As gunicorn's, but no longer than the pause lasts."""
        remaining_s = self._backoff.remaining_s(time.monotonic())
        super().wait_for_and_dispatch_events(min(timeout, remaining_s or timeout))

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop at once, on SIGQUIT or SIGINT.

        gunicorn's shuts the thread pool down from within the signal handler, and waits for
        ever if the signal came while this very thread was handing the pool a connection: the
        pool's lock is not re-entrant. The interpreter's exit ends the pool as well.
        """
        Worker.handle_quit(self, sig, frame)


def _has_head(conn: gthread.TConn) -> bool:
    """Read what there is, without waiting; whether a request thread has something to do with it.

    It has when the head is whole, or too long, or when there will be no more.
    """
    head = conn.parser.unreader.buf
    head.seek(0, io.SEEK_END)
    try:
        received = conn.sock.recv(_MAX_HEAD_BYTES)
        head.write(received)
        if head.tell() > _MAX_HEAD_BYTES:
            conn.sock.shutdown(socket.SHUT_RD)  # whoever reads on does not wait for more
            return True
    except BlockingIOError:
        received = None
    except OSError:
        return True  # the thread will see it too
    return received == b"" or b"\r\n\r\n" in head.getvalue().lstrip()
