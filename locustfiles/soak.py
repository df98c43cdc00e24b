r"""Load for a night or a week on a service that writes to Kafka: its rate goes by day and night.

    locust -f locustfiles/soak.py --headless --rate 20 --run-time 72h
    locust -f locustfiles/soak.py --headless --rate 20 --run-time 72h \
        --shape spikes:every=1h,for=2m,factor=5 --stop-at fds=90% --fail-on leak

The shapes are constant, ramp, steps, spikes and day-night, see docs/soak.md. Every option of
ingest.py is one here too; what is set below holds where nobody says anything else.
"""

from locust import task

import tidemark.plugin  # noqa: F401 - registers the options and the run
from tidemark.defaults import set_defaults
from tidemark.users import SoakUser

# Locust's own table comes once, at the end: every two seconds it would fill a disk in a week.
set_defaults(shape="day-night", only_summary=True)


class IngestUser(SoakUser):
    """Posts batches of messages to the ingest endpoint."""

    @task
    def ingest(self) -> None:
        """One batch: a JSON array of strings."""
        self.send("/ingest")
