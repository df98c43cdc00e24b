"""Routes as they are given: an array of tables in a file, or texts of a command line."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from tidemark.record.errors import OptionError
from tidemark.record.objects import shown_text
from tidemark.record.options import LONGEST_MESSAGE, number, shown
from tidemark.routes.answers import MISSING, OK, JsonPath, Success, parse_path
from tidemark.routes.bodies import Bodies, parse_body, parse_file_of_bodies
from tidemark.routes.headers import Header, parse_header, read_header
from tidemark.routes.route import Route
from tidemark.routes.template import Template, parse_template

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
MOST_ROUTES = 100
"""routes.csv tells no more apart."""
LONGEST_NAME = 100
_KEYS = (
    "name",
    "method",
    "path",
    "query",
    "headers",
    "body",
    "bodies",
    "weight",
    "success",
    "accepted",
)
_OF_SUCCESS = ("status", "json", "equals")
_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)
_BEFORE_A_ROUTE = re.compile(rf"\n(?=\s*(?:{'|'.join(METHODS)})\s+/)")


_T = TypeVar("_T")


class _WrongError(ValueError):
    """A route cannot be used.

    Args:
        key: which of its keys is wrong, from the route on; empty for the route itself.
        message: what is wrong with it.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}" if key else message)
        self.key = key
        self.message = message


def read_routes(given: object, folder: Path, where: str = "load.routes") -> tuple[Route, ...]:
    """Check the routes of a file.

    Args:
        given: what an array of tables in TOML or JSON gives.
        folder: what the files of bodies are named from.
        where: what leads to them in the file, for messages.

    Raises:
        OptionError: one line that names the key and says what is wrong.
    """
    if not isinstance(given, list) or not given:
        raise _refusal(where, "must be an array of tables, one a route: [{path = '/'}]")
    if len(given) > MOST_ROUTES:
        raise _refusal(where, f"{len(given)} are too many: {MOST_ROUTES} at most are told apart")
    routes = []
    for index, table in enumerate(given):
        try:
            routes.append(_route(table, folder))
        except _WrongError as error:
            key = f"{where}[{index}]{'.' if error.key else ''}{error.key}"
            raise _refusal(key, error.message) from error
    if double := _double(routes):
        first, second, name = double
        raise _refusal(
            f"{where}[{second}].name",
            f"{shown(name)} is the name of [{first}] as well: give each a name of its own",
        )
    return tuple(routes)


def parse_route(text: str, folder: Path) -> tuple[Route, ...]:
    """Check a route of a command line, `METHOD PATH [BODY|@FILE]`, or several on a line each.

    Raises:
        ValueError: what is wrong.
    """
    return tuple(_route_of(one.strip(), folder) for one in _BEFORE_A_ROUTE.split(text))


def _route_of(text: str, folder: Path) -> Route:
    method, _, rest = text.partition(" ")
    path, _, body = rest.strip().partition(" ")
    if method.upper() not in METHODS or not path:
        raise ValueError(
            f"must be METHOD PATH [BODY|@FILE], as in 'POST /v1/events @order.json', "
            f"not {shown(' '.join(text.split()[:2]))}"
        )
    table: dict[str, Any] = {"method": method, "path": path}
    if body.strip():
        table["body"] = body.strip()
    return _route(table, folder)


def expect_apart(routes: Sequence[Route]) -> None:
    """Check that the routes of a command line are told apart.

    Raises:
        ValueError: two have the same method and path.
    """
    if double := _double(routes):
        raise ValueError(
            f"{shown(double[2])} is there twice: vary the path, or name them in tidemark.toml"
        )


def read_headers(texts: Iterable[str]) -> tuple[Header, ...]:
    """Check the headers of a command line, `Name: value`.

    Raises:
        ValueError: what is wrong, without the value.
    """
    return tuple(
        read_header(line) for text in texts for line in text.strip().splitlines() if line.strip()
    )


def with_headers(route: Route, headers: Sequence[Header]) -> Route:
    """The same route with these headers too, which stand in the place of those of their name."""
    keys = {header.key for header in headers}
    kept = tuple(header for header in route.headers if header.key not in keys)
    return replace(route, headers=(*kept, *headers))


def _refusal(key: str, message: str) -> OptionError:
    return OptionError(shown_text(f"{key}: {message}", LONGEST_MESSAGE))


def _double(routes: Sequence[Route]) -> tuple[int, int, str] | None:
    """Two routes of the same name: their indexes and the name."""
    seen: dict[str, int] = {}
    for index, route in enumerate(routes):
        if route.name in seen:
            return seen[route.name], index, route.name
        seen[route.name] = index
    return None


