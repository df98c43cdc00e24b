"""gunicorn's threaded worker, made to survive the end of its descriptors.

When `accept` fails for want of a descriptor, gunicorn's own worker dies of the exception,
and the master starts a fresh one: the leak hides behind restarts. Go's net/http, the
story's server, says `accept4: too many open files; retrying in 160ms` and stays. So does
this worker.
"""

import errno
import selectors
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

from gunicorn.workers import gthread
from gunicorn.workers.base import Worker

_FIRST_PAUSE_S = 0.005
_LONGEST_PAUSE_S = 1.0
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


class Connection(gthread.TConn):  # type: ignore[misc]
    """A client's connection that needs no descriptor but its own.

    gunicorn waits for the first bytes with a selector of the platform's best kind, which
    is a descriptor (epoll) per connection; poll(2) needs none.
    """

    def wait_for_data(self, timeout: float) -> bool:
        """Wait until the client has sent something; False if it has not in `timeout` s."""
        if self.data_ready:
            return True
        try:
            with selectors.PollSelector() as selector:
                selector.register(self.sock, selectors.EVENT_READ)
                self.data_ready: bool = bool(selector.select(timeout))
        except (OSError, ValueError):
            return False  # closed meanwhile
        return self.data_ready


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
        client.setblocking(True)
        self.enqueue_req(Connection(self.cfg, client, address, listener.getsockname()))

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
