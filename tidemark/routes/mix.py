"""Which route each arrival takes, and what it carries there: functions of a seed."""

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tidemark.routes.route import Request, Route
from tidemark.routes.template import Values


@dataclass(frozen=True, slots=True)
class Drawn:
    """The route of one arrival.

    Attributes:
        route: where to.
        number: which request of this route it is, from 0.
    """

    route: Route
    number: int


@dataclass(frozen=True, slots=True)
class Turn:
    """What one arrival sends.

    Attributes:
        route: where to.
        number: which request of this route it is, from 0.
        values: what its placeholders stand for.
    """

    route: Route
    number: int
    values: Values

    def request(self, batch: bytes = b"") -> Request:
        """Make the request, now that it leaves: `{now}` is this moment.

        Args:
            batch: the run's own messages, if the route carries them.
        """
        return self.route.request(self.values, self.number, batch)


class Mix:
    """Draws the routes of a run by their weights.

    Args:
        routes: of the run; none where its users say what they send.
        seed: the same seed gives the same routes, in the same order.
        run_id: the run's id.
        part: which part of a run whose parts draw each for itself this is, from 0.
        parts: how many there are; the requests of a route are numbered through all of them.
    """

    def __init__(
        self, routes: Sequence[Route], seed: int, run_id: str, part: int = 0, parts: int = 1
    ) -> None:
        self._routes = routes
        self._seed = seed
        self._run_id = run_id
        self._part, self._parts = part, parts
        self._weights = list(itertools.accumulate(route.weight for route in routes))
        whose = f"routes-{seed}-{part}" if parts > 1 else f"routes-{seed}"
        self._drawn = random.Random(whose)  # noqa: S311 - repeatable, not secret
        self._numbers: Counter[str] = Counter()

    def draw(self) -> Drawn | None:
        """The route of the next arrival; None where its user says what it sends."""
        if not self._routes:
            return None
        (route,) = self._drawn.choices(self._routes, cum_weights=self._weights)
        number = self._numbers[route.name]
        self._numbers[route.name] += 1
        return Drawn(route, number * self._parts + self._part)

    def turn(self, number: int, drawn: Drawn | None, of_user: Route) -> Turn:
        """What arrival `number`, from 0, sends: to the route drawn for it, or to its user's."""
        values = Values(number + 1, self._run_id, self._seed)
        return Turn(drawn.route, drawn.number, values) if drawn else Turn(of_user, 0, values)
