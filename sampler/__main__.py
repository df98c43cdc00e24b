"""`python -m tidemark.sampler`."""

import signal
import sys
from collections.abc import Sequence

from tidemark.record.command_line import run_command
from tidemark.sampler.options import OPTIONS
from tidemark.sampler.session import watch


def main(arguments: Sequence[str] | None = None) -> int:
    """Watch until a signal ends it; every error is one line and an exit code.

    Args:
        arguments: The command line; None for this process's own.
    """
    description = "Watch a process and everything below it."
    try:
        return run_command(watch, OPTIONS, "python -m tidemark.sampler", description, arguments)
    except KeyboardInterrupt:  # before anything was begun
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(main())
