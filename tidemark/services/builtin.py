"""The built-in strategies, as services."""

import sys
from collections.abc import Mapping, Sequence

from tidemark.services.placeholders import literal
from tidemark.services.service import Service
from tidemark.targets.strategies import ALIASES, STRATEGIES

NAMES: Mapping[str, str] = {**{name: name for name in STRATEGIES}, **ALIASES}
"""What a built-in service may be called -> the strategy that it is."""


def builtin_service(name: str, arguments: Sequence[str] = ()) -> Service:
    """A built-in service, served by this very interpreter.

    Args:
        name: A strategy or an alias; one of `NAMES`.
        arguments: What else its launcher is told, see `tidemark.targets.serve`.
    """
    strategy = NAMES[name]
    return Service(
        name=strategy,
        command=(
            sys.executable,
            "-m",
            "tidemark.targets.serve",
            strategy,
            "--bootstrap={bootstrap}",
            "--topic={topic}",
            "--bind=127.0.0.1:{port}",
            *map(literal, arguments),
        ),
        reference=STRATEGIES[strategy].is_reference,
        announces=True,
    )
