"""Whether the memory of Locust, of the sampler and of the agent grows with the run.

    python -m benchmarks.soak       # 250,000 ticks and a million requests, 45 minutes
    python -m benchmarks.soak --ticks 2000 --requests 8000    # a quick look

Ticks are a hundredth of a second, so that days go by in minutes. A service, its broker, a sampler
and an agent are started, and Locust with its page, which fetches from the agent; what asks the
page and the agent is asked as a browser and a Prometheus server would. A second sampler watches
the first one, the agent and Locust, each with all below it, once a second; that recording is judged
by `tidemark check`. Ends with 1 where one of them is not clean, or where there were fewer ticks.
"""

import argparse
import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tidemark.analysis.verdict.assessment import Assessment, assess_directory
from tidemark.analysis.verdict.model import Interval, ResourceVerdict
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import REQUESTS, SAMPLES
from tidemark.record.stream import LineStream, RowStream

LOCUSTFILE = Path(__file__).with_name("soak_locustfile.py")
TICK_S = 0.01
WATCH_S = 1.0
BUDGET_PERCENT = 10.0
"""Of a core, for what of a tick is dear: the names of descriptors, and connections."""
RATE = 430.0
"""Requests a second: a million in about the time that the ticks take."""
PAGE_S, METRICS_S = 2.0, 15.0
"""How often a browser asks Locust's page, and a Prometheus server the agent."""
AT_ONCE_S = 120.0
"""Longer than a start, or an end, takes on a busy machine."""
MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Wanted:
    """How much is to be seen.

    Attributes:
        ticks: Of the sampler, of the agent, and rows of requests.csv.
        requests: That were answered.
    """

    ticks: int
    requests: int


class Counted:
    """How many ticks a growing table has; only what is new is read.

    Args:
        path: The table, which begins with the times.
    """

    def __init__(self, path: Path) -> None:
        self.ticks = 0
        self._lines = LineStream(path)
        self._last = b""

    def look(self) -> int:
        """How many there are by now."""
        for line in self._lines.new_lines():
            time_s = line.partition(b",")[0]
            self.ticks += time_s not in {self._last, b"time_s"}
            self._last = time_s
        return self.ticks


class Parts:
    """What runs, each part a process of its own; ended the other way round.

    Args:
        folder: What they write.
        stack: Ends them.
    """

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._stack = stack

    def start(self, name: str, *command: str, ending: int = signal.SIGTERM) -> "Part":
        """Start a part."""
        part = Part(name, list(command), self.folder / f"{name}.log")
        self._stack.callback(part.end, ending)
        return part

    def tidemark(self, name: str, *arguments: str, ending: int = signal.SIGTERM) -> "Part":
        """Start one of our own commands."""
        return self.start(name, sys.executable, "-m", "tidemark", *arguments, ending=ending)


