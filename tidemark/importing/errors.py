"""What keeps a recording from being imported; see `tidemark.record.errors` for the root.

ImportingError          nothing can be made of what was asked for
+-- ServerError         the server does not answer, or refuses
"""

from tidemark.record.errors import TidemarkError


class ImportingError(TidemarkError):
    """Nothing can be made of what was asked for."""


class ServerError(ImportingError):
    """The server does not answer, or refuses what it was asked.

    Args:
        url: The server, without secrets.
        what: What is wrong.
        remedy: What to do.
    """

    def __init__(self, url: str, what: str, remedy: str) -> None:
        super().__init__(f"{url} {what}; {remedy}")
