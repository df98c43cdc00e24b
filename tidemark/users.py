"""The Locust user that soaks a service, in an open or a closed workload."""

import time
from typing import Any
from weakref import WeakKeyDictionary

import gevent.pool
from locust.contrib.fasthttp import FastHttpUser, ResponseContextManager
from locust.env import Environment
from locust.exception import StopTest

from tidemark.run.ledger import ACCEPTED, REFUSED, UNDECIDED
from tidemark.run.load import Arrival, Load

REFUSALS = range(400, 500)  # the service says that it takes nothing of it
JSON = {"Content-Type": "application/json", "Accept": "application/json"}

_loads: WeakKeyDictionary[Environment, Load] = WeakKeyDictionary()


def set_load(environment: Environment, load: Load | None) -> None:
    """Give the users of `environment` the load of the run that begins, or take it away."""
    if load is None:
        _loads.pop(environment, None)
    else:
        _loads[environment] = load


class SoakUser(FastHttpUser):
    """Sends each request when it is due and times it from then.

    In the open workload (the default) arrivals do not wait for answers: a target that stalls for
    two seconds shows two seconds of slow requests, not one slow request and a pause. In the
    closed workload a user waits for its answer, then thinks.

    A subclass gives one `@task` that calls `send`. How many users there are makes no difference
    to the open workload, whose rate is `--rate`; one is enough.
    """

    abstract = True
    concurrency = 10_000  # connections at once; the open workload must never wait for one
    default_headers = JSON

    def __init__(self, environment: Environment) -> None:
        load = _loads.get(environment)
        if load is None:
            raise StopTest("no run has been started: import tidemark.plugin in the locustfile")
        self._load = load
        self._open = load.options.workload == "open"
        self._arrival: Arrival | None = None
        self._in_flight = gevent.pool.Pool()
        self.network_timeout = self.connection_timeout = load.options.request_timeout
        super().__init__(environment)

    def wait_time(self) -> float:
        """Seconds until the next request leaves."""
        if not self._open:
            runner = self.environment.runner
            return self._load.think_s(runner.user_count if runner else 1)
        self._arrival = self._load.next_arrival()
        return max(0.0, self._arrival.due_s - time.monotonic())

    def on_start(self) -> None:
        """Wait for the first arrival, as before every other one."""
        gevent.sleep(self.wait_time())

    def on_stop(self) -> None:
        """Let the requests in flight come to their end."""
        self._in_flight.join(timeout=self._load.options.request_timeout)

    def send(self, path: str) -> None:
        """POST the next batch of messages to `path`, or to the path of the host when empty."""
        arrival = self._arrival or self._load.arrival_now()
        if self._open:
            self._in_flight.spawn(self._post, path, arrival)
        else:
            self._post(path, arrival)

    def _post(self, path: str, arrival: Arrival) -> None:
        self._load.leaving(arrival)
        with self.client.post(
            path,
            data=arrival.body,  # type: ignore[arg-type] # bytes go through
            catch_response=True,
        ) as response:
            self._settle(response, arrival)

    def _settle(self, response: ResponseContextManager, arrival: Arrival) -> None:
        """Time the answer from when it was due and say in few words what failed."""
        since_due_s = time.monotonic() - arrival.due_s
        meta: dict[str, Any] = response.request_meta
        meta["response_time"] = since_due_s * 1000
        meta["start_time"] = time.time() - since_due_s
        failure = self._failure(response, since_due_s)
        if failure:
            refused = response.status_code in REFUSALS
            self._load.settle(arrival, REFUSED if refused else UNDECIDED)
            response.failure(failure)
            return
        count = _message_count(response.text)
        whole = count in {None, self._load.options.batch_size}
        self._load.settle(arrival, ACCEPTED if whole else UNDECIDED)
        meta["context"] = {**meta["context"], "messages": count}
        response.success()

    def _failure(self, response: ResponseContextManager, since_due_s: float) -> str | None:
        """In few words, for they become rows of a table, what is wrong with the answer."""
        timeout_s = self._load.options.request_timeout
        if since_due_s > timeout_s:
            return f"no answer within {timeout_s:g} s"
        if response.status_code == 0:
            error = response.request_meta["exception"]
            if isinstance(error, ConnectionRefusedError):
                return "connection refused"
            return f"no answer: {type(error).__name__}"
        if not 200 <= response.status_code < 300:
            return f"HTTP {response.status_code}"
        return None


def _message_count(answer: str | None) -> int | None:
    """The number of messages that the service says it took; None when it says something else."""
    text = (answer or "").strip()
    return int(text) if text.isdecimal() else None
