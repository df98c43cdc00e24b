"""What can be put under load from the start form: a strategy, a service, an address."""

from collections.abc import Iterator, Mapping
from typing import Any

from tidemark.services.builtin import NAMES as BUILTIN_NAMES
from tidemark.targets.strategies import ALIASES
from tidemark.webform.groups import BUILTIN, RUNNING, STARTED, STRATEGIES

OTHER = "other"
"""The choice of a service whose address is typed in."""
OF_SERVICE = ("strategy", "service", "command", "url", "host")
"""The options that the choice stands for, where a field of their own does not."""


def choices(options: Mapping[str, Any], given_host: str, embedded: str) -> list[dict[str, Any]]:
    """Each choice: its name, what it says, which fields are of use to it, and what is posted.

    Args:
        options: Locust's, as the command line gave them and the last form has left them.
        given_host: The host of the command line; `embedded` where it has none.
        embedded: What Locust is told as host when the service is started here.
    """
    return [*_named(options, given_host, embedded), _choice(OTHER, "a service that runs already")]


def chosen(options: Mapping[str, Any], offered: list[dict[str, Any]], given_host: str) -> str:
    """The name of the choice that the next run is made of if nobody touches the form."""
    host = options.get("host") or given_host
    strategy = str(options["strategy"])
    posted = {"strategy": ALIASES.get(strategy, strategy), "host": host}
    for choice in offered:
        if choice["posts"] and choice["posts"].items() <= posted.items():
            return str(choice["name"])
    return OTHER


def _named(options: Mapping[str, Any], given_host: str, embedded: str) -> Iterator[dict[str, Any]]:
    asked_for = str(options.get("service") or options.get("command") or "")
    if given_host != embedded:
        label = asked_for or given_host
        hint = f"it runs already, at {given_host}" if asked_for else "as on the command line"
        yield _choice("given", label, hint, (RUNNING,), host=given_host)
    elif asked_for:
        of_use = (STARTED, BUILTIN) if asked_for in BUILTIN_NAMES else (STARTED,)
        yield _choice("given", asked_for, "as on the command line", of_use, host=embedded)
    if not asked_for:
        for name, hint in STRATEGIES.items():
            yield _choice(name, name, hint, (STARTED, BUILTIN), strategy=name, host=embedded)


def _choice(
    name: str, label: str, hint: str = "", of_use: tuple[str, ...] = (RUNNING,), **posts: str
) -> dict[str, Any]:
    return {"name": name, "label": label, "hint": hint, "of_use": of_use, "posts": posts}