def _route(table: object, folder: Path) -> Route:
    given = _table("", table, _KEYS)
    if "body" in given and "bodies" in given:
        raise _WrongError("bodies", "contradicts body: leave out one")
    body = _body(given, folder)
    if "path" not in given:
        raise _WrongError("path", "must be given, as in '/v1/events'")
    path = _checked("path", _path, given["path"])
    default = "GET" if body is None else "POST"
    method = _checked("method", _method, given.get("method", default))
    return Route(
        name=_checked("name", _name, given.get("name", _default_name(method, path))),
        method=method,
        path=path,
        query=_query(given.get("query", {})),
        headers=_headers(given.get("headers", {})),
        body=body,
        weight=_checked("weight", _weight, given.get("weight", 1.0)),
        success=_success(given.get("success", {})),
        accepted=_json_path("accepted", given["accepted"]) if "accepted" in given else None,
    )


def _table(key: str, given: object, keys: Sequence[str]) -> Mapping[str, Any]:
    """A table that has no other keys."""
    if not isinstance(given, dict):
        raise _WrongError(key, f"must be a table, not {shown(given)}")
    for name in given:
        if name not in keys:
            close = difflib.get_close_matches(str(name), keys, 1)
            remedy = f"did you mean {close[0]}?" if close else f"there are {', '.join(keys)}"
            inner = f"{key}.{str(name)[:40]}" if key else str(name)[:40]
            raise _WrongError(inner, f"is not known; {remedy}")
    return given


def _checked(key: str, check: Callable[[Any], _T], given: Any) -> _T:
    try:
        return check(given)
    except ValueError as error:
        raise _WrongError(key, str(error)) from error


def _body(given: Mapping[str, Any], folder: Path) -> Bodies | None:
    if "bodies" in given:
        return _checked("bodies", lambda one: parse_file_of_bodies(one, folder), given["bodies"])
    if "body" in given:
        return _checked("body", lambda one: parse_body(one, folder), given["body"])
    return None


def _path(given: Any) -> Template:
    if not isinstance(given, str) or not given.startswith("/"):
        raise ValueError(f"must begin with / (the host is that of --host), not {shown(given)}")
    if not given.isprintable() or any(c in given for c in ' #\\"<>'):
        raise ValueError(f"{shown(given)} holds what no path has; write %20 for a space")
    return parse_template(given)


def _method(given: Any) -> str:
    if str(given).upper() not in METHODS:
        raise ValueError(f"must be one of {', '.join(METHODS)}, not {shown(given)}")
    return str(given).upper()


def _default_name(method: str, path: Template) -> str:
    return f"{method} {path.text.partition('?')[0]}"[:LONGEST_NAME]


def _name(given: Any) -> str:
    if not isinstance(given, str) or not given.strip() or not given.isprintable():
        raise ValueError(f"must be a name on one line, not {shown(given)}")
    if len(given) > LONGEST_NAME:
        raise ValueError(f"must be {LONGEST_NAME} characters at most, not {shown(given)}")
    return given.strip()


def _weight(given: Any) -> float:
    if isinstance(given, bool):
        raise ValueError(f"must be a number greater than 0, not {shown(given)}")  # noqa: TRY004
    return number(0, 1e6, exclusive=True)(given)


def _query(given: Any) -> tuple[tuple[str, Template], ...]:
    if not isinstance(given, dict):
        raise _WrongError("query", f"must be a table, not {shown(given)}")
    return tuple(
        (name, _checked(f"query.{name}", _query_value, value)) for name, value in given.items()
    )


def _query_value(given: Any) -> Template:
    if isinstance(given, bool):
        return Template.plain(str(given).lower())
    if isinstance(given, int | float):
        return Template.plain(str(given))
    if not isinstance(given, str):
        raise ValueError("must be a text or a number")  # noqa: TRY004 - in one line, as all are
    return parse_template(given)


def _headers(given: Any) -> tuple[Header, ...]:
    if not isinstance(given, dict):
        raise _WrongError("headers", "must be a table: headers = {Name = 'value'}")
    return tuple(
        _checked(f"headers.{name}", partial(_header, name), value) for name, value in given.items()
    )


def _header(name: str, value: Any) -> Header:
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004
    return parse_header(name, value)


def _success(given: Any) -> Success:
    table = _table("success", given, _OF_SUCCESS)
    if "equals" in table and "json" not in table:
        raise _WrongError("success.equals", "says nothing without json, which says where it stands")
    statuses = _checked("success.status", _statuses, table["status"]) if "status" in table else OK
    path = _json_path("success.json", table["json"]) if "json" in table else None
    return Success(statuses, path, table.get("equals", MISSING))


def _statuses(given: Any) -> tuple[range, ...]:
    each = given if isinstance(given, list) else [given]
    if not each:
        raise ValueError("must name one status at least")
    return tuple(map(_status, each))


def _status(given: Any) -> range:
    if isinstance(given, str) and (found := _CLASS.fullmatch(given.strip())):
        return range(int(found[1]) * 100, int(found[1]) * 100 + 100)
    text = str(given).strip()
    if isinstance(given, bool) or not re.fullmatch(r"[1-5][0-9]{2}", text):
        raise ValueError(f"must be '2xx', 200 or a list of those, not {shown(given)}")
    return range(int(text), int(text) + 1)


def _json_path(key: str, given: Any) -> JsonPath:
    if not isinstance(given, str):
        raise _WrongError(key, "must be a path like data.items[0].id")
    return _checked(key, parse_path, given)
