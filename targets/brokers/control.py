"""Commands to a running cluster, a line of JSON each: `--control` of `tidemark broker`.

`{"do": "kill", "brokers": [1]}` on stdin is answered with `{"done": "kill", "brokers": [1]}` on
stdout, or with `{"error": "..."}`. An `"id"` in a command stands in its answer too, so that one
that comes late is not taken for another's. A broker that is killed refuses connections until it is
restarted; one that is frozen keeps them, and answers nothing until it is thawed.
"""

import contextlib
import json
import sys
import threading

from tidemark.record.command_line import announce
from tidemark.targets.brokers.kafka_cluster import KafkaCluster
from tidemark.targets.brokers.mock_cluster import MockCluster
from tidemark.targets.errors import TargetError

ACTIONS = ("kill", "restart", "freeze", "thaw")


def take_commands(cluster: KafkaCluster | MockCluster, broker_count: int) -> None:
    """Begin to obey the commands on stdin, in a thread of its own."""
    given = (cluster, broker_count)
    threading.Thread(target=_obey_all, args=given, name="control", daemon=True).start()


def _obey_all(cluster: KafkaCluster | MockCluster, broker_count: int) -> None:
    for line in sys.stdin:
        mark = _mark_of(line)
        try:
            action, brokers = parse_command(line, broker_count)
            getattr(cluster, action)(brokers)
        except TargetError as error:
            announce(error=str(error), **mark)
        else:
            announce(done=action, brokers=brokers, **mark)
    # A broker that was restarted here is bound to this thread, and would end with it.
    threading.Event().wait()


def _mark_of(line: str) -> dict[str, object]:
    """The `id` of a command, if it has one."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return {"id": json.loads(line)["id"]}
    return {}


def parse_command(line: str, broker_count: int) -> tuple[str, list[int]]:
    """Read one command.

    Args:
        line: The line of JSON.
        broker_count: How many brokers there are; their ids begin at 1.

    Returns:
        The action, one of `ACTIONS`, and the brokers that it is for.

    Raises:
        TargetError: It is something else.
    """
    try:
        command = json.loads(line)
        action, brokers = command["do"], command["brokers"]
        known = action in ACTIONS and all(b in range(1, broker_count + 1) for b in brokers)
    except (ValueError, TypeError, KeyError):
        known = False
    if not known:
        raise TargetError(
            f"{line.strip()!r} is no command: say "
            f'{{"do": "{"|".join(ACTIONS)}", "brokers": [1, ..., {broker_count}]}}'
        )
    return action, brokers
