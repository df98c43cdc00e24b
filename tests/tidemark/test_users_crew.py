"""Greenlets that are used again."""

from typing import Any

import gevent
from gevent.event import Event

from tidemark.sending.crew import Crew


def test_each_piece_is_done_once_by_as_many_as_are_under_way_at_once() -> None:
    done: list[int] = []
    by: set[Any] = set()

    def do(piece: int) -> None:
        gevent.sleep(0)
        done.append(piece)
        by.add(gevent.getcurrent())

    crew = Crew(do)
    for first in range(0, 100, 4):
        for piece in range(first, first + 4):
            crew.start(piece)
        while len(done) < first + 4:
            gevent.sleep(0)
    crew.end(1)
    assert sorted(done) == list(range(100))
    assert len(by) == 4


def test_what_is_under_way_is_waited_for() -> None:
    go, done = Event(), []

    def do(piece: int) -> None:
        go.wait()
        done.append(piece)

    crew = Crew(do)
    crew.start(1)
    gevent.spawn(go.set)
    crew.end(30)
    assert done == [1]


def test_but_not_for_ever() -> None:
    ended = []

    def do(_: int) -> None:
        try:
            Event().wait()
        except gevent.GreenletExit:
            ended.append("killed")

    crew = Crew(do)
    crew.start(1)
    gevent.sleep(0)
    crew.end(0)
    gevent.sleep(0)
    assert ended == ["killed"]


def test_one_that_fails_does_not_keep_the_others_from_their_work() -> None:
    done: list[int] = []

    def do(piece: int) -> None:
        if piece < 0:
            raise ArithmeticError(piece)
        done.append(piece)

    crew = Crew(do)
    hub = gevent.get_hub()
    told, hub.handle_error = [], lambda *error: told.append(error[1])  # type: ignore[method-assign]
    try:
        for piece in (1, -1, 2, -1, 3):
            crew.start(piece)
            gevent.sleep(0)
        crew.end(30)
    finally:
        del hub.handle_error
    assert (done, told) == ([1, 2, 3], [ArithmeticError, ArithmeticError])
