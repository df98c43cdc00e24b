"""The Locust user that soaks a service, in an open or a closed workload."""

import time
from collections.abc import Mapping
from json import dumps
from typing import Any
from weakref import WeakKeyDictionary

import gevent.pool
from locust.contrib.fasthttp import FastHttpUser, ResponseContextManager
from locust.env import Environment
from locust.exception import StopTest

from tidemark.routes import Route, with_headers
from tidemark.routes.answers import accepted_count
from tidemark.routes.bodies import BATCHES, Bodies
from tidemark.routes.headers import Header
from tidemark.routes.template import Template
from tidemark.run.course import Arrival
from tidemark.run.ledger import ACCEPTED, REFUSED, UNDECIDED
from tidemark.run.load import Load, Sending
from tidemark.run.requests_record import MESSAGES, ROUTE

REFUSALS = range(400, 500)  # the service says that it takes nothing of it
LONGEST_SLEEP_S = 0.25
ACCEPT = {"Accept": "application/json, */*;q=0.8"}

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

    A subclass gives tasks that call `send`. How many users there are makes no difference
    to the open workload, whose rate is `--rate`; one is enough. Where the run has routes
    (`--route`, tidemark.toml), they are sent instead of what the tasks say.
    """

    abstract = True
    concurrency = 10_000  # connections at once; the open workload must never wait for one
    default_headers = ACCEPT

    def __init__(self, environment: Environment) -> None:
        load = _loads.get(environment)
        if load is None:
            raise StopTest("no run has been started: import tidemark.plugin in the locustfile")
        self._load = load
        self._open = load.options.workload == "open"
        self._arrival: Arrival | None = None
        self._in_flight = gevent.pool.Pool()
        self.network_timeout = self.connection_timeout = load.options.request_timeout
        self._headers = load.headers
        super().__init__(environment)
        # A request is one request, to this service: that it points elsewhere is its answer.
        self.client.client.redirect_response_codes = frozenset()  # type: ignore[misc]

    def wait_time(self) -> float:
        """Seconds until the next request leaves."""
        if not self._open:
            runner = self.environment.runner
            return self._load.think_s(runner.user_count if runner else 1)
        arrival = self._load.next_arrival()
        # Meanwhile it may have become somebody else's turn.
        while (wait_s := self._load.wait_s(arrival)) > LONGEST_SLEEP_S:
            gevent.sleep(LONGEST_SLEEP_S)
            arrival = self._load.still(arrival)
        self._arrival = arrival
        return max(0.0, wait_s)

    def on_start(self) -> None:
        """Wait for the first arrival, as before every other one."""
        gevent.sleep(self.wait_time())

    def on_stop(self) -> None:
        """Let the requests in flight come to their end."""
        self._in_flight.join(timeout=self._load.options.request_timeout)

    def send(
        self,
        path: str = "",
        *,
        method: str = "POST",
        name: str = "",
        json: Any = None,
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send the next request, in the open workload without waiting for its answer.

        A POST of which nobody says what it carries is the next batch of the run's own messages.

        Args:
            path: where to, beneath the host; empty for the path of the host.
            method: of HTTP.
            name: what it is called in tables and reports; method and path where nobody says.
            json: what is sent as JSON.
            body: what is sent as it is, in place of JSON.
            headers: of this request.
        """
        arrival = self._arrival or self._load.arrival_now()
        carried = _bodies(json, body, is_batch=method == "POST")
        route = with_headers(_route(path, method, name, carried, headers or {}), self._headers)
        sending = self._load.take(arrival, route)
        if self._open:
            self._in_flight.spawn(self._send, sending)
        else:
            self._send(sending)

    def _send(self, sending: Sending) -> None:
        route = sending.turn.route
        request = sending.request()
        self._load.leaving(sending)
        with self.client.request(
            request.method,
            request.path,
            name=route.short_name,
            data=request.body,  # type: ignore[arg-type] # bytes go through
            headers=dict(request.headers),
            context={ROUTE: route.name},
            catch_response=True,
        ) as response:
            self._settle(response, sending)

    def _settle(self, response: ResponseContextManager, sending: Sending) -> None:
        """Time the answer from when it was due and say in few words what failed."""
        since_due_s = time.monotonic() - sending.due_s
        meta: dict[str, Any] = response.request_meta
        meta["response_time"] = since_due_s * 1000
        meta["start_time"] = time.time() - since_due_s
        route = sending.turn.route
        failure = self._failure(response, since_due_s, route)
        if failure:
            refused = response.status_code in REFUSALS
            self._load.settle(sending, REFUSED if refused else UNDECIDED)
            response.failure(failure)
            return
        count = None
        if route.sends_batches or route.accepted is not None:
            count = accepted_count(response.content or b"", route.accepted)
        is_whole = count == self._load.options.batch_size or (
            count is None and route.accepted is None  # it says nothing but that it is content
        )
        self._load.settle(sending, ACCEPTED if is_whole else UNDECIDED)
        meta["context"] = {**meta["context"], MESSAGES: count}
        response.success()

    def _failure(
        self, response: ResponseContextManager, since_due_s: float, route: Route
    ) -> str | None:
        """In few words, for they become rows of a table, what is wrong with the answer."""
        timeout_s = self._load.options.request_timeout
        if since_due_s > timeout_s:
            return f"no answer within {timeout_s:g} s"
        if response.status_code == 0:
            error = response.request_meta["exception"]
            if isinstance(error, ConnectionRefusedError):
                return "connection refused"
            return f"no answer: {type(error).__name__}"
        return route.success.failure(response.status_code, response.content or b"")


def _bodies(json: Any, body: str | bytes | None, *, is_batch: bool) -> Bodies | None:
    """What a request of a locustfile carries, with whatever braces are in it."""
    if body is not None:
        return Bodies((body.encode() if isinstance(body, str) else body,))
    if json is not None:
        return Bodies((dumps(json).encode(),), is_json=True)
    return BATCHES if is_batch else None


def _route(
    path: str, method: str, name: str, bodies: Bodies | None, headers: Mapping[str, str]
) -> Route:
    """The route of one request of a locustfile."""
    given = tuple(Header(key, Template.plain(value)) for key, value in headers.items())
    name = name or f"{method} {path}".strip()
    return Route(name, method, Template.plain(path), headers=given, body=bodies)
