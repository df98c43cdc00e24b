"""Routes that an OpenAPI document proposes: one for each operation that can be repeated."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus, urlsplit

from tidemark.routes.document import Document
from tidemark.routes.examples import example_of
from tidemark.routes.reading import LONGEST_NAME, MOST_ROUTES

METHODS = ("get", "post", "put", "patch")
_OTHERS = ("delete", "head", "options", "trace")
_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"
_PARAMETER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of a document.

    Attributes:
        method: in capitals.
        path: as the document has it.
        said: what it says of the operation.
        parameters: those of its path and its own, references followed.
    """

    method: str
    path: str
    said: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def parameters_in(self, where: str) -> dict[str, Mapping[str, Any]]:
        """Name -> parameter: of the path, the query, the headers, the body or the form."""
        return {str(one.get("name")): one for one in self.parameters if one.get("in") == where}


def propose_routes(path: Path) -> list[dict[str, Any]]:
    """The routes of a document, as tidemark.toml has them.

    Path parameters are `{seq}`, bodies are the document's examples or made of its schemas, secrets
    come from the environment. What is left out, `left_out` says.

    Args:
        path: The document, JSON or YAML.

    Raises:
        OptionError: It cannot be read, or is something else; one line.
    """
    document = Document(path)
    kept = list(_kept(document))[:MOST_ROUTES]
    routes = [_route(document, operation) for operation in kept]
    names = [route["name"] for route in routes]
    for operation, route in zip(kept, routes, strict=True):
        if names.count(route["name"]) > 1:
            route["name"] = str(operation)[:LONGEST_NAME]
    return routes


def left_out(path: Path) -> list[str]:
    """The operations for which there is no route, each with the reason.

    Raises:
        OptionError: As `propose_routes`.
    """
    document = Document(path)
    told = [
        f"{one}: {why}"
        for one in _operations(document, (*METHODS, *_OTHERS))
        if (why := _why_not(document, one))
    ]
    more = list(_kept(document))[MOST_ROUTES:]
    return [*told, *(f"{one}: {MOST_ROUTES} routes are told apart" for one in more)]


def _kept(document: Document) -> Iterator[Operation]:
    return (one for one in _operations(document, METHODS) if not _why_not(document, one))


def _operations(document: Document, methods: tuple[str, ...]) -> Iterator[Operation]:
    for path, item in document.part("paths").items():
        said = document.table(item)
        for method in methods:
            if isinstance(said.get(method), dict):
                given = [*_list(said.get("parameters")), *_list(said[method].get("parameters"))]
                parameters = tuple(document.table(one) for one in given)
                yield Operation(method.upper(), str(path), said[method], parameters)


def _why_not(document: Document, operation: Operation) -> str | None:
    """Why an operation is left out; None if it is not."""
    if operation.method == "DELETE":
        return "a service is not to be emptied by a test; add a route if it may be"
    if operation.method.lower() not in METHODS:
        return "carries no load"
    if document.is_swagger:
        has_file = any(one.get("type") == "file" for one in operation.parameters)
        return "a file is uploaded there; add a route with a body of yours" if has_file else None
    content = _content(document, operation)
    if content and not _media(content):
        return f"its body is {', '.join(map(str, content))[:80]}; add a route with a body of yours"
    return None


def _route(document: Document, operation: Operation) -> dict[str, Any]:
    name = operation.said.get("operationId")
    is_name = isinstance(name, str) and name.strip() and name.isprintable()
    headers = _of_parameters(document, operation, "header") | _secrets(document, operation)
    body = _form(document, operation) if document.is_swagger else _body(document, operation)
    route: dict[str, Any] = {
        "name": str(name if is_name else operation)[:LONGEST_NAME],
        "method": operation.method,
        "path": _base(document) + _path(document, operation),
        "query": _of_parameters(document, operation, "query"),
        "headers": headers | ({"Content-Type": body[1]} if body and body[1] else {}),
        "body": body[0] if body else None,
        "success": _success(document, operation),
    }
    return {key: value for key, value in route.items() if value not in (None, {})}


def _base(document: Document) -> str:
    """What stands before every path."""
    if document.is_swagger:
        base = str(document.part("basePath") or "")
    else:
        server = document.table(next(iter(_list(document.part("servers"))), {}))
        variables = document.table(server.get("variables"))
        url = _PARAMETER.sub(
            lambda found: str(document.table(variables.get(found[1])).get("default", "")),
            str(server.get("url", "")),
        )
        base = urlsplit(url).path
    base = base.strip("/")
    return f"/{base}" if base else ""


def _path(document: Document, operation: Operation) -> str:
    known = operation.parameters_in("path")

    def filled(found: re.Match[str]) -> str:
        schema = _schema(document, known.get(found[1], {}))
        if schema.get("enum"):
            return quote_plus(str(schema["enum"][0]))
        return "{uuid}" if schema.get("format") == "uuid" else "{seq}"

    return _PARAMETER.sub(filled, operation.path)


