"""Three routes of one service, asked for at random: the locustfile of `benchmarks.routes`."""

from locust import task

import tidemark.plugin  # noqa: F401 - registers the options and the run
from tidemark.users import SoakUser


class RoutesUser(SoakUser):
    """Sends six, three and one of ten requests to a route each."""

    @task(6)
    def query(self) -> None:
        """The usual request."""
        self.send("/query")

    @task(3)
    def search(self) -> None:
        """One that comes half as often."""
        self.send("/search")

    @task(1)
    def ingest(self) -> None:
        """The rare one."""
        self.send("/ingest")
