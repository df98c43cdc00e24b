"""A timer that wakes when it is due, and not before."""

import os
import time

import gevent
import pytest

from tidemark.sending.alarm import Alarm


@pytest.mark.parametrize("wait_s", [0.0004, 0.003, 0.05])
def test_it_wakes_once_it_is_due(wait_s: float) -> None:
    with Alarm() as alarm:
        for _ in range(5):
            due_s = time.monotonic() + wait_s
            alarm.wait_until(due_s)
            assert time.monotonic() >= due_s - 1e-6


def test_others_run_meanwhile() -> None:
    ran: list[str] = []
    gevent.spawn(ran.append, "other")
    with Alarm() as alarm:
        alarm.wait_until(time.monotonic() + 0.01)
    assert ran == ["other"]


def test_what_has_gone_by_is_not_waited_for() -> None:
    with Alarm() as alarm:
        alarm.wait_until(0.0)
        alarm.wait_until(time.monotonic() - 1)


def test_who_waits_can_be_killed_and_the_alarm_used_again() -> None:
    with Alarm() as alarm:
        sleeper = gevent.spawn(alarm.wait_until, time.monotonic() + 3600)
        gevent.sleep(0)
        sleeper.kill()
        due_s = time.monotonic() + 0.002
        alarm.wait_until(due_s)
        assert time.monotonic() >= due_s - 1e-6


def test_it_leaves_no_descriptor() -> None:
    alarm = Alarm()
    assert alarm._descriptor is None
    alarm.wait_until(time.monotonic() + 0.001)
    descriptor = alarm._descriptor
    assert descriptor is not None
    os.fstat(descriptor)
    alarm.close()
    alarm.close()
    gevent.sleep(0.001)  # gevent closes descriptors once its loop has come around
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_a_system_without_such_timers_waits_as_gevent_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tidemark.sending.alarm._libc", object())
    due_s = time.monotonic() + 0.003
    with Alarm() as alarm:
        alarm.wait_until(due_s)
    assert time.monotonic() >= due_s - 1e-3
