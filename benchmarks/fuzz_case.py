"""One case of the fuzzer: runs something in this process, and tells what is wrong with its end."""

from __future__ import annotations

import contextlib
import io
import signal
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType

MOST_CPU_S = 5.0
MOST_WAITING_S = 30.0
"""A hang is 5 s of work, or waiting for ever: other processes may have the processors."""


class Hang(BaseException):
    """It went on for too long; nothing but the fuzzer catches it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came out of a case.

    Attributes:
        number: Which case.
        made: How it was made.
        outcome: The exit code, or what stands for it.
        wrong: What is wrong with it; empty if nothing is.
    """

    number: int
    made: str
    outcome: str
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: with a code and what it wrote, or because of `wrong`."""

    code: int
    out: str
    err: str
    wrong: str = ""


def run(call: Callable[[], object]) -> Ended:
    """Call it as a command line would; whatever it returns or exits with is the code."""
    out, err = io.StringIO(), io.StringIO()
    wrong, code = "", 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("always")
        try:
            with _limited():
                result = call()
            code = result if isinstance(result, int) else 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
        except Hang as hang:
            wrong = f"hang: {hang}"
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            at = traceback.extract_tb(error.__traceback__)[-1]
            wrong = f"traceback: {type(error).__name__}: {error} ({at.filename}:{at.lineno})"
    return Ended(code, out.getvalue(), err.getvalue(), " ".join(wrong.split())[:300])


def refusal(ended: Ended) -> str:
    """What is wrong with a refusal, which has to be one line of standard error and nothing else."""
    lines = ended.err.strip().splitlines()
    if len(lines) != 1 or ended.out.strip():
        return f"not one line: {len(lines)} lines, {' / '.join(lines)[:200]}"
    return "" if len(lines[0]) <= 1000 else f"not one line: {len(lines[0])} characters"


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def stop(signum: int, _: FrameType | None) -> None:
        raise Hang("waits" if signum == signal.SIGALRM else f"works for {MOST_CPU_S:g} s")

    timers = {signal.SIGPROF: signal.ITIMER_PROF, signal.SIGALRM: signal.ITIMER_REAL}
    before = {signum: signal.signal(signum, stop) for signum in timers}
    signal.setitimer(signal.ITIMER_PROF, MOST_CPU_S)
    signal.setitimer(signal.ITIMER_REAL, MOST_WAITING_S)
    try:
        yield
    finally:
        for signum, timer in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(signum, before[signum])
