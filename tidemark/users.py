"""The Locust user that soaks a service, in an open or a closed workload."""

import gc
import time
from collections.abc import Mapping
from json import dumps
from typing import Any
from weakref import WeakKeyDictionary

import gevent
from locust.contrib.fasthttp import FastHttpUser
from locust.env import Environment
from locust.exception import CatchResponseError, StopTest

from tidemark.routes import Route, with_headers
from tidemark.routes.answers import accepted_count
from tidemark.routes.bodies import BATCHES, Bodies
from tidemark.routes.headers import Header
from tidemark.routes.template import Template
from tidemark.run.course import Arrival
from tidemark.run.ledger import ACCEPTED, REFUSED, UNDECIDED
from tidemark.run.load import Load, Sending
from tidemark.run.requests_record import MESSAGES, ROUTE
from tidemark.sending.alarm import Alarm
from tidemark.sending.crew import Crew
from tidemark.sending.exchange import Answer, Exchange

REFUSALS = range(400, 500)  # the service says that it takes nothing of it
MOST_ROUTES = 1000  # that are kept: tasks that make up a path each time would have no end
LONGEST_SLEEP_S = 0.25
ACCEPT = {"Accept": "application/json, */*;q=0.8"}

_loads: WeakKeyDictionary[Environment, Load] = WeakKeyDictionary()


def set_load(environment: Environment, load: Load | None) -> None:
    """Give the users of `environment` the load of the run that begins, or take it away.

    While there is one, the garbage collector leaves alone what was there before: to look through
    all that Locust has imported holds requests up for a tenth of a second.
    """
    if load is None:
        _loads.pop(environment, None)
        gc.unfreeze()
    else:
        _loads[environment] = load
        gc.freeze()


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
        self._alarm = Alarm()
        self._crew = Crew(self._send)
        self._routes: dict[tuple[str, str, str], Route] = {}
        self.network_timeout = self.connection_timeout = load.options.request_timeout
        self._headers = load.headers
        super().__init__(environment)
        # A request is one request, to this service: that it points elsewhere is its answer.
        self.client.client.redirect_response_codes = frozenset()  # type: ignore[misc]
        self._exchange = Exchange(self.client)

    def wait_time(self) -> float:
        """Seconds until the next request leaves; in the open workload they have gone by already."""
        if not self._open:
            runner = self.environment.runner
            return self._load.think_s(runner.user_count if runner else 1)
        arrival = self._load.next_arrival()
        while (due_s := self._load.due_s(arrival)) - time.monotonic() > LONGEST_SLEEP_S:
            self._alarm.wait_until(time.monotonic() + LONGEST_SLEEP_S)
            arrival = self._load.still(arrival)  # meanwhile another may have come to be due first
        self._arrival = arrival
        self._alarm.wait_until(due_s)
        return 0.0

    def on_start(self) -> None:
        """Wait for the first arrival, as before every other one."""
        gevent.sleep(self.wait_time())

    def on_stop(self) -> None:
        """Let the requests in flight come to their end."""
        self._crew.end(self._load.options.request_timeout)
        self._alarm.close()

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
        if self._load.is_over:
            return
        arrival = self._arrival or self._load.arrival_now()
        is_plain = json is None and body is None and headers is None
        route = self._routes.get((path, method, name)) if is_plain else None
        if route is None:
            carried = _bodies(json, body, is_batch=method == "POST")
            route = with_headers(_route(path, method, name, carried, headers or {}), self._headers)
            if is_plain and len(self._routes) < MOST_ROUTES:
                self._routes[path, method, name] = route
        sending = self._load.take(arrival, route)
        if self._open:
            self._crew.start(sending)
        else:
            self._send(sending)

    def _send(self, sending: Sending) -> None:
        self._load.leaving(sending)
        answer = self._exchange.send(sending.turn, sending.body)
        self._settle(answer, sending)

    def _settle(self, answer: Answer, sending: Sending) -> None:
        """Time the answer from when it was due and say in few words what failed."""
        since_due_s = time.monotonic() - sending.due_s
        route = sending.turn.route
        context = {**self.context(), ROUTE: route.name}
        failure = self._failure(answer, since_due_s, route)
        if failure:
            is_refused = answer.status in REFUSALS
            self._load.settle(sending, REFUSED if is_refused else UNDECIDED)
        else:
            context[MESSAGES] = self._accepted(answer, sending)
        self.environment.events.request.fire(
            request_type=answer.method,
            name=route.short_name or answer.path,
            response_time=since_due_s * 1000,
            response_length=len(answer.content),
            response=answer.response,
            context=context,
            exception=CatchResponseError(failure) if failure else None,
            start_time=time.time() - since_due_s,
            url=answer.url,
        )

    def _accepted(self, answer: Answer, sending: Sending) -> int | None:
        """Settle a success, and tell how many messages were accepted, as far as it says so."""
        route = sending.turn.route
        count = None
        if route.sends_batches or route.accepted is not None:
            count = accepted_count(answer.content, route.accepted)
        is_whole = count == self._load.options.batch_size or (
            count is None and route.accepted is None  # it says nothing but that it is content
        )
        self._load.settle(sending, ACCEPTED if is_whole else UNDECIDED)
        return count

    def _failure(self, answer: Answer, since_due_s: float, route: Route) -> str | None:
        """In few words, for they become rows of a table, what is wrong with the answer."""
        timeout_s = self._load.options.request_timeout
        if since_due_s > timeout_s:
            return f"no answer within {timeout_s:g} s"
        if answer.status == 0:
            if isinstance(answer.error, ConnectionRefusedError):
                return "connection refused"
            return f"no answer: {type(answer.error).__name__}"
        return route.success.failure(answer.status, answer.content)


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
