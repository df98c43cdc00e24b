"""What does not go together in a service: what is started has other keys than what runs."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from tidemark.services.placeholders import placeholders_in

COMMAND, URL = "command", "url"
FOUND_BY = (
    "target_pid",
    "target_port",
    "target_command",
    "target_unit",
    "target_container",
    "pid_file",
    "agent",
    "no_target",
)
"""What says which process is watched of a service that runs; who listens at `url` if none does."""
OF_AGENT = ("agent_token_file", "agent_ca", "agent_cert", "agent_key")
"""What only an agent is asked with."""
FILES = ("pid_file", *OF_AGENT)
"""What names a file: a path begins at the folder of `tidemark.toml`."""
OF_STARTED = (
    "build",
    "directory",
    "environment",
    "ready",
    "ready_timeout",
    "fds_limit",
    "kafka",
    "brokers",
)
"""What only a service has that is started here."""
ALL_TARGETS, AGENT = "all_targets", "agent"
OF_RUNNING = (*(name for name in FOUND_BY if name != "target_port"), *OF_AGENT, ALL_TARGETS)
"""What only a service has that runs already; `target_port` tells one that is started its port."""
OPTION_KEYS = (*FOUND_BY, *OF_AGENT, ALL_TARGETS, "bootstrap", "brokers", "metrics_url")
"""Keys that are options of a run as well, and are called and checked alike."""


def contradiction(given: Mapping[str, Any]) -> tuple[str, str] | None:
    """The key of a service that cannot stand there, and why; None if all go together.

    Args:
        given: What is written, by key. The key of what is missing is empty.
    """
    found = _of_started(given) if COMMAND in given else _of_running(given)
    return next(found, None)


def _of_started(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in _in(given, OF_RUNNING):
        yield name, "is of a service that runs already, but command starts one: leave out one"


def _of_running(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not given.get(URL):
        yield "", "has no command: command = ... is missing, or url = ... if it runs already"
        return
    for name in _in(given, OF_STARTED):
        yield (
            name,
            "has no effect on a service that has no command, and is not started: leave it out",
        )
    for name in (URL, "metrics_url"):
        for word in sorted(placeholders_in(str(given.get(name, "")))):
            yield name, f"{{{word}}} is not known of a service that has no command: write the port"
    yield from _of_agents(given)
    clues = list(_in(given, FOUND_BY))
    for name in clues[1:]:
        yield name, f"contradicts {clues[0]}: leave out one"


def _of_agents(given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not given.get(AGENT):
        for name in _in(given, OF_AGENT):
            yield name, "has no effect without agent: leave it out"
        return
    for name in _in(given, (ALL_TARGETS, "metrics_url")):
        yield name, "has no effect beside agent, which is told itself what it watches: leave it out"
    for name, other in (("agent_cert", "agent_key"), ("agent_key", "agent_cert")):
        if name in given and other not in given:
            yield name, f"goes together with {other}: a certificate and its private key"


def _in(given: Mapping[str, Any], names: Collection[str]) -> Iterator[str]:
    """Those of some names that are given, in the order in which they stand there."""
    return (name for name in given if name in names)
