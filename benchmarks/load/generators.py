"""The load generators that are compared: how each is started, and what it says afterwards."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tidemark.run.batches import Batches

BATCH_SIZE, PAYLOAD_BYTES = 10, 100
"""The product's defaults, and so a body of 1,040 bytes from each of them."""
PRODUCT_TAKES_PROCESSES = True
"""Whether the product is measured with several processes too."""
REQUESTS_OF_A_USER = 25
"""Per second, of the bare user: an answer takes far less than the 40 ms between two of them."""
_HERE = Path(__file__).parent
_LOCUSTFILE = Path(__file__).parents[2] / "locustfiles" / "ingest.py"
_QUIET = ("--only-summary", "--loglevel", "WARNING")


@dataclass(frozen=True, slots=True)
class Load:
    """What a generator is asked for.

    Attributes:
        address: `host:port` of the server.
        rate: Requests per second.
        processes: Worker processes; of a program in Go, processors that it may use at once.
        lasts_s: Seconds.
        folder: Of this load, for what it needs and what it writes.
        programs: The folder of the programs in Go.
    """

    address: str
    rate: int
    processes: int
    lasts_s: int
    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        """Where the requests go."""
        return f"http://{self.address}/ingest"

    @property
    def body(self) -> Path:
        """A file with a body like the product's."""
        path = self.folder / "body.json"
        path.write_bytes(Batches(BATCH_SIZE, PAYLOAD_BYTES, 1, "0a1b2c3d").body(0))
        return path


@dataclass(frozen=True, slots=True)
class Said:
    """What a generator says of itself; None is what it does not say, all in milliseconds."""

    late_p50_ms: float | None = None
    late_p99_ms: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None


class Generator:
    """One of them.

    Attributes:
        name: In the table.
    """

    name = ""

    def command(self, load: Load) -> list[str]:
        """How it is started."""
        raise NotImplementedError

    def environment(self, load: Load) -> Mapping[str, str]:  # noqa: ARG002 - of others
        """What is added to its environment."""
        return {}

    def said(self, load: Load) -> Said:
        """What it has written."""
        raise NotImplementedError

    def takes(self, processes: int) -> bool:
        """Whether it can be had with so many processes."""
        return processes >= 1


def _locust(load: Load, locustfile: Path) -> list[str]:
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", *_QUIET]
    command += ["-t", f"{load.lasts_s}s", "--host", f"http://{load.address}"]
    return command + (["--processes", str(load.processes)] if load.processes > 1 else [])


class Product(Generator):
    """This one, as anybody starts it; nothing is watched, for that is the sampler's cost."""

    name = "tidemark"

    def command(self, load: Load) -> list[str]:
        """How it is started."""
        return [
            *_locust(load, _LOCUSTFILE),
            *("--rate", str(load.rate), "--no-target", "--no-report"),
            *("--results", str(load.folder), "--run-name", "run"),
        ]

    def said(self, load: Load) -> Said:
        """What it has written."""
        run = json.loads((load.folder / "run" / "run.json").read_text())
        late, latency = run["lateness_ms"] or {}, run["latency_ms"] or {}
        return Said(late.get("p50"), late.get("p99"), latency.get("p50"), latency.get("p99"))

    def takes(self, processes: int) -> bool:
        """Whether it can be had with so many processes."""
        return processes == 1 or PRODUCT_TAKES_PROCESSES


class Bare(Generator):
    """A bare FastHttpUser of the same Locust."""

    name = "FastHttpUser"

    def command(self, load: Load) -> list[str]:
        """How it is started."""
        users = str(self._users(load))
        return [*_locust(load, _HERE / "bare.py"), "-u", users, "-r", users]

    def environment(self, load: Load) -> Mapping[str, str]:
        """What is added to its environment."""
        return {
            "BENCH_OUT": str(load.folder),
            "BENCH_BODY": str(load.body),
            "BENCH_RATE": str(load.rate),
            "BENCH_USERS": str(self._users(load)),
        }

    @staticmethod
    def _users(load: Load) -> int:
        return math.ceil(load.rate / REQUESTS_OF_A_USER)

    def said(self, load: Load) -> Said:
        """What it has written."""
        files = load.folder.glob("times-*.json")
        times_ms = sorted(time for file in files for time in json.loads(file.read_text()))
        return replace(Said(), p50_ms=_nearest(times_ms, 0.50), p99_ms=_nearest(times_ms, 0.99))


class BareAtRandom(Bare):
    """The same, waiting at random: its requests come as ours do, and it sends a little less."""

    name = "FastHttpUser-random"

    def environment(self, load: Load) -> Mapping[str, str]:
        """What is added to its environment."""
        return {**super().environment(load), "BENCH_WAITS": "random"}


class Vegeta(Generator):
    """vegeta: an open workload at a constant rate."""

    name = "vegeta"

    def command(self, load: Load) -> list[str]:
        """How it is started."""
        targets = load.folder / "targets"
        header = "Content-Type: application/json"
        targets.write_text(f"POST {load.url}\n{header}\n@{load.body}\n")
        return [
            str(load.programs / "vegeta"),
            *("-cpus", str(load.processes), "attack", "-targets", str(targets)),
            *("-rate", str(load.rate), "-duration", f"{load.lasts_s}s"),
            *("-output", str(load.folder / "results")),
        ]

    def said(self, load: Load) -> Said:
        """What it has written."""
        results = str(load.folder / "results")
        command = [str(load.programs / "vegeta"), "report", "-type", "json", results]
        told: dict[str, Any] = json.loads(subprocess.check_output(command))
        p50_ns, p99_ns = (told["latencies"][name] for name in ("50th", "99th"))
        return replace(Said(), p50_ms=p50_ns / 1e6, p99_ms=p99_ns / 1e6)


class K6(Generator):
    """k6: an open workload at a constant rate."""

    name = "k6"

    def command(self, load: Load) -> list[str]:
        """How it is started."""
        script = str(_HERE / "arrivals.js")
        return [str(load.programs / "k6"), "run", "--quiet", "--no-usage-report", script]

    def environment(self, load: Load) -> Mapping[str, str]:
        """What is added to its environment."""
        return {
            "BENCH_URL": load.url,
            "BENCH_BODY": str(load.body),
            "BENCH_RATE": str(load.rate),
            "BENCH_SECONDS": f"{load.lasts_s}",
            "BENCH_SUMMARY": str(load.folder / "summary.json"),
            "GOMAXPROCS": str(load.processes),
        }

    def said(self, load: Load) -> Said:
        """What it has written."""
        told = json.loads((load.folder / "summary.json").read_text())
        values = told["http_req_duration"]["values"]
        return replace(Said(), p50_ms=values["med"], p99_ms=values["p(99)"])


GENERATORS: tuple[Generator, ...] = (Product(), Bare(), BareAtRandom(), Vegeta(), K6())


def start(generator: Generator, load: Load) -> subprocess.Popen[bytes]:
    """Start one; what it says goes into a file of its folder."""
    with (load.folder / "output").open("wb") as output:
        return subprocess.Popen(
            generator.command(load),
            env=os.environ | generator.environment(load),
            cwd=load.folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )


def _nearest(ordered: Sequence[float], fraction: float) -> float | None:
    """Nearest-rank percentile."""
    return ordered[max(0, math.ceil(fraction * len(ordered)) - 1)] if ordered else None
