"""Which options of a run it concerns that one of its processes has not come up."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from tidemark.record.errors import TidemarkError
from tidemark.run.options import RunOptions

_CALLED_HERE = {"bind": "target_port"}
"""What a process is told under a name of its own -> the option of the run that it comes from."""
_IF_GIVEN = frozenset({"bootstrap", "kafka_option"})
"""What a process may be told though nobody has said so: where the embedded brokers are."""


@contextmanager
def concerning(options: RunOptions, otherwise: Iterable[str] = ()) -> Iterator[None]:
    """Let errors be about options of the run.

    Args:
        options: Those of the run.
        otherwise: What an error is about that does not say so itself.

    Raises:
        TidemarkError: What was raised within, by the same words.
    """
    try:
        yield
    except TidemarkError as error:
        names = (_CALLED_HERE.get(name, name) for name in error.about)
        about = tuple(name for name in names if name not in _IF_GIVEN or getattr(options, name))
        error.about = about or tuple(otherwise)
        raise
