"""Days in minutes, watched from outside."""

import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.soak import TICK_S
from benchmarks.soak.parts import Part, Parts, asking, free_port, wait_until
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import REQUESTS, SAMPLES
from tidemark.record.stream import LineStream, RowStream

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
WATCH_S = 1.0
BUDGET_PERCENT = 10.0
"""Of a core, for what of a tick is dear: the names of descriptors, and connections."""
RATE, USERS = 600.0, 20
"""Requests a second if answers took no time: a million in about the time that the ticks take. Users
wait for their answers, so that there are as many connections as users, however busy the machine."""
PAGE_S, METRICS_S = 2.0, 15.0
"""How often a browser asks Locust's page, and a Prometheus server the agent."""


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
        wait_until(lambda: locust.is_alive and (own / REQUESTS.file).exists(), "the load")
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
        )
        watcher.told()
        with asking(
            (page_port, "/stats/requests", PAGE_S),
            (page_port, "/", METRICS_S),
            (agent_port, "/metrics", METRICS_S),
        ):
            _watch(wanted, counted, RowStream(own, REQUESTS), [watcher, *roots.values()])
        watcher.end()
    count_requests(own, folder / "watched")
    return {name: one.look() for name, one in counted.items()}


def _agent(parts: Parts, watching: list[str], out: Path) -> tuple[Part, int]:
    packed, port = parts.folder / "tidemark-agent.pyz", free_port()
    subprocess.run([sys.executable, "-m", "tidemark.agent.archive", packed], check=True)
    serve = f"--serve=127.0.0.1:{port}"
    agent = parts.start("agent", sys.executable, str(packed), *watching, f"--out={out}", serve)
    agent.told()
    return agent, port


def _locust(parts: Parts, url: str, agent_port: int, out: Path) -> tuple[Part, int]:
    port = free_port()
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), f"--host={url}"]
    command += [
        f"--agent=service=http://127.0.0.1:{agent_port}",
        f"--results={out.parent}",
        f"--run-name={out.name}",
    ]
    command += [
        "--no-report",
        "--workload=closed",
        f"--users={USERS}",
        f"--spawn-rate={USERS}",
        f"--rate={RATE:g}",
        "--batch-size=1",
        "--autostart",
        f"--web-port={port}",
    ]
    return parts.start("locust", *command), port


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


def count_requests(run: Path, watched: Path) -> None:
    """Put the requests of the run beside what was watched, on its time, one row a second."""
    samples = RowStream(watched, SAMPLES).new_rows()
    began_s = float(samples[0]["time_s"]) - float(samples[0]["elapsed_s"])
    ended_s = float(samples[-1]["elapsed_s"])
    last_s = -WATCH_S
    with RunDirectory(watched).writer(REQUESTS) as table:
        for row in RowStream(run, REQUESTS).new_rows():
            elapsed_s = round(float(row["time_s"]) - began_s, 6)
            if max(last_s + WATCH_S, 0.0) <= elapsed_s <= ended_s:
                last_s = elapsed_s
                table.append({**row, "elapsed_s": elapsed_s})
