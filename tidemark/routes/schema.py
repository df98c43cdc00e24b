"""The JSON schema of a route, for editors that help with tidemark.toml."""

from typing import Any

from tidemark.routes.reading import LONGEST_NAME, METHODS

_STATUS = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^([1-5][xX]{2}|[1-5][0-9]{2})$"},
    ]
}
_PATH_IN_JSON = {"type": "string", "minLength": 1}

ROUTE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["path"],
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": LONGEST_NAME,
            "description": "what tables and reports call it; method and path if none",
        },
        "method": {
            "enum": [*METHODS],
            "description": "POST with a body, or else GET, if none",
        },
        "path": {
            "type": "string",
            "pattern": "^/",
            "description": "beneath the URL of the service; {seq}, {uuid}, {random:SIZE}, {now} "
            "and {run_id} are replaced",
        },
        "query": {
            "type": "object",
            "additionalProperties": {"type": ["string", "number", "boolean"]},
            "description": "names and values",
        },
        "headers": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "names and values; ${NAME} is a variable of the environment",
        },
        "body": {
            "type": ["string", "object", "array"],
            "description": "a text, @FILE, or what is sent as JSON; {batch} for the run's own "
            "messages",
        },
        "bodies": {
            "type": "string",
            "pattern": r"^@.*\.([cC][sS][vV]|[jJ][sS][oO][nN][lL]|[nN][dD][jJ][sS][oO][nN])$",
            "description": "@FILE.jsonl or @FILE.csv: a body a line, in order",
        },
        "weight": {
            "type": "number",
            "exclusiveMinimum": 0,
            "maximum": 1e6,
            "description": "its share among the weights of all routes; 1 if none",
        },
        "success": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "status": {"anyOf": [*_STATUS["anyOf"], {"type": "array", "items": _STATUS}]},
                "json": {**_PATH_IN_JSON, "description": "what has to stand in the answer"},
                "equals": {"description": "what has to stand there"},
            },
            "description": "when a request has succeeded; any 2xx if none",
        },
        "accepted": {
            **_PATH_IN_JSON,
            "description": "where in the answer the number of accepted messages stands",
        },
    },
}
"""Of one element of `[load] routes`."""
