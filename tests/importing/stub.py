"""A stub of the HTTP API of a Prometheus server."""

import json
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

BEGIN_S = 1_795_685_400.0
"""When what the stub holds begins."""
RANGE = re.compile(r"(\{.*\}|\w+\{.*\})\[(\d+)ms\]")
NAMES = re.compile(r'__name__=~"([^"]*)"')
EQUAL = re.compile(r'(?<![\w])(\w+)="([^"]*)"')


class Stub:
    """As much of a Prometheus server as is asked: samples that it was given, by name and labels.

    Attributes:
        asked: The paths and parameters that it was asked for, in order.
        tokens: The `Authorization` of each request.
        answer: A status and a body that it answers in place of what it holds.
    """

    def __init__(self):
        self.series = []
        self.calculated = {}
        self.asked = []
        self.tokens = []
        self.answer = None
        self.url = ""

    def hold(self, name, samples, job="api", instance="10.0.0.1:8080", **labels):
        """Hold (seconds since the beginning, value) pairs."""
        given = {"__name__": name, "job": job, "instance": instance, **labels}
        self.series.append((given, [(BEGIN_S + at, value) for at, value in samples]))

    def queries(self, path):
        return [asked for one, asked in self.asked if one == path]

    def respond(self, path, asked):
        if self.answer is not None:
            return self.answer
        kind = path.removeprefix("/api/v1/")
        if kind == "query":
            selector, length_ms = RANGE.fullmatch(asked["query"]).groups()
            end_s = float(asked["time"])
            held = self._within(selector, end_s - int(length_ms) / 1000, end_s)
            return 200, _success({"resultType": "matrix", "result": held})
        if kind == "query_range":
            return 200, _success({"resultType": "matrix", "result": self._steps(asked)})
        _, label, _ = kind.split("/")
        selector = asked.get("match[]", "{}")
        found = {given[label] for given, _ in self._matching(selector)}
        return 200, _success(sorted(found))

    def _matching(self, selector):
        names = NAMES.search(selector)
        wanted = dict(EQUAL.findall(selector))
        plain = selector.partition("{")[0]
        for given, samples in self.series:
            is_named = names is None or given["__name__"] in names[1].split("|")
            is_named &= plain in {"", given["__name__"]}
            if is_named and all(given.get(key) == value for key, value in wanted.items()):
                yield given, samples

    def _within(self, selector, start_s, end_s):
        for given, samples in self._matching(selector):
            inside = [[at, str(value)] for at, value in samples if start_s < at <= end_s]
            if inside:
                yield {"metric": given, "values": inside}

    def _steps(self, asked):
        start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
        steps = round((end - start) / step) + 1
        assert steps <= 11_000, "exceeded maximum resolution of 11,000 points per timeseries"
        for labels, value_of in self.calculated[asked["query"]]:
            at = [start + number * step for number in range(steps)]
            told = [[one, str(value_of(one - BEGIN_S))] for one in at]
            yield {"metric": labels, "values": [one for one in told if one[1] != "None"]}


def _success(data):
    if isinstance(data, dict):
        data["result"] = list(data["result"])
    return json.dumps({"status": "success", "data": data}).encode()


@contextmanager
def serving(stub):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            parts = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
            stub.asked.append((parts.path.removeprefix("/api/v1/"), asked))
            stub.tokens.append(self.headers.get("Authorization"))
            status, body = stub.respond(parts.path, asked)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
