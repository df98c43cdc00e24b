"""The line that a log is told now and then: whole, on one line, and never wider than it may be."""

from dataclasses import replace

import pytest

from tidemark.live.facts import Facts, Level
from tidemark.live.heartbeat import MOST_COLUMNS, heartbeat
from tidemark.live.words import Moment

LEVEL = Level("web1", 312.0, 1024.0, 17.0, 80.0, 4.0, 23.0, 7e7, 1.0)
FACTS = Facts(
    name="run",
    strategy="",
    moment=Moment(723.0, None, has_ended=False),
    state="under way for 12 min 3 s",
    levels=(LEVEL,),
    untold_targets=0,
    requests=14_400.0,
    failures=3.0,
    rates=(20.0, 0.0),
    p99_ms=4.0,
    load_s=720.0,
    planned_s=None,
    is_final=False,
    result="leak",
    verdict="leak",
    severity="fail",
    reason="File descriptors: grow",
    outlook="dies in about 14 min, at 10:42 (90 %: 10:40 to 10:44): limit of 1,024 descriptors",
    outlook_in_short="dies in about 14 min, at 10:42",
    resources=({"resource": "fds"},),
    trouble="",
)


def test_it_says_how_long_how_much_how_full_how_bad_and_until_when():
    assert heartbeat(FACTS) == (
        "12 min 3 s, after 12 min 3 s: 14,400 requests, 3 failed; descriptors 312 of 1,024 (30%); "
        "leak so far; dies in about 14 min, at 10:42"
    )


def test_what_nobody_knows_is_left_out():
    nothing = replace(
        FACTS,
        levels=(),
        requests=None,
        result="",
        verdict="no verdict yet",
        outlook_in_short="",
        resources=(),
    )
    assert heartbeat(nothing) == "12 min 3 s, after 12 min 3 s: no verdict yet"


def test_a_run_that_has_recorded_nothing_yet_is_told_no_time():
    nothing = replace(FACTS, moment=Moment(0.0, None, has_ended=False), levels=(), requests=None)
    assert heartbeat(nothing) == "nothing has been recorded yet"


def test_of_several_targets_it_names_the_one_that_is_nearest_to_its_limit():
    other = replace(LEVEL, target="web2", fds=900.0)
    line = heartbeat(replace(FACTS, levels=(LEVEL, other)))
    assert "; web2 descriptors 900 of 1,024 (88%); " in line


@pytest.mark.parametrize("trouble", ["", "nothing was written for 5 min: its writer may be gone"])
def test_it_is_one_line_of_bounded_width_whatever_there_is_to_say(trouble):
    wide = replace(
        FACTS,
        moment=Moment(3e7, 1.7e9, has_ended=False),
        levels=(replace(LEVEL, target="t\n" * 99, fds=1e9, fds_limit=2e9), LEVEL),
        requests=1e12,
        failures=1e12,
        verdict="clean but for " + "threads and " * 20,
        outlook_in_short="dies in about 9,999 d 23 h, at 2051-01-01 10:42",
        trouble=trouble,
    )
    line = heartbeat(wide)
    assert len(line) <= MOST_COLUMNS
    assert "\n" not in line
    assert "1,000,000,000,000 requests" in line
