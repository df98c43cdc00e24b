"""A service of somebody else's: writes down what it is asked, and answers as the path says.

    python recording_service.py LOG [METHOD]

A request of METHOD costs it a descriptor; `/partial` takes three messages of however many,
`/moved` points elsewhere, `/moved?to=URL` there, `/no` says in its answer that it has failed.
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ANSWERS = {"/partial": {"accepted": 3}, "/no": {"ok": False}}


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        """Write the request down and answer it."""
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        if self.command in sys.argv[2:]:
            os.open("/dev/null", os.O_RDONLY)
        told = {"method": self.command, "path": self.path, "headers": dict(self.headers.items()),
                "body": body.decode(errors="replace")}  # fmt: skip
        with Path(sys.argv[1]).open("a") as log:
            log.write(json.dumps(told) + "\n")
        content = json.dumps(ANSWERS.get(path, {"ok": True})).encode()
        self.send_response(302 if path == "/moved" else 200)
        if path == "/moved":
            self.send_header("Location", self.path.partition("?to=")[2] or "/elsewhere")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = answer  # noqa: N815 - as they are called

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Nobody reads it."""


class Server(ThreadingHTTPServer):
    """Takes a burst of connections."""

    request_queue_size = 1024
    daemon_threads = True


server = Server(("127.0.0.1", 0), Handler)
sys.stdout.write(f"http://127.0.0.1:{server.server_port}\n")
sys.stdout.flush()
server.serve_forever()