class Part:
    """A process that says in one line of JSON that it is ready.

    Args:
        name: What it is called.
        command: How it is started.
        log: Where its complaints go.
    """

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name, self._log = name, log
        with log.open("wb") as file:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file)
        self.pid = self._process.pid

    def told(self) -> dict[str, Any]:
        """What it says when it is ready."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line.startswith(b"{"):
            raise SystemExit(f"{self.name} did not begin: {line!r} {self._log.read_text()}")
        told: dict[str, Any] = json.loads(line)
        return told

    @property
    def is_alive(self) -> bool:
        """That it is: when it has ended, the bench ends here."""
        if self._process.poll() is not None:
            raise SystemExit(f"{self.name} has ended: {self._log.read_text()[-2000:]}")
        return True

    def end(self, number: int = signal.SIGTERM) -> None:
        """End it, and wait for it."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=AT_ONCE_S)
            return
        self._process.kill()
        self._process.communicate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _get(port: int, path: str) -> bytes | None:
    """An answer; None where there is none yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", path)
        return connection.getresponse().read()
    return None


@contextlib.contextmanager
def asking(*questions: tuple[int, str, float]) -> Iterator[None]:
    """Ask again and again meanwhile: port, path, and every how many seconds."""
    over = threading.Event()

    def ask(port: int, path: str, every_s: float) -> None:
        while not over.wait(every_s):
            _get(port, path)

    threads = [threading.Thread(target=ask, args=one, daemon=True) for one in questions]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def _wait_until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + AT_ONCE_S
    while not holds():
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: not within {AT_ONCE_S:g} s")
        time.sleep(0.1)


def record(wanted: Wanted, folder: Path) -> Mapping[str, int]:
    """Run all of it until enough was seen.

    Returns:
        How many ticks each of those has that tick.
    """
    with ExitStack() as stack:
        parts = Parts(folder, stack)
        broker = parts.tidemark("broker", "broker", "--brokers=1")
        bootstrap = ",".join(broker.told()["bootstrap"])
        target = parts.tidemark("target", "target", "shared", f"--bootstrap={bootstrap}")
        url = str(target.told()["url"])
        watching = [f"--pid={target.pid}", f"--interval={TICK_S}", f"--brokers={bootstrap}"]
        watching.append(f"--budget={BUDGET_PERCENT}")
        sampled, fetched, own = (folder / name for name in ("sampled", "agent", "run"))
        sampler = parts.tidemark("sampler", "sample", *watching, f"--out={sampled}")
        sampler.told()
        agent, agent_port = _agent(parts, watching, fetched)
        locust, page_port = _locust(parts, url, agent_port, own)
        _wait_until(lambda: locust.is_alive and (own / REQUESTS.file).exists(), "the load")
        roots = {"locust": locust, "sampler": sampler, "agent": agent}
        counted = {
            "sampler": Counted(sampled / SAMPLES.file),
            "agent": Counted(fetched / SAMPLES.file),
            "requests.csv": Counted(own / REQUESTS.file),
        }
        watcher = parts.tidemark(
            "watcher",
            "sample",
            *(f"--pid={name}={part.pid}" for name, part in roots.items()),
            f"--interval={WATCH_S}",
            f"--out={folder / 'watched'}",
            ending=signal.SIGINT,
        )
        watcher.told()
        with asking(
            (page_port, "/stats/requests", PAGE_S),
            (page_port, "/", METRICS_S),
            (agent_port, "/metrics", METRICS_S),
        ):
            _watch(wanted, counted, RowStream(own, REQUESTS), [watcher, *roots.values()])
        watcher.end(signal.SIGINT)
    _count_requests(own, folder / "watched")
    return {name: one.look() for name, one in counted.items()}


def _agent(parts: Parts, watching: list[str], out: Path) -> tuple[Part, int]:
    packed, port = parts.folder / "tidemark-agent.pyz", _free_port()
    subprocess.run([sys.executable, "-m", "tidemark.agent.archive", packed], check=True)
    serve = f"--serve=127.0.0.1:{port}"
    agent = parts.start("agent", sys.executable, str(packed), *watching, f"--out={out}", serve)
    agent.told()
    return agent, port


def _locust(parts: Parts, url: str, agent_port: int, out: Path) -> tuple[Part, int]:
    port = _free_port()
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), f"--host={url}"]
    command += [
        f"--agent=service=http://127.0.0.1:{agent_port}",
        f"--results={out.parent}",
        f"--run-name={out.name}",
    ]
    command += [
        "--no-report",
        f"--rate={RATE:g}",
        "--batch-size=1",
        "--autostart",
        f"--web-port={port}",
    ]
    return parts.start("locust", *command, ending=signal.SIGINT), port


def _watch(
    wanted: Wanted, counted: Mapping[str, Counted], rows: RowStream, parts: list[Part]
) -> None:
    """Wait until enough was seen, and say now and then how far it is."""
    requests, said_s = 0, time.monotonic()
    while True:
        time.sleep(1.0)
        assert all(part.is_alive for part in parts)
        for row in rows.new_rows():
            requests = int(row["requests"])
        ticks = min(one.look() for one in counted.values())
        if ticks >= wanted.ticks and requests >= wanted.requests:
            return
        if time.monotonic() - said_s >= 60:
            said_s = time.monotonic()
            print(f"{ticks:,} ticks, {requests:,} requests", file=sys.stderr, flush=True)


def _count_requests(run: Path, watched: Path) -> None:
    """Put the requests of the run beside what was watched, on its time, one row a second."""
    first = RowStream(watched, SAMPLES).new_rows()[0]
    began_s = float(first["time_s"]) - float(first["elapsed_s"])
    last_s = -WATCH_S
    with RunDirectory(watched).writer(REQUESTS) as table:
        for row in RowStream(run, REQUESTS).new_rows():
            elapsed_s = round(float(row["time_s"]) - began_s, 6)
            if elapsed_s >= max(last_s + WATCH_S, 0.0):
                last_s = elapsed_s
                table.append({**row, "elapsed_s": elapsed_s})


def _shown(value: float | None, interval: Interval | None, factor: float) -> str:
    if value is None:
        return "not told"
    told = f"{value * factor:+,.4g}"
    if interval is None:
        return told
    return f"{told} [{interval.low * factor:+,.4g}, {interval.high * factor:+,.4g}]"


def _row(target: str, found: ResourceVerdict) -> str:
    """A row of the table: memory in KiB, the rest as it is."""
    is_memory = found.resource == "rss_bytes"
    unit = 1 / 1024 if is_memory else 1.0
    an_hour, a_request = (
        (found.per_hour, found.per_hour_interval),
        (found.per_request, found.per_request_interval),
    )
    cells = [
        target,
        "memory, KiB" if is_memory else found.resource,
        found.verdict,
        f"{(found.baseline or 0) * unit:,.0f} -> {(found.last or 0) * unit:,.0f}",
        _shown(*an_hour, unit),
        _shown(*an_hour, unit * 1000 * TICK_S / 3600),
        _shown(*a_request, unit * 1000),
    ]
    return f"| {' | '.join(cells)} |"


def table(assessment: Assessment) -> str:
    """What was found of each resource of each of them."""
    lines = [
        "| process | resource | verdict | from -> to | an hour | 1,000 ticks | 1,000 requests |",
        "|---|---|---|---|---|---|---|",
    ]
    for target in assessment.targets:
        lines += [_row(target.id, one) for one in target.found.resources.values()]
    return "\n".join(lines)


def run(wanted: Wanted, folder: Path) -> int:
    """Record and judge; returns the exit code."""
    ticks = record(wanted, folder)
    watched = folder / "watched"
    for name, count in ticks.items():
        print(f"{name}: {count:,} ticks")
    checked = subprocess.run([sys.executable, "-m", "tidemark", "check", watched], check=False)
    assessment = assess_directory(watched)
    print(table(assessment))
    for target in assessment.targets:
        for one in target.found.resources.values():
            print(f"{target.id}, {one.resource}: {one.reason}")
    is_enough = all(count >= wanted.ticks for count in ticks.values())
    return 0 if is_enough and checked.returncode == 0 else 1


def main() -> int:
    """Run it; see above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--ticks", type=int, default=250_000, help="to be seen at least")
    parser.add_argument("--requests", type=int, default=1_000_000, help="the same")
    parser.add_argument("--keep", type=Path, help="keep what is written in this new folder")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        return run(Wanted(given.ticks, given.requests), folder)


if __name__ == "__main__":
    sys.exit(main())
