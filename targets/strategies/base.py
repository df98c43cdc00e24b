"""The one interface behind which all strategies stand."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from tidemark.targets.config import Settings


class Strategy(ABC):
    """How a service comes by the Kafka producer that it writes a request's messages with.

    One object per worker process, made in the worker after the fork; its methods are
    called by many threads at once. Making it connects to nothing.

    Args:
        settings: Where to write to, and how long to wait.
    """

    name: ClassVar[str]
    """As in the command line, the run directory and the report."""
    is_reference: ClassVar[bool] = False
    """Whether it is known to be clean, so that the others are measured against it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    @abstractmethod
    def ingest(self, messages: Sequence[bytes]) -> int:
        """Write one request's messages to Kafka.

        Args:
            messages: The messages, at least one.

        Returns:
            The number of messages, which is the service's answer.

        Raises:
            TargetError: Kafka could not be reached, or did not acknowledge in time.
        """

    def close(self) -> None:  # noqa: B027 - most strategies keep nothing between requests
        """Flush and close what is kept between requests; called once, at worker exit."""
