"""`python3 tidemark-agent.pyz`, and `python -m tidemark.agent`."""

import signal
import sys
from collections.abc import Sequence

from tidemark.agent.options import OPTIONS
from tidemark.agent.session import run
from tidemark.record.command_line import run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and serve until a signal ends it; every error is one line and an exit code.

    Args:
        arguments: The command line; None for this process's own.
    """
    description = "Watch a process of this host, and serve what was recorded."
    try:
        return run_command(run, OPTIONS, "tidemark-agent", description, arguments)
    except KeyboardInterrupt:  # before anything was begun
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
