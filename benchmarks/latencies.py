"""A locustfile without users: when each request was answered, and after how many milliseconds.

    locust -f locustfiles/ingest.py,benchmarks/latencies.py

A line for each, `TIME_S,LATENCY_MS`, in the file that the variable of the environment names; TIME_S
is that of `time.time()`.
"""

import os
import time
from pathlib import Path
from typing import Any

from locust import events

VARIABLE = "TIDEMARK_BENCH_LATENCIES"


def install(**_: Any) -> None:
    """Write from now on, until Locust ends."""
    out = Path(os.environ[VARIABLE]).open("w")  # noqa: SIM115

    def note(response_time: float, **_: Any) -> None:
        out.write(f"{time.time():.4f},{response_time:.3f}\n")

    events.request.add_listener(note)
    events.quit.add_listener(lambda **_: out.close())


events.init.add_listener(install)
