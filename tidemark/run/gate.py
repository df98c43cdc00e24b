"""`--fail-on`: what a run is found to be decides its exit code."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tidemark.record.options import Option, choice
from tidemark.run.children import NURSERY, python_module

LEAK, INCONCLUSIVE = "leak", "inconclusive"
FAIL_ON = Option(
    "fail_on",
    choice("", LEAK, INCONCLUSIVE),
    "",
    "judge the run at its end: leak: exit 1 where `tidemark check` would; inconclusive: 3 too, "
    "where it cannot tell",
    "VERDICT",
    choices=(LEAK, INCONCLUSIVE),
    in_form=False,
)
"""Which verdicts let the load generator fail."""
FAILED, UNUSABLE, CANNOT_TELL = 1, 2, 3
"""Exit codes of `tidemark check`; 0 is that it has passed."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was found on a run.

    Attributes:
        code: the exit code of `tidemark check`.
        line: the verdict, or why there is none.
    """

    code: int
    line: str

    def exit_code(self, fail_on: str) -> int | None:
        """What the run exits with for it; None where that is as it would be without."""
        if self.code == CANNOT_TELL:
            return CANNOT_TELL if fail_on == INCONCLUSIVE else None
        return self.code or None


def judge(folder: Path) -> Judged:
    """Let a process of its own judge a run that has ended.

    Raises:
        ChildError: nothing is started any more.
    """
    command = python_module("tidemark", "check", str(folder))
    pipe = subprocess.PIPE
    with NURSERY.start(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as child:
        out, complaint = child.communicate()
    said = (out or complaint).decode(errors="replace").strip()
    is_known = child.returncode in {0, FAILED, UNUSABLE, CANNOT_TELL}
    line = said.partition("\n")[0] or f"tidemark check ended with {child.returncode}"
    return Judged(child.returncode if is_known else UNUSABLE, line)


def graver(code: int | None, found: int | None) -> int | None:
    """The exit code of a run that has one already, and of what was found on it."""
    return found if code is None or found == FAILED else code
