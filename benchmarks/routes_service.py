"""A small HTTP service with three routes, of which one may leak: what `benchmarks.routes` drives.

    python -m benchmarks.routes_service --leak fds --route /ingest --share 0.2 --seed 1

prints its address as a line of JSON, and when it is told to end (SIGTERM) another one: how often
each route was asked for, and how much it has left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import socket
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

ROUTES = ("/query", "/search", "/ingest")
PIECE = 64 * 1024
"""Bytes of memory that are kept at a time."""


class Leak:
    """What is opened with some requests of one route, and never closed.

    Args:
        kind: `fds`, `connections`, `threads`, `rss_bytes`, or `nothing`.
        route: The route that leaks.
        share: How many of its requests do.
        seed: Of the chance that decides which.
        toward: Where connections lead, as host:port.
    """

    def __init__(self, kind: str, route: str, share: float, seed: int, toward: str) -> None:
        self._open: Callable[[], object] | None = {
            "fds": lambda: os.open(os.devnull, os.O_RDONLY),
            "connections": lambda: _connected(toward),
            "threads": _parked,
            "rss_bytes": lambda: bytearray(os.urandom(16)) * (PIECE // 16),
            "nothing": None,
        }[kind]
        self._route, self._share = route, share
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._held: list[object] = []
        self.requests: Counter[str] = Counter()

    @property
    def left(self) -> int:
        """How many pieces have been left behind."""
        return len(self._held)

    def requested(self, route: str) -> None:
        """A request has come."""
        with self._lock:
            self.requests[route] += 1
            leaks = route == self._route and self._random.random() < self._share
        if leaks and self._open is not None:
            self._held.append(self._open())


def _connected(toward: str) -> socket.socket:
    host, _, port = toward.rpartition(":")
    return socket.create_connection((host, int(port)))


def _parked() -> threading.Thread:
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    return thread


def _handler(leak: Leak) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            leak.requested(self.path)
            answer = b"ok"
            self.send_response(200 if self.path in ROUTES else 404)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description="Three routes, of which one may leak.")
    parser.add_argument("--leak", default="fds")
    parser.add_argument("--route", default=ROUTES[-1])
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--toward", default="", help="host:port, for connections")
    given = parser.parse_args()
    leak = Leak(given.leak, given.route, given.share, given.seed, given.toward)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(leak))
    server.daemon_threads = True
    told = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: told.set())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_address[1]
    print(json.dumps({"url": f"http://127.0.0.1:{port}", "pid": os.getpid()}), flush=True)
    told.wait()
    print(json.dumps({"requests": dict(leak.requests), "left": leak.left}), flush=True)


if __name__ == "__main__":
    main()
