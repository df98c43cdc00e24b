"""A run directory is locked for as long as anybody writes it, and not a moment longer."""

import subprocess
import sys

from tests.eventually import eventually
from tidemark.record.lock import DirectoryLock


def test_one_has_it_until_he_lets_go(tmp_path):
    lock = DirectoryLock.take(tmp_path)
    assert lock
    assert DirectoryLock.take(tmp_path) is None
    lock.release()
    lock.release()
    again = DirectoryLock.take(tmp_path)
    assert again
    assert again.descriptors
    again.release()


def test_children_that_were_handed_it_hold_it_until_they_are_killed(tmp_path):
    lock = DirectoryLock.take(tmp_path)
    assert lock
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=lock.descriptors
    )
    lock.release()
    try:
        assert DirectoryLock.take(tmp_path) is None
    finally:
        child.kill()
        child.communicate()
    taken = eventually(lambda: DirectoryLock.take(tmp_path), "the lock")
    assert taken
    taken.release()


def test_what_cannot_be_locked_is_nobodys(tmp_path):
    lock = DirectoryLock.take(tmp_path / "nowhere")
    assert lock
    assert lock.descriptors == ()
    lock.release()
