"""`targets.thread_profile`: grouping, order, names, and what cannot be read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest

from tidemark.record.process import name_current_thread
from tidemark.targets.thread_profile import ThreadGroup, read_thread_names, take_profile


@pytest.fixture
def sleepers() -> Iterator[None]:
    """Three threads in the same place, under the same kernel name."""
    wake, asleep = threading.Event(), threading.Barrier(4)

    def sleep() -> None:
        name_current_thread("sleeper")
        asleep.wait()
        wake.wait()

    threads = [threading.Thread(target=sleep) for _ in range(3)]
    for thread in threads:
        thread.start()
    asleep.wait()
    yield
    wake.set()
    for thread in threads:
        thread.join()


def sleeping(wait_until) -> ThreadGroup:
    """The sleepers' group, once all of them are in their last call."""
    found: list[ThreadGroup] = []

    def all_asleep() -> bool:
        found[:] = [g for g in take_profile().groups if g.name == "sleeper"]
        return len(found) == 1

    wait_until(all_asleep, "the three sleepers are one group")
    return found[0]


def test_identical_stacks_are_one_group(sleepers, wait_until):
    group = sleeping(wait_until)
    assert (group.count, group.native) == (3, False)
    assert group.stack[-1].function == "Thread._bootstrap"
    assert any(frame.function.endswith("sleep") for frame in group.stack)


def test_the_text_reads_like_a_goroutine_profile(sleepers, wait_until):
    sleeping(wait_until)
    profile = take_profile()
    lines = profile.to_text().splitlines()
    assert lines[0] == f"thread profile: total {profile.total}"
    assert "3 @ sleeper" in lines
    assert [line for line in lines if line.startswith("#\t") and "test_thread_profile.py" in line]


def test_groups_come_largest_first(sleepers, wait_until):
    sleeping(wait_until)
    counts = [group.count for group in take_profile().groups]
    assert counts == sorted(counts, reverse=True)


def test_json_and_text_agree(sleepers):
    profile = take_profile()
    document = json.loads(json.dumps(profile.to_json()))
    assert document["total"] == profile.total == sum(g["count"] for g in document["groups"])


def test_names_come_from_the_kernel(tmp_path):
    for thread_id, name in (("11", b"rdk:main\n"), ("12", b"rdk:broker1\n"), ("13", b"\xff\n")):
        (tmp_path / thread_id).mkdir()
        (tmp_path / thread_id / "comm").write_bytes(name)
    (tmp_path / "14").mkdir()  # ended between the listing and the reading
    assert read_thread_names(tmp_path) == {11: "rdk:main", 12: "rdk:broker1", 13: "\ufffd"}


def test_without_procfs_there_are_no_kernel_names(tmp_path):
    assert read_thread_names(tmp_path / "none") == {}
