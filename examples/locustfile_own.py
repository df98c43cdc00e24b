"""A locustfile as anybody has one: with one import its runs are recorded, judged and ended.

locust -f examples/locustfile_own.py --headless -u 20 -t 60s \
        --host http://127.0.0.1:8080 --target-pid 4711 --bootstrap 127.0.0.1:9092
"""

import random

from locust import HttpUser, between, task

import tidemark.plugin  # noqa: F401 - the line that was added


class Shopper(HttpUser):
    """Orders things, and now and then asks what became of them."""

    wait_time = between(0.1, 0.5)

    @task(9)
    def order(self) -> None:
        """One order."""
        self.client.post("/v1/orders", json={"item": random.randrange(100), "count": 1})  # noqa: S311

    @task(1)
    def query(self) -> None:
        """One of the orders; its name keeps the ids from being routes of their own."""
        self.client.get(f"/v1/orders/{random.randrange(1000)}", name="/v1/orders/ID")  # noqa: S311
