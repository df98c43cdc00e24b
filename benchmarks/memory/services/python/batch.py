"""The batch of messages that every service is sent."""

MOST_MESSAGES = 20
FIELDS = {"id": int, "name": str, "value": (int, float), "tags": list}


def is_message(message: object) -> bool:
    """Whether it is an object that has each field, of its type."""
    return isinstance(message, dict) and all(
        isinstance(message.get(field), kind) for field, kind in FIELDS.items()
    )


def checked(batch: object) -> list[dict]:
    """The batch, if it is a list of 1 to 20 messages. Raises ValueError."""
    if not (
        isinstance(batch, list)
        and 1 <= len(batch) <= MOST_MESSAGES
        and all(is_message(message) for message in batch)
    ):
        raise ValueError(f"a list of 1 to {MOST_MESSAGES} messages is expected")
    return batch
