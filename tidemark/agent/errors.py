"""What keeps the agent from serving; see `tidemark.record.errors` for the root.

AgentError         the agent cannot be made, or cannot find what it is to watch
AbsentError        what it is to watch is not there
Refusal            a request that is answered with an error; the client's fault, never ours
"""

from tidemark.record.errors import TidemarkError


class AgentError(TidemarkError):
    """The agent cannot do what it was asked for."""


class AbsentError(AgentError):
    """What is to be watched is not there; it may be later."""


class Refusal(Exception):  # noqa: N818 (it is an answer)
    """A request that is not answered with what it asks for.

    Attributes:
        status: The HTTP status.
        reason: A line for whoever reads the answer.
        headers: Further headers of the answer.
    """

    def __init__(self, status: int, reason: str, headers: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.headers = headers
