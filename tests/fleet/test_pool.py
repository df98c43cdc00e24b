"""Tasks in processes: whatever becomes of one, the others' results are not lost."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.eventually import eventually
from tests.fleet import tasks
from tidemark.fleet.errors import FleetError
from tidemark.fleet.pool import in_processes
from tidemark.fleet.workers import Workers

ROOT = Path(__file__).parents[2]

POOL = """
import sys
sys.path.insert(0, {root!r})
from tests.fleet import tasks
from tidemark.fleet.pool import in_processes
if __name__ == "__main__":
    in_processes(tasks.wait_for_ever, [{path!r}] * 2, 2)
"""


def alive(pid):
    return Path(f"/proc/{pid}").exists()


def test_results_come_in_the_order_of_the_tasks_and_are_told_as_they_come():
    told = []
    outcomes = in_processes(tasks.double, range(9), 2, told.append)
    assert [one.result for one in outcomes] == [2 * number for number in range(9)]
    assert sorted(one.task for one in told) == list(range(9))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_is_that_task_s_alone(jobs):
    outcomes = Workers(jobs).do(tasks.fail_at_three, range(6))
    assert [one.result for one in outcomes] == [0, 1, 2, None, 4, 5]
    assert outcomes[3].error == "three is too much"


def test_a_process_that_is_killed_loses_one_task():
    outcomes = in_processes(tasks.die_at_three, range(12), 2)
    assert [one.task for one in outcomes if one.error] == [3]
    assert "killed" in outcomes[3].error
    assert [one.result for one in outcomes if not one.error] == [*range(3), *range(4, 12)]


def test_each_process_calculates_with_one_thread_and_nothing_is_left_behind(monkeypatch):
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    assert in_processes(tasks.threads_allowed, [0], 1)[0].result == "1"
    assert "OPENBLAS_NUM_THREADS" not in os.environ


def test_a_pool_that_is_killed_leaves_nothing(tmp_path):
    script, heard = tmp_path / "pool.py", tmp_path / "pids"
    script.write_text(POOL.format(root=str(ROOT), path=str(heard)))
    with subprocess.Popen([sys.executable, script], start_new_session=True) as process:
        try:
            eventually(
                lambda: heard.exists() and len(heard.read_text().split()) == 2, "both processes"
            )
        finally:
            process.send_signal(signal.SIGKILL)
    pids = [int(pid) for pid in heard.read_text().split()]
    eventually(lambda: not any(map(alive, pids)), "the end of both processes")
    eventually(lambda: not in_session(process.pid), "the end of all helpers")


def in_session(session):
    """The processes of a session that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(path.parent.name)
    return found


def test_jobs_and_a_scheduler_are_not_both_asked_for():
    with pytest.raises(FleetError, match="leave one of them out"):
        Workers(2, "tcp://127.0.0.1:8786")
