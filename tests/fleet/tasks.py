"""What the tests have done in other processes: functions of a module, so that they can be sent."""

import os
import signal
import time
from pathlib import Path


def double(task):
    return 2 * task


def fail_at_three(task):
    if task == 3:
        raise ValueError("three is too much")
    return task


def die_at_three(task):
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def threads_allowed(_):
    return os.environ["OPENBLAS_NUM_THREADS"]


def wait_for_ever(path):
    """Say who it is, and stay."""
    with Path(path).open("a") as file:
        file.write(f"{os.getpid()}\n")
    while True:
        time.sleep(60)
