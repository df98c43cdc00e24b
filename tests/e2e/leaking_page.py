"""A service that keeps a descriptor of every other request, and exports what it holds.

Takes a port, any if there is none, and prints its address. The page is what a client library would
show of this process.
"""

import os
import resource
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

STARTED_S = time.time()
EACH = 2
kept: list[int] = []
answered = 0


def page() -> str:
    fds = len(os.listdir("/proc/self/fd")) - 1  # noqa: PTH208 - names alone, fast
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    used = resource.getrusage(resource.RUSAGE_SELF)
    rss_bytes = int(status["VmRSS"].split()[0]) * 1024
    return (
        f"process_open_fds {fds}\n"
        f"process_max_fds {resource.getrlimit(resource.RLIMIT_NOFILE)[0]}\n"
        f"process_resident_memory_bytes {rss_bytes}\n"
        f"process_cpu_seconds_total {used.ru_utime + used.ru_stime}\n"
        f"process_start_time_seconds {STARTED_S}\n"
        f"process_threads {status['Threads'].strip()}\n"
        f'http_requests_total{{code="200",path="/work"}} {answered}\n'
    )


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        global answered  # noqa: PLW0603 - a service of one file
        body = page().encode() if self.path == "/metrics" else b"done\n"
        if self.path != "/metrics":
            answered += 1
            if answered % EACH == 0:
                kept.append(os.open(os.devnull, os.O_RDONLY))
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == "__main__":
    server = HTTPServer(("127.0.0.1", int(*sys.argv[1:] or "0")), Handler)
    print(f"127.0.0.1:{server.server_port}", flush=True)  # noqa: T201
    server.serve_forever()
