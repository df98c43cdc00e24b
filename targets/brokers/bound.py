"""Run a command that ends with its parent: `python -m tidemark.targets.brokers.bound PID COMMAND`.

For commands that cannot be taught to do so themselves, such as `java`. This process asks
the kernel for a SIGKILL at its parent's end, and then becomes the command; the setting
survives that (prctl(2), PR_SET_PDEATHSIG). Done in a process of its own, and not between
fork and exec of the parent, where little is safe once there are threads.
"""

from __future__ import annotations

import os
import sys

from tidemark.targets.system import die_with_parent


def bound_to_this_process(command: list[str]) -> list[str]:
    """The command that does the same as `command`, and ends when this process does.

    It must be started from a thread that lives as long as the process.
    """
    return [sys.executable, "-m", "tidemark.targets.brokers.bound", str(os.getpid()), *command]


def main() -> None:
    """Become the command."""
    parent_pid, *command = sys.argv[1:]
    die_with_parent(int(parent_pid))
    os.execvp(command[0], command)  # noqa: S606 - no shell wanted


if __name__ == "__main__":
    main()
