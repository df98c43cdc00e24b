"""The body of `POST /ingest`: a JSON array, each element of which is one message."""

import json

from tidemark.targets.config import IngestLimits


class BatchError(Exception):
    """The body is refused.

    Attributes:
        status: The HTTP status that says so.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def parse_batch(body: bytes, limits: IngestLimits) -> list[bytes]:
    """Split a request body, a JSON array in UTF-8, into messages.

    Returns:
        The JSON text (RFC 8259, without white space, ASCII) of each element, in order.

    Raises:
        BatchError: The body is not JSON, not an array, empty, or too much of anything.
    """
    if len(body) > limits.max_body_bytes:
        raise body_too_large(limits)
    elements = _load_array(body)
    if not elements:
        raise BatchError(400, "the array is empty: send at least one message")
    if len(elements) > limits.max_messages:
        raise BatchError(
            413, f"{len(elements)} messages are too many: the limit is {limits.max_messages}"
        )
    return [_to_message(*numbered, limits.max_message_bytes) for numbered in enumerate(elements)]


def body_too_large(limits: IngestLimits) -> BatchError:
    """The refusal of a body that is too long, whoever notices it first."""
    return BatchError(413, f"the body is too large: the limit is {limits.max_body_bytes} bytes")


def _load_array(body: bytes) -> list[object]:
    try:
        document = json.loads(body.decode())
    except RecursionError:
        raise BatchError(400, "the body is nested too deeply") from None
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are ValueErrors
        raise BatchError(400, f"the body is not JSON: {error}") from error
    if not isinstance(document, list):
        kind = _JSON_TYPES[type(document)]
        raise BatchError(400, f"the body must be a JSON array of messages, not {kind}")
    return document


def _to_message(number: int, element: object, limit: int) -> bytes:
    try:
        message = json.dumps(element, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError as error:  # NaN and Infinity, which Python reads but JSON does not have
        raise BatchError(400, f"message {number} is not JSON: {error}") from error
    except RecursionError:
        raise BatchError(400, f"message {number} is nested too deeply") from None
    if len(message) > limit:
        raise BatchError(413, f"message {number} has {len(message)} bytes: the limit is {limit}")
    return message


_JSON_TYPES: dict[type, str] = {
    dict: "an object",
    str: "a string",
    int: "a number",
    float: "a number",
    bool: "a boolean",
    type(None): "null",
}