def _schema(document: Document, parameter: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a parameter; before OpenAPI 3 it was one itself."""
    if document.is_swagger and "schema" not in parameter:
        return {key: value for key, value in parameter.items() if key not in {"in", "name"}}
    return document.table(parameter.get("schema"))


def _of_parameters(document: Document, operation: Operation, where: str) -> dict[str, str]:
    """The values of the parameters that have to be there."""
    return {
        name: _as_text(_given_or_made(document, one, _schema(document, one)))
        for name, one in operation.parameters_in(where).items()
        if one.get("required") is True
    }


def _given_or_made(document: Document, said: Mapping[str, Any], schema: Any) -> Any:
    """The example that is given of a parameter or a body, or else one of its schema."""
    if "example" in said:
        return said["example"]
    for one in document.table(said.get("examples")).values():
        if "value" in (given := document.table(one)):
            return given["value"]
    return example_of(document, schema)


def _as_text(value: Any) -> str:
    """A value of the query or of a header, in which only placeholders of ours are in braces."""
    if isinstance(value, list):
        return ",".join(map(_as_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    pieces = re.split(r"(\{(?:seq|uuid|now|run_id|random:[0-9]{1,6})\})", text)
    doubled = (piece.replace("{", "{{").replace("}", "}}") for piece in pieces[::2])
    return "".join(
        piece for pair in zip(doubled, [*pieces[1::2], ""], strict=True) for piece in pair
    )


def _content(document: Document, operation: Operation) -> Mapping[str, Any]:
    return document.table(document.table(operation.said.get("requestBody")).get("content"))


def _media(content: Mapping[str, Any]) -> str | None:
    """The kind of body that is sent: JSON if it may be."""
    kinds = {str(kind).partition(";")[0].strip().lower(): str(kind) for kind in content}
    for kind, given in kinds.items():
        if kind in {"application/json", "*/*"} or kind.endswith(("/json", "+json")):
            return given
    return kinds.get(_FORM)


def _body(document: Document, operation: Operation) -> tuple[str, str] | None:
    """The body of an operation, and what it is where it does not tell by itself."""
    content = _content(document, operation)
    media = _media(content) if content else None
    if media is None:
        return None
    said = document.table(content[media])
    return _encoded(_given_or_made(document, said, said.get("schema", {})), media)


def _form(document: Document, operation: Operation) -> tuple[str, str] | None:
    """The same before OpenAPI 3, where bodies and fields of forms are parameters."""
    for one in operation.parameters_in("body").values():
        return _encoded(example_of(document, one.get("schema", {})), _JSON)
    fields = operation.parameters_in("formData")
    if not fields:
        return None
    required = {name: one for name, one in fields.items() if one.get("required") is True}
    made = {
        name: example_of(document, _schema(document, one))
        for name, one in (required or fields).items()
    }
    return _encoded(made, _FORM)


def _encoded(value: Any, media: str) -> tuple[str, str]:
    if media == _FORM and isinstance(value, dict):
        fields = (
            f"{quote_plus(str(name))}={quote_plus(_plain(one), safe='{}:')}"
            for name, one in value.items()
        )
        return "&".join(fields), _FORM
    is_told_by_itself = media in {_JSON, "*/*"} and isinstance(value, dict | list)
    return json.dumps(value, default=str), "" if is_told_by_itself else media.replace("*/*", _JSON)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)


def _secrets(document: Document, operation: Operation) -> dict[str, str]:
    """The headers that let somebody in: their values are in the environment."""
    needed = operation.said.get("security", document.part("security"))
    first: Any = next(iter(_list(needed)), {})
    if not isinstance(first, dict) or {} in _list(needed):
        return {}
    components = document.table(document.part("components"))
    name = "securityDefinitions" if document.is_swagger else "securitySchemes"
    schemes = document.table(document.part(name) if document.is_swagger else components.get(name))
    headers: dict[str, str] = {}
    for one in first:
        headers |= _secret(document.table(schemes.get(one)))
    return headers


def _secret(scheme: Mapping[str, Any]) -> dict[str, str]:
    kind, where = scheme.get("type"), scheme.get("in")
    if kind == "apiKey" and where == "header":
        return {str(scheme.get("name")): "${API_KEY}"}
    if kind == "apiKey" and where == "cookie":
        return {"Cookie": f"{scheme.get('name')}=${{API_KEY}}"}
    if kind == "basic" or (kind == "http" and str(scheme.get("scheme")).lower() == "basic"):
        return {"Authorization": "Basic ${BASIC_AUTH}"}
    is_bearer = kind in {"http", "oauth2", "openIdConnect"}
    return {"Authorization": "Bearer ${TOKEN}"} if is_bearer else {}


def _success(document: Document, operation: Operation) -> dict[str, Any]:
    """The statuses that say success, where none of them begins with 2."""
    statuses = [str(status).lower() for status in document.table(operation.said.get("responses"))]
    good = [int(one) for one in statuses if re.fullmatch(r"3[0-9]{2}", one)]
    if any(one.startswith("2") or one == "default" for one in statuses) or not good:
        return {}
    return {"status": good}


def _list(given: Any) -> list[Any]:
    return given if isinstance(given, list) else []
