"""Hands each request on to the next of several services: `round_robin.py PORT SERVICE_PORT...`.

One that is not there is passed over; 502 when none is.
"""

import http.client
import http.server
import itertools
import sys

PORTS = [int(port) for port in sys.argv[2:]]
TURNS = itertools.cycle(range(len(PORTS)))


def ask(method, path, body):
    turn = next(TURNS)
    for port in PORTS[turn:] + PORTS[:turn]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            continue
        finally:
            connection.close()
    return 502, b"none of them is there"


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write an answer

    def _hand_on(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, content = ask(self.command, self.path, body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _hand_on  # noqa: N815 - as its base calls them

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
