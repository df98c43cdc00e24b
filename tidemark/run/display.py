"""What is shown of a run while it goes on: the options that say so."""

from typing import Any

from tidemark.record.options import Option, duration, flag


def heartbeat(given: Any) -> float:
    """Seconds between two heartbeats; 0 for none."""
    if str(given).strip() in {"0", "0.0", "0s"}:
        return 0.0
    return duration(given)


HEARTBEAT = Option(
    "",
    heartbeat,
    "1m",
    "time between two lines that say how a run without a web UI or a live panel is getting on; 0 "
    "for none",
    "TIME",
    in_form=False,
)
NO_PANEL = Option(
    "",
    flag,
    False,
    "no live panel on a terminal: lines, and Locust's own statistics, instead",
    is_flag=True,
    in_form=False,
)
