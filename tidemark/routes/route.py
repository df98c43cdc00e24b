"""One route of a service: what is sent there, how often, and what its answers mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, quote_plus

from tidemark.record.secrets import HIDDEN, without_secrets
from tidemark.routes.answers import ANY_2XX, JsonPath, Success
from tidemark.routes.bodies import Bodies
from tidemark.routes.headers import Header
from tidemark.routes.template import Template, Values

JSON = "application/json"
_SAFE_IN_PATH = "/%:@!$&'()*+,;=~-._?"


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it is sent.

    Attributes:
        method: its method.
        path: path and query, beneath the URL of the service.
        headers: name -> value.
        body: its body; None where there is none.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        name: what tables, reports and thresholds call it.
        method: of its requests.
        path: beneath the URL of the service.
        query: names and values.
        headers: beside those that the HTTP client adds.
        body: what its requests carry.
        weight: its share of the requests, among the weights of all routes.
        success: when a request has succeeded.
        accepted: where in the answer the number of accepted messages stands; None where nobody
            said, see `accepted_count`.
    """

    name: str
    method: str
    path: Template
    query: tuple[tuple[str, Template], ...] = ()
    headers: tuple[Header, ...] = ()
    body: Bodies | None = None
    weight: float = 1.0
    success: Success = ANY_2XX
    accepted: JsonPath | None = None

    @property
    def sends_batches(self) -> bool:
        """Whether it carries the run's own messages, of which the ledger keeps account."""
        return self.body is not None and self.body.are_batches

    @property
    def short_name(self) -> str:
        """The name without the method, which Locust's own tables put before it."""
        return self.name.removeprefix(f"{self.method} ")

    def request(self, values: Values, number: int, batch: bytes = b"") -> Request:
        """Make one request.

        Args:
            values: what the placeholders stand for.
            number: which request of this route it is, from 0.
            batch: the run's own messages, if it carries them.
        """
        path = self._path(values)
        headers = {header.name: header.value.render(values) for header in self._all_headers()}
        return Request(self.method, path, headers, self.body_of(values, number, batch))

    def body_of(self, values: Values, number: int, batch: bytes = b"") -> bytes | None:
        """The body of a request that `request` makes."""
        if self.body is None:
            return None
        return batch if self.body.are_batches else self.body.at(number, values)

    @property
    def has_one_head(self) -> bool:
        """Whether nothing but the body differs from one request to the next."""
        templates = [self.path, *(value for _, value in self.query)]
        templates += [header.value for header in self.headers]
        return all(template.constant is not None for template in templates)

    def _path(self, values: Values) -> str:
        path = quote(self.path.render(values), safe=_SAFE_IN_PATH)
        query = "&".join(
            f"{quote_plus(name)}={quote_plus(value.render(values))}" for name, value in self.query
        )
        if not query:
            return path
        return f"{path}{'&' if '?' in path else '?'}{query}"

    def _all_headers(self) -> tuple[Header, ...]:
        is_json = self.body is not None and self.body.is_json
        if not is_json or any(header.key == "content-type" for header in self.headers):
            return self.headers
        return (Header("Content-Type", Template.plain(JSON)), *self.headers)

    def to_json(self) -> dict[str, Any]:
        """As run.json has it: no value of a header or of the query, for they may be secrets."""
        path, _, query = self.path.text.partition("?")
        in_path = [one.partition("=")[0] for one in query.split("&") if one]
        return {
            "name": self.name,
            "method": self.method,
            "path": without_secrets(path),
            "query": [*in_path, *(name for name, _ in self.query)],
            "headers": {header.name: HIDDEN for header in self.headers},
            "weight": self.weight,
        }
