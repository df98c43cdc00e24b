"""`record.process`: who ends with whom, names and limits, asked of the kernel."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tidemark.record.errors import ResourceLimitError
from tidemark.record.process import (
    count_open_descriptors,
    limit_descriptors,
    name_current_thread,
    raise_descriptor_limit,
)

PATIENCE_S = 15.0

BEFORE_EXEC = """
import signal, subprocess, sys
from tidemark.record.process import before_exec
child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE,
                         start_new_session=True, preexec_fn=before_exec())
print(child.pid, flush=True)
signal.pause()
"""

BOUND = """
import signal, subprocess, sys
from tidemark.record.process import bound_to_this_process
command = bound_to_this_process([sys.executable, "-c", "print(1, flush=True); input()"])
child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         start_new_session=True)
child.stdout.readline()
print(child.pid, flush=True)
signal.pause()
"""

LATE = """
import os, sys
from tidemark.record.process import die_with_parent
die_with_parent(int(sys.argv[1]))
print("still here")
"""


def is_running(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition, what):
    deadline, pause = time.monotonic() + PATIENCE_S, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, f"gave up waiting until {what}"
        pause.wait(0.02)


@pytest.mark.parametrize("parent", [BEFORE_EXEC, BOUND], ids=["before_exec", "bound"])
def test_a_child_ends_when_its_parent_is_killed(parent):
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True)
    try:
        child = int(process.stdout.readline())
        assert is_running(child)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=PATIENCE_S)
        process.stdout.close()
    wait_until(lambda: not is_running(child), "the child is gone")


def test_a_parent_that_is_gone_already_is_noticed():
    not_the_parent = str(os.getppid())
    finished = subprocess.run(
        [sys.executable, "-c", LATE, not_the_parent], capture_output=True, text=True, check=False
    )
    assert (finished.returncode, finished.stdout) == (1, "")


def test_a_bound_command_says_what_it_said_and_ends_as_it_ended():
    from tidemark.record.process import bound_to_this_process

    command = bound_to_this_process([sys.executable, "-c", "print('hello'); raise SystemExit(3)"])
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (finished.returncode, finished.stdout) == (3, "hello\n")


def test_a_thread_has_the_name_that_the_kernel_shows():
    names = []

    def work():
        name_current_thread("a-name-of-more-than-15-bytes")
        names.append(Path(f"/proc/self/task/{threading.get_native_id()}/comm").read_text())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert names == ["a-name-of-more-\n"]


def test_descriptors_are_counted():
    before = count_open_descriptors()
    pipe = os.pipe()
    assert count_open_descriptors() == before + 2
    for descriptor in pipe:
        os.close(descriptor)
    assert count_open_descriptors() == before


def in_a_child(code):
    """What a process of its own prints: a limit that is lowered stays."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()


def test_a_limit_is_soft_and_hard():
    code = (
        "import resource; from tidemark.record.process import limit_descriptors;"
        "limit_descriptors(99); print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
    )
    assert in_a_child(code) == ["99", "99"]


def test_a_limit_that_may_not_be_set_says_which_one_may():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with pytest.raises(ResourceLimitError, match=f"2147483647 descriptors.*hard limit is {hard}"):
        limit_descriptors(2**31 - 1)
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] == hard


def test_a_limit_is_raised_as_far_as_it_goes():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        assert raise_descriptor_limit() >= hard
    finally:
        now_hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, min(hard, now_hard)))
