"""Who may ask, and how often."""

import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tidemark.agent.errors import Refusal
from tidemark.agent.http import Request
from tidemark.record.endpoints import is_loopback, name_in
from tidemark.record.errors import OptionError

_TOKEN = re.compile(rb"[!-~]{16,1024}")
_MOST_FILE_BYTES = 4096
_RATE, _BURST = 50.0, 100.0
_FAILED_RATE, _FAILED_BURST = 5.0, 20.0


def read_token(path: Path) -> bytes:
    """The token in a file: one line.

    Raises:
        OptionError: It cannot be read, or holds no token.
    """
    try:
        with path.open("rb") as file:
            token = file.read(_MOST_FILE_BYTES).strip()
    except OSError as error:
        raise OptionError(f"--token-file: {path} cannot be read ({error.strerror})") from error
    if not _TOKEN.fullmatch(token):
        raise OptionError(
            f"--token-file: {path} must hold one line of 16 to 1,024 visible characters: "
            "make one with  openssl rand -hex 32"
        )
    return token


class Bucket:
    """Lets through so many a second, and some more after a while of silence.

    Args:
        rate: How many a second.
        burst: How many at once.
        clock: Monotonic time, seconds.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._level, self._at_s = burst, clock()
        self._lock = threading.Lock()

    def take(self) -> bool:
        """Whether one more may pass."""
        with self._lock:
            now_s = self._clock()
            gained = (now_s - self._at_s) * self._rate
            self._level, self._at_s = min(self._level + gained, self._burst), now_s
            if self._level < 1.0:
                return False
            self._level -= 1.0
            return True


class Guard:
    """Lets requests in.

    Args:
        token: What they must show; None where the agent is reached from its own host alone. Then
            a request must name that host: any page in a browser there can send requests to it, and
            has the name of its own site in them.
        clock: Monotonic time, seconds.
    """

    def __init__(self, token: bytes | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._expected = None if token is None else _digest(b"Bearer " + token)
        self._allowed = Bucket(_RATE, _BURST, clock)
        self._failed = Bucket(_FAILED_RATE, _FAILED_BURST, clock)

    def expect_allowed(self, request: Request) -> None:
        """Make sure that a request may be answered.

        Raises:
            Refusal: It may not, or not now.
        """
        if not self._is_known(request):
            if not self._failed.take():
                raise _too_many()
            if self._expected is None:
                raise Refusal(403, "ask for this host by its own name: 127.0.0.1, localhost")
            challenge = (("WWW-Authenticate", 'Bearer realm="tidemark-agent"'),)
            raise Refusal(401, "a token is wanted: Authorization: Bearer TOKEN", challenge)
        if not self._allowed.take():
            raise _too_many()

    def _is_known(self, request: Request) -> bool:
        if self._expected is None:
            return is_loopback(name_in(request.headers.get("host", "localhost")))
        given = request.headers.get("authorization", "").encode("latin-1")
        return hmac.compare_digest(_digest(given), self._expected)


def _digest(text: bytes) -> bytes:
    """Of one length whatever is given: how long a comparison takes does not even tell that."""
    return hashlib.sha256(text).digest()


def _too_many() -> Refusal:
    return Refusal(429, "too many requests: ask again in a second", (("Retry-After", "1"),))
