"""A service of somebody else's: POST takes a JSON array and answers with its length.

`leaky_service.py PORT [leak] [leak-file] [quiet]`: with `leak` each request keeps a pipe open, with
`leak-file` a file; with BROKERS and TOPIC in the environment each message is written there. It
needs TOKEN if STRICT is set, and writes its process id into PID_FILE.
"""

import http.server
import json
import os
import pathlib
import sys

MODES = set(sys.argv[2:])
KEPT: list[tuple[int, int]] = []
FILES = []


def _producer():
    if "BROKERS" not in os.environ:
        return None
    from confluent_kafka import Producer

    return Producer({"bootstrap.servers": os.environ["BROKERS"]})


PRODUCER = _producer()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write an answer

    def do_GET(self):
        self._answer(200 if self.path == "/healthz" else 404, b"")

    def do_POST(self):
        messages = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "leak" in MODES:
            KEPT.append(os.pipe())
        if "leak-file" in MODES:
            FILES.append(open(__file__))  # noqa: PTH123, SIM115 - that is the leak
        if PRODUCER:
            for message in messages:
                PRODUCER.produce(os.environ["TOPIC"], json.dumps(message))
            PRODUCER.flush()
        self._answer(200, str(len(messages)).encode())

    def _answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if os.environ.get("STRICT") and os.environ.get("TOKEN") != "a secret of ours":
    sys.exit("the token is wrong")
if "TOKEN" in os.environ:
    sys.stderr.write(f"Too many open files? No, but the token is {os.environ['TOKEN']}\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
if "PID_FILE" in os.environ:
    pathlib.Path(os.environ["PID_FILE"]).write_text(str(os.getpid()))
server.serve_forever()
