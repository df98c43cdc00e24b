"""What can be wrong with the input of the analysis.

TidemarkError            (sampler.errors) the base of all errors shown to a user
    UnusableRunError     a run directory that cannot be read, or does not say enough
"""

from pathlib import Path

from tidemark.sampler.errors import TidemarkError


class UnusableRunError(TidemarkError):
    """A run directory cannot be used; the message says what, where, and what to do."""

    def __init__(self, where: Path | str, what: str, remedy: str) -> None:
        super().__init__(f"{where}: {what}; {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy
