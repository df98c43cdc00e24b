"""Which route each arrival takes, and what it carries there: functions of a seed."""

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tidemark.routes.route import Request, Route
from tidemark.routes.template import Values


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
    """

    def __init__(self, routes: Sequence[Route], seed: int, run_id: str) -> None:
        self._routes = routes
        self._seed = seed
        self._run_id = run_id
        self._weights = list(itertools.accumulate(route.weight for route in routes))
        self._drawn = random.Random(f"routes-{seed}")  # noqa: S311 - repeatable, not secret
        self._numbers: Counter[str] = Counter()
        self._sequence = itertools.count(1)

    def next(self, of_user: Route) -> Turn:
        """The next turn: a route of the run, or that of the user where the run has none."""
        values = Values(next(self._sequence), self._run_id, self._seed)
        if not self._routes:
            return Turn(of_user, 0, values)
        (route,) = self._drawn.choices(self._routes, cum_weights=self._weights)
        number = self._numbers[route.name]
        self._numbers[route.name] += 1
        return Turn(route, number, values)
