"""Sustained POST load on a service that writes to Kafka.

    locust -f locustfiles/ingest.py --headless -t 60s --strategy per-request-leaked
    locust -f locustfiles/ingest.py --host http://127.0.0.1:8080 --target-pid 4711 \
        --bootstrap 127.0.0.1:9092

Something else is sent with --route, see docs/requests.md; or copy it: one task, one call of `send`.
"""

from locust import task

import tidemark.plugin  # noqa: F401 - registers the options and the run
from tidemark.users import SoakUser


class IngestUser(SoakUser):
    """Posts batches of messages to the ingest endpoint."""

    @task
    def ingest(self) -> None:
        """One batch: a JSON array of strings."""
        self.send("/ingest")
