"""The least that sends at a rate with Locust: a FastHttpUser at a constant throughput.

How long each request took is kept in a list, for Locust's own figures are rounded to milliseconds;
that is all that is added to what Locust does by itself.
"""

import json
import os
from array import array
from pathlib import Path
from typing import Any

from locust import FastHttpUser, constant_throughput, events, task

OUT = Path(os.environ["BENCH_OUT"])
BODY = Path(os.environ["BENCH_BODY"]).read_bytes()
RATE = float(os.environ["BENCH_RATE"])
USERS = int(os.environ["BENCH_USERS"])
JSON = {"Content-Type": "application/json"}

_times_ms = array("d")


class BareUser(FastHttpUser):
    """Posts the same body again and again."""

    wait_time = constant_throughput(RATE / USERS)

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
