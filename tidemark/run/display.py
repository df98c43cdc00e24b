"""What is shown of a run while it goes on: the options that say so."""

from typing import Any

from tidemark.record.options import Option, duration, flag
from tidemark.run.terminal import can_be_lent


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


def wants_panel(options: Any) -> bool:
    """Whether the panel may stand in the place of the statistics that Locust prints every 2 s.

    Not where Locust's are asked for, nor where other processes of it write to the same terminal.

    Args:
        options: Those of Locust and ours, as they were given.
    """
    is_headless = options.headless and not options.print_stats
    return bool(is_headless and not flag(options.no_panel) and not options.processes)


def give_way_to_panel(options: Any) -> None:
    """Let Locust print its statistics at the end alone, if there is going to be a panel."""
    if wants_panel(options) and can_be_lent():
        options.only_summary = True
