"""What goes wrong while a run is put together; see `tidemark.record.errors` for the root."""

from tidemark.record.errors import TidemarkError


class ChildError(TidemarkError):
    """A child process (broker, target, sampler) did not come up or ended early."""


class LedgerError(TidemarkError):
    """What became of the messages cannot be told."""


class OtherListenerError(TidemarkError):
    """Surely another process serves a port than the one that is watched.

    Attributes:
        who: Which port is served by whom, in a few words.
    """

    def __init__(self, who: str, instead_of: str) -> None:
        super().__init__(
            f"--target-pid: {who}, not by {instead_of}: "
            "name the process that serves it, or with --host the port of this one",
            about=["target_pid", "host"],
        )
        self.who = who
