"""The sockets: a bounded number of connections, each in a thread, each step within a time.

A connection that has not shown yet that it may ask makes room for a newer one, so that whoever
opens many and says nothing keeps nobody out.
"""

import contextlib
import errno
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tidemark.agent.errors import Refusal
from tidemark.agent.http import MOST_HEAD_BYTES, encoded, head_length, parse_request, refused
from tidemark.agent.routes import Routes

MOST_CONNECTIONS = 16
_STACK_BYTES = 512 * 1024
_SENT_AT_ONCE = 64 * 1024
_PAUSE_S = 0.2
_HEARD_OUT_S = 1.0
"""So long a client that was refused may take to notice."""
_PASSING = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOBUFS,
    errno.ENOMEM,
    errno.ECONNABORTED,
    errno.EINTR,
}
"""Why a connection may not be accepted just now."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client may take, seconds.

    Attributes:
        head_s: For the TLS handshake, and for the head of a request from its first byte on.
        idle_s: Between two requests on one connection.
        answer_s: To take an answer.
    """

    head_s: float = 5.0
    idle_s: float = 15.0
    answer_s: float = 20.0


USUAL = Patience()


class TimeIsUp(Exception):  # noqa: N818 (the client's, not ours)
    """A client takes too long, or is gone."""


@dataclass(eq=False, slots=True)
class Connection:
    """One client.

    Attributes:
        stream: The socket; replaced when TLS has begun.
        may_ask: Whether it has asked for something that it was given.
    """

    stream: socket.socket
    may_ask: bool = False

    def receive(self, deadline_s: float) -> bytes:
        """Wait for some more bytes.

        Raises:
            TimeIsUp: None came in time.
        """
        with self._until(deadline_s):
            data = self.stream.recv(MOST_HEAD_BYTES)
        if not data:
            raise TimeIsUp
        return data

    def send(self, data: bytes, deadline_s: float) -> None:
        """Send all of it. Raises as `receive` does."""
        view = memoryview(data)
        while view:
            with self._until(deadline_s):
                view = view[self.stream.send(view[:_SENT_AT_ONCE]) :]

    def begin_tls(self, tls: ssl.SSLContext, deadline_s: float) -> None:
        """Go on encrypted. Raises as `receive` does, also where the client is refused."""
        with self._until(deadline_s):
            self.stream = encrypted = tls.wrap_socket(
                self.stream, server_side=True, do_handshake_on_connect=False
            )
        try:
            with self._until(deadline_s):
                encrypted.do_handshake()
        except TimeIsUp as error:
            if isinstance(error.__cause__, ssl.SSLError):
                self._hear_out(min(deadline_s, time.monotonic() + _HEARD_OUT_S))
            raise

    def _hear_out(self, deadline_s: float) -> None:
        """Let the client read why it is refused.

        Closed with what it has sent meanwhile unread, the connection would be reset, and the
        alert be lost with it.
        """
        with contextlib.suppress(OSError, TimeIsUp):
            self.stream.shutdown(socket.SHUT_WR)
            while True:
                self.receive(deadline_s)

    @contextlib.contextmanager
    def _until(self, deadline_s: float) -> Iterator[None]:
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            raise TimeIsUp
        try:
            self.stream.settimeout(left_s)
            yield
        except (OSError, ValueError) as error:  # ssl's errors are of both kinds
            raise TimeIsUp from error

    def break_off(self) -> None:
        """End it under the thread that serves it, which is waiting for the client."""
        with contextlib.suppress(OSError):
            self.stream.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Give the descriptor back."""
        self.stream.close()


class Server:
    """Serves routes on a listening socket.

    Args:
        listener: The socket, which listens.
        routes: What is answered.
        tls: The certificate and who is let in; None for plain HTTP.
        patience: How long a client may take.
        most: Connections at once.
    """

    def __init__(
        self,
        listener: socket.socket,
        routes: Routes,
        tls: ssl.SSLContext | None = None,
        patience: Patience = USUAL,
        most: int = MOST_CONNECTIONS,
    ) -> None:
        self._listener = listener
        self._routes = routes
        self._tls = tls
        self._patience = patience
        self._most = most
        self._open: list[Connection] = []  # the oldest first
        self._lock = threading.Lock()

    def serve(self) -> None:
        """Serve until the listening socket is shut down."""
        threading.stack_size(_STACK_BYTES)
        while True:
            try:
                stream, _ = self._listener.accept()
            except OSError as error:
                if error.errno not in _PASSING:
                    return
                time.sleep(_PAUSE_S)  # no descriptor is left, say: they come back
                continue
            self._admit(Connection(stream))

    def _admit(self, connection: Connection) -> None:
        with self._lock:
            is_full = len(self._open) >= self._most
            guest = next((one for one in self._open if not one.may_ask), None) if is_full else None
            if guest:
                self._open.remove(guest)
                guest.break_off()
            if not is_full or guest:
                self._open.append(connection)
        if is_full and not guest:
            connection.close()
            return
        threading.Thread(target=self._attend, args=(connection,), daemon=True).start()

    def _attend(self, connection: Connection) -> None:
        try:
            if self._tls is not None:
                connection.begin_tls(self._tls, time.monotonic() + self._patience.head_s)
            received: bytes | None = b""
            while received is not None:
                received = self._exchange(connection, received)
        except TimeIsUp:
            pass
        finally:
            connection.close()
            with self._lock:
                if connection in self._open:
                    self._open.remove(connection)

    def _exchange(self, connection: Connection, received: bytes) -> bytes | None:
        """Answer one request; what was received beyond it, or None when it was the last."""
        is_head = keeps_open = False
        try:
            head, received = self._head(connection, received)
            request = parse_request(head)
            answer = self._routes.answer(request)
            connection.may_ask = True
            is_head, keeps_open = request.is_head, request.keeps_open
        except Refusal as refusal:
            answer = refused(refusal)
        self._routes.count(answer.status)
        data = encoded(answer, is_head=is_head, keeps_open=keeps_open)
        connection.send(data, time.monotonic() + self._patience.answer_s)
        return received if keeps_open else None

    def _head(self, connection: Connection, received: bytes) -> tuple[bytes, bytes]:
        if not received:
            received = connection.receive(time.monotonic() + self._patience.idle_s)
        deadline_s = time.monotonic() + self._patience.head_s
        while not (length := head_length(received)):
            received += connection.receive(deadline_s)
        return received[:length], received[length:]
