"""What a Prometheus server holds of a leaking service beside what the sampler saw of it.

    python -m benchmarks.prometheus --minutes 10

A real server scrapes a real service every five seconds (Debian's `prometheus`; a Go program with
client_golang, which needs the go command), while the sampler records the same process, and again
by its metrics page alone. The driver's own count of requests is the sampler's requests.csv. The
server's part is imported; all three are judged. Ends with 1 where a verdict is another, or where
the growth of descriptors is off by more than 5 %.
"""

import argparse
import contextlib
import http.client
import json
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tidemark.analysis.verdict.assessment import Assessment, assess_directory
from tidemark.record.clock import RunClock
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import REQUESTS

SERVICE = Path(__file__).with_name("prometheus_service")
JOB = "leaking"
SCRAPE_S = 5.0
RATE = 10.0
EVERY = 5
"""Requests to a leaked descriptor."""
FDS_LIMIT = 4096
WITHIN = 0.05
"""Share by which growth may differ from what the sampler saw."""
_PATIENCE_S = 30.0


class PrometheusServer:
    """A server of its own, with its data in a folder; ended by `close`.

    Args:
        folder: For its configuration and its data.
        targets: `host:port` of what it scrapes, as the job `JOB`.
        scrape_s: Seconds between scrapes.
        page: The path of what it scrapes.

    Attributes:
        url: Where it answers.
    """

    def __init__(
        self, folder: Path, targets: Sequence[str], scrape_s: float, page: str = "/metrics"
    ) -> None:
        program = shutil.which("prometheus")
        if program is None:
            raise SystemExit("prometheus is not installed (Debian: apt-get install prometheus)")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "prometheus.yml"
        config.write_text(_config(targets, scrape_s, page))
        command = [program, f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_until(lambda: self._is_ready(port), "the Prometheus server is ready")
        except BaseException:
            self.close()
            raise

    def _is_ready(self, port: int) -> bool:
        if self._process.poll() is not None:
            raise SystemExit(f"the Prometheus server ended: {self._log.read_text()}")
        return _answers(port, "/-/ready")

    def close(self) -> None:
        """End it."""
        end(self._process)


def _config(targets: Sequence[str], scrape_s: float, page: str) -> str:
    """A configuration; JSON is YAML."""
    static = [{"targets": list(targets)}]
    scraped = {"job_name": JOB, "metrics_path": page, "static_configs": static}
    every = f"{round(scrape_s * 1000)}ms"
    usual = {"scrape_interval": every, "scrape_timeout": every}
    return json.dumps({"global": usual, "scrape_configs": [scraped]})


def free_port() -> int:
    """A port of this host that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    return False


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + _PATIENCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {_PATIENCE_S:g} s")
        time.sleep(0.1)


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> None:
    """End a child and wait for it."""
    process.send_signal(number)
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def service(folder: Path) -> Iterator[tuple[int, str]]:
    """The leaking service, built anew; its process id and address."""
    program = folder / "service"
    subprocess.run(["go", "build", "-o", str(program), "."], cwd=SERVICE, check=True)
    limits = (FDS_LIMIT, FDS_LIMIT)
    process = subprocess.Popen(
        [program, "-every", str(EVERY)],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limits),  # noqa: PLW1509
    )
    try:
        assert process.stdout is not None
        yield process.pid, process.stdout.readline().decode().strip()
    finally:
        end(process)


def sampler(out: Path, clock: RunClock, *arguments: str) -> subprocess.Popen[bytes]:
    """`tidemark sample`, when its first sample is on disk."""
    command = [sys.executable, "-m", "tidemark", "sample", "--out", str(out), *arguments]
    command += ["--started-monotonic", str(clock.started_monotonic_s)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    if not process.stdout.readline():
        raise SystemExit(f"the sampler did not begin: {' '.join(command)}")
    return process


def drive(address: str, out: Path, clock: RunClock, lasts_s: float) -> int:
    """Send requests at a steady rate, and record how many were answered.

    Returns:
        How many there were.
    """
    connection = http.client.HTTPConnection(address, timeout=5)
    sent = failed = 0
    with RunDirectory(out).writer(REQUESTS) as rows, contextlib.closing(connection):
        begin_s = time.monotonic()
        while (due_s := begin_s + sent / RATE) < begin_s + lasts_s:
            time.sleep(max(due_s - time.monotonic(), 0.0))
            connection.request("POST", "/work")
            with connection.getresponse() as answer:
                answer.read()
                failed += answer.status != http.client.OK
            sent += 1
            if sent % int(RATE) == 0:
                now = clock.now()
                counts = {"users": 1, "requests": sent, "failures": failed}
                rows.append({"time_s": now.time_s, "elapsed_s": now.elapsed_s, **counts})
    return sent


@dataclass(frozen=True, slots=True)
class Result:
    """What was found on the descriptors of one run directory."""

    name: str
    assessment: Assessment

    @property
    def verdict(self) -> str:
        """What was said of them."""
        return self.assessment.verdict.resources["fds"].verdict

    @property
    def per_request(self) -> float:
        """By how many of them each request grew."""
        return self.assessment.verdict.resources["fds"].per_request or 0.0

    def row(self, truth: "Result") -> str:
        """A row of the table."""
        found = self.assessment.verdict.resources["fds"]
        interval = found.per_request_interval
        low, high = (interval.low, interval.high) if interval else (0.0, 0.0)
        at = found.exhaustion_elapsed_s
        off = self.per_request / truth.per_request - 1 if truth.per_request else float("nan")
        return (
            f"{self.name:14} {self.verdict:12} {self.per_request:.4f} [{low:.4f}, {high:.4f}]"
            f"  {off:+7.2%}  {found.per_hour or 0:8.1f}/h  limit {found.limit or 0:,.0f}"
            f" at {(at or 0) / 3600:.2f} h  (whole run: {self.assessment.result})"
        )


def run(minutes: float, folder: Path) -> int:
    """Record, import, judge; returns the exit code."""
    clock = RunClock.start()
    sampled, paged, imported = (folder / name for name in ("sampled", "page", "imported"))
    with ExitStack() as stack:
        pid, address = stack.enter_context(service(folder))
        server = PrometheusServer(folder, [address], SCRAPE_S)
        stack.callback(server.close)
        by_pid = sampler(sampled, clock, "--pid", str(pid), "--brokers", "127.0.0.1:9")
        stack.callback(end, by_pid, signal.SIGINT)
        by_page = sampler(paged, clock, "--metrics-url", f"http://{address}/metrics")
        stack.callback(end, by_page, signal.SIGINT)
        began_s = time.time()
        sent = drive(address, sampled, clock, minutes * 60)
        command = [sys.executable, "-m", "tidemark", "import", "prometheus", "--url", server.url]
        command += ["--job", JOB, "--start", str(began_s), "--out", str(imported)]
        time.sleep(SCRAPE_S)  # for the last scrape
        subprocess.run(command, check=True)
    print(f"{sent:,} requests, a descriptor leaked with each {EVERY}th\n")
    results = [Result(path.name, assess_directory(path)) for path in (sampled, imported, paged)]
    for result in results:
        print(result.row(results[0]))
    return 0 if all(_agree(result, results[0]) for result in results) else 1


def _agree(one: Result, truth: Result) -> bool:
    return one.verdict == truth.verdict and (
        abs(one.per_request - truth.per_request) <= WITHIN * abs(truth.per_request)
    )


def main() -> int:
    """Run it; see above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0, help="how long it is driven")
    parser.add_argument("--keep", type=Path, help="keep the run directories in this new folder")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        return run(given.minutes, folder)


if __name__ == "__main__":
    sys.exit(main())
