"""Tasks in processes of this machine, which end when this one does, however it ends.

A process that is killed takes its pool with it (`concurrent.futures` gives up all that is not
done). What it may have had in hand is then tried again, each alone, so that one task is to blame
and no other is lost.
"""

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from tidemark.fleet.outcome import Outcome, Result, Task, Told, message
from tidemark.record.process import die_with_parent

ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""What keeps a numerical library to one thread: there is a process for each core already."""
_KILLED = "the process that judged it was killed (out of memory?): judge fewer at once with --jobs"


def in_processes(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    jobs: int,
    told: Told[Task, Result] = lambda _: None,
) -> list[Outcome[Task, Result]]:
    """Do tasks in processes.

    Args:
        work: What is done with each; it must be a function of a module.
        tasks: The tasks; they and the results are handed between processes.
        jobs: How many processes there are.
        told: Is told of each outcome as it comes.

    Returns:
        The outcomes in the order of the tasks.
    """
    found: dict[int, Outcome[Task, Result]] = {}

    def keep(number: int, outcome: Outcome[Task, Result]) -> None:
        found[number] = outcome
        told(outcome)

    left = list(range(len(tasks)))
    with _one_thread_each():
        while left:
            _attempt(work, tasks, left, jobs, keep)
            left = [number for number in left if number not in found]
            for number in left[: 2 * jobs]:  # in hand, or just given back, when it broke
                _attempt(work, tasks, [number], 1, keep)
                if number not in found:
                    keep(number, Outcome(tasks[number], error=_KILLED))
            left = left[2 * jobs :]
    return [found[number] for number in range(len(tasks))]


def _attempt(
    work: Callable[[Task], Result],
    tasks: Sequence[Task],
    numbers: Sequence[int],
    jobs: int,
    keep: Callable[[int, Outcome[Task, Result]], None],
) -> None:
    """Do some of the tasks, in their order; none is kept of what a killed process takes along."""
    pool = ProcessPoolExecutor(
        min(jobs, len(numbers)),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(os.getpid(),),
    )
    try:
        futures = _submit(pool, work, {number: tasks[number] for number in numbers})
        for future in as_completed(futures):
            number = futures[future]
            try:
                keep(number, Outcome(tasks[number], future.result()))
            except BrokenProcessPool:
                continue
            except Exception as error:  # noqa: BLE001 - whatever it is, it is that task's
                keep(number, Outcome(tasks[number], error=message(error)))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor, work: Callable[[Task], Result], tasks: Mapping[int, Task]
) -> dict[Future[Result], int]:
    """Hand out as many as are taken: a pool may break meanwhile."""
    futures: dict[Future[Result], int] = {}
    with contextlib.suppress(BrokenProcessPool):
        for number, task in tasks.items():
            futures[pool.submit(work, task)] = number
    return futures


def _begin(parent_pid: int) -> None:
    """What a process does first: an interruption from the keyboard is its parent's to take."""
    die_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Let processes that are started meanwhile calculate with one thread, unless told otherwise."""
    ours = {name: "1" for name in ONE_THREAD if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del os.environ[name]
