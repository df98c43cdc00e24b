"""The producer strategies under comparison, and how to find one by name."""

from tidemark.targets.errors import TargetError
from tidemark.targets.strategies.base import Strategy
from tidemark.targets.strategies.per_request_closed import PerRequestClosed
from tidemark.targets.strategies.per_request_leaked import PerRequestLeaked
from tidemark.targets.strategies.per_request_unflushed import PerRequestUnflushed
from tidemark.targets.strategies.pooled import Pooled
from tidemark.targets.strategies.shared import Shared

STRATEGIES: dict[str, type[Strategy]] = {
    strategy.name: strategy
    for strategy in (PerRequestLeaked, PerRequestClosed, PerRequestUnflushed, Pooled, Shared)
}
"""Every strategy by its name, in the order in which they are run and shown."""

ALIASES: dict[str, str] = {"broken": "per-request-leaked", "fixed": "per-request-closed"}
"""Short names for two of them."""


def resolve(name: str) -> str:
    """The full name of a strategy.

    Args:
        name: A name or an alias.

    Raises:
        TargetError: Nothing is called that; the message lists what is.
    """
    full_name = ALIASES.get(name, name)
    if full_name not in STRATEGIES:
        aliases = ", ".join(f"{alias} = {target}" for alias, target in ALIASES.items())
        raise TargetError(
            f"unknown strategy {name[:60]!r}: choose one of {', '.join(STRATEGIES)} ({aliases})"
        )
    return full_name
