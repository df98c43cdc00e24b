"""What came of a task that was given to somebody else: a result, or why there is none."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from tidemark.record.errors import TidemarkError

Task = TypeVar("Task")
Result = TypeVar("Result")
LONGEST_MESSAGE = 500
"""Characters of what an error says that are kept."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Task, Result]):
    """What came of a task.

    Attributes:
        task: The task.
        result: What it gave; None where there is an error.
        error: Why there is none, in one line.
    """

    task: Task
    result: Result | None = None
    error: str | None = None


Told = Callable[[Outcome[Task, Result]], None]
"""Is told of each as it comes."""


def message(error: BaseException) -> str:
    """An error in one line; one that says nothing of itself is named with its kind."""
    text = " ".join(str(error).split())[:LONGEST_MESSAGE]
    is_told = isinstance(error, TidemarkError | OSError | ValueError)
    return text if is_told and text else f"{type(error).__name__}: {text}"
