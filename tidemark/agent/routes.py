"""What the agent answers: three routes, and nothing else."""

import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tidemark.agent.errors import Refusal
from tidemark.agent.exporting import metrics_page
from tidemark.agent.guard import Guard
from tidemark.agent.http import Answer, Request, refused
from tidemark.agent.shelf import MOST_BYTES, Shelf
from tidemark.record.exposition import CONTENT_TYPE
from tidemark.record.layout import RUN_JSON
from tidemark.record.objects import parse_object

PROTOCOL = 1
"""The version of what is served; a client refuses what it does not know."""

_FILES = "/v1/files/"
_NUMBER = re.compile(r"\d{1,15}", re.ASCII)
_TAIL_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells one recording of one agent from every other.

    Attributes:
        agent: An id of this very recording.
        boot: The id of the host's boot, on which its monotonic time depends.
        began_monotonic_s: `elapsed_s` of the recording's rows counts from here.
        missing_rights: What may not be read, one sentence each.
    """

    agent: str
    boot: str
    began_monotonic_s: float
    missing_rights: tuple[str, ...] = ()


class Routes:
    """Answers requests; whatever they hold, the answer is no worse than a refusal.

    Args:
        identity: Whose recording it is.
        shelf: The files.
        guard: Who may ask.
    """

    def __init__(self, identity: Identity, shelf: Shelf, guard: Guard) -> None:
        self._identity = identity
        self._shelf = shelf
        self._guard = guard
        self._answered: Counter[int] = Counter()
        self._lock = threading.Lock()

    def answer(self, request: Request) -> Answer:
        """The answer to a request that could be read.

        Raises:
            Refusal: Somebody asks who may not, or not so often.
        """
        self._guard.expect_allowed(request)
        try:
            return self._routed(request)
        except Refusal as refusal:
            return refused(refusal)

    def count(self, status: int) -> None:
        """Count an answer, for the metrics."""
        with self._lock:
            self._answered[status] += 1

    def _routed(self, request: Request) -> Answer:
        if request.path.startswith(_FILES):
            return self._file(request.path[len(_FILES) :], request.query)
        plain: Mapping[str, Callable[[], Answer]] = {
            "/v1/run": self._run,
            "/metrics": self._metrics,
        }
        if request.path not in plain:
            raise Refusal(404, "there are /v1/run, /v1/files/NAME and /metrics")
        if request.query:
            raise Refusal(400, f"{request.path} takes no parameters")
        return plain[request.path]()

    def _run(self) -> Answer:
        document = {
            "protocol": PROTOCOL,
            "agent": self._identity.agent,
            "boot": self._identity.boot,
            "began_monotonic_s": self._identity.began_monotonic_s,
            "missing_rights": self._identity.missing_rights,
            "files": self._shelf.sizes(),
            "run": parse_object(self._shelf.tail(RUN_JSON, MOST_BYTES)),
            # Read last: whoever asks takes it for the middle between question and answer.
            "clock": {"unix_s": time.time(), "monotonic_s": time.monotonic()},
        }
        body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
        return Answer(200, body, "application/json")

    def _file(self, name: str, query: Mapping[str, str]) -> Answer:
        if not query.keys() <= {"offset", "limit"}:
            raise Refusal(400, "a file takes offset and limit")
        offset, limit = _number(query, "offset", 0), _number(query, "limit", MOST_BYTES)
        piece = self._shelf.piece(name, offset, limit)
        headers = (
            ("Tidemark-Agent", self._identity.agent),
            ("Tidemark-Next-Offset", str(piece.next_offset)),
            ("Tidemark-Size", str(piece.size)),
        )
        return Answer(200, piece.data, "text/plain; charset=utf-8", headers)

    def _metrics(self) -> Answer:
        with self._lock:
            answered = dict(self._answered)
        return Answer(200, metrics_page(self._shelf, answered).encode(), CONTENT_TYPE)


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        raise Refusal(400, f"{name} must be a number of bytes")
    return int(text)
