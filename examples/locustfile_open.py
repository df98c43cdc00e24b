"""The same users as in locustfile_own.py, moved to open arrivals.

They do not wait for an answer before the next request, so that a service that stalls is not spared
meanwhile; and what a request took is counted from when it was due. `--rate` says how many arrive
in a second. What changes: the base class, `send` in place of `client`, no `wait_time`.

    locust -f examples/locustfile_open.py --headless --rate 60 -t 60s \
        --host http://127.0.0.1:8080 --target-pid 4711 --bootstrap 127.0.0.1:9092
"""

import random

from locust import task

import tidemark.plugin  # noqa: F401 - registers the options and the run
from tidemark.users import SoakUser


class Shopper(SoakUser):
    """Orders things, and now and then asks what became of them."""

    @task(9)
    def order(self) -> None:
        """One order."""
        self.send("/v1/orders", json={"item": random.randrange(100), "count": 1})  # noqa: S311

    @task(1)
    def query(self) -> None:
        """One of the orders; its name keeps the ids from being routes of their own."""
        path = f"/v1/orders/{random.randrange(1000)}"  # noqa: S311
        self.send(path, method="GET", name="GET /v1/orders/ID")
