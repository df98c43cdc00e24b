"""The least that sends at a rate with Locust: a FastHttpUser at a constant throughput.

Two things are added to what Locust does by itself. Each user begins at a random moment, for users
that begin together stay in step: twenty of them would send bursts of twenty, which is another load,
and a cheaper one. They fall into step all the same, as requests that are answered together are
followed by requests that leave together; users that wait at random, which is asked for with
BENCH_WAITS=random, do not, and their requests come as those of a Poisson process do. And how
long each request took is kept in a list, for Locust's own figures are rounded to milliseconds.
"""

import json
import os
import random
from array import array
from pathlib import Path
from typing import Any

import gevent
from locust import FastHttpUser, constant_throughput, events, task

OUT = Path(os.environ["BENCH_OUT"])
BODY = Path(os.environ["BENCH_BODY"]).read_bytes()
RATE = float(os.environ["BENCH_RATE"])
USERS = int(os.environ["BENCH_USERS"])
AT_RANDOM = os.environ.get("BENCH_WAITS") == "random"
JSON = {"Content-Type": "application/json"}

_times_ms = array("d")


class BareUser(FastHttpUser):
    """Posts the same body again and again."""

    paced = constant_throughput(RATE / USERS)

    def wait_time(self) -> float:
        """Seconds until the next request."""
        return random.expovariate(RATE / USERS) if AT_RANDOM else self.paced()

    def on_start(self) -> None:
        """Begin at a moment of its own."""
        gevent.sleep(random.uniform(0, USERS / RATE))

    @task
    def ingest(self) -> None:
        """One request."""
        self.client.post("/ingest", data=BODY, headers=JSON)  # type: ignore[arg-type]


@events.request.add_listener  # type: ignore[untyped-decorator]
def on_request(response_time: float, **_: Any) -> None:
    """Keep how long it took."""
    _times_ms.append(response_time)


@events.quit.add_listener  # type: ignore[untyped-decorator]
def on_quit(**_: Any) -> None:
    """Write what was kept; with --processes each process what it has seen."""
    if _times_ms:
        (OUT / f"times-{os.getpid()}.json").write_text(json.dumps(list(_times_ms)))
