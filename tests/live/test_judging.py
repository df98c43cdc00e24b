"""The verdict so far is the analysis' own, and a run under way is not taken for one cut off."""

import pytest

from tests.eventually import eventually
from tidemark.analysis.reports.verdict_json import render
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.live import judging, words
from tidemark.live.judging import Judge, judge_so_far
from tidemark.live.words import Moment
from tidemark.record.errors import UnusableRunError


def test_a_run_under_way_is_not_one_that_was_cut_off(writer):
    writer.begin()
    writer.write_until(12)
    judged = judge_so_far(writer.path)
    assert assess_directory(writer.path).run.outcome == "aborted", "it would be taken for one"
    assert not judged.is_final
    said = [judged.assessment.because, *judged.assessment.verdict.warnings]
    assert not any("cut off" in text or "aborted" in text for text in said)
    assert judged.assessment.result == "leak"


def test_a_run_that_has_ended_is_judged_as_the_report_judges_it(writer):
    judged = judge_so_far(writer.source)
    assert judged.is_final
    assert render(judged.assessment) == render(assess_directory(writer.source))


def test_nothing_recorded_is_no_verdict(writer):
    writer.begin()
    with pytest.raises(UnusableRunError, match=r"samples\.csv"):
        judge_so_far(writer.path)


def test_it_is_judged_again_and_a_last_time_at_the_end(writer):
    writer.begin()
    ended = False
    judge = Judge(writer.path, lambda: ended)
    assert judge.judged is None
    judge.start()
    try:
        eventually(
            lambda: "nothing was sampled" in judge.why_not, "that it says why there is no verdict"
        )
        writer.write_until(12)
        eventually(lambda: judge.judged, "a verdict so far", timeout_s=90)
        assert not judge.judged.is_final
        writer.end()
        ended = True
        judge.hurry()
        eventually(lambda: judge.is_done, "the last verdict", timeout_s=90)
        assert judge.judged.is_final
        assert judge.error is None
    finally:
        judge.stop()


def test_a_bug_in_the_judging_does_not_pass_for_a_verdict(writer, monkeypatch):
    def broken(_path):
        raise ZeroDivisionError

    monkeypatch.setattr("tidemark.live.judging.judge_so_far", broken)
    judge = Judge(writer.source, lambda: True)
    judge.start()
    eventually(lambda: judge.is_done, "that it ends")
    assert isinstance(judge.error, ZeroDivisionError)
    assert judge.judged is None


@pytest.mark.parametrize(("niceness", "lowered"), [(0, True), (15, False)])
def test_who_is_nice_already_is_left_so(monkeypatch, niceness, lowered):
    """To become less nice takes a right that few have."""
    set_to = []
    monkeypatch.setattr("os.getpriority", lambda *_: niceness)
    monkeypatch.setattr("os.setpriority", lambda *given: set_to.append(given[-1]))
    judging._step_back()
    assert bool(set_to) == lowered


# What is said of it


def outlook(judged, *, after_s=0.0, has_ended=False):
    return words.outlook(judged, Moment(judged.until_s + after_s, 1.7e9, has_ended))


def test_when_it_dies_is_said_from_now(writer):
    writer.begin()
    writer.write_until(9)
    judged = judge_so_far(writer.path)
    forecast = words.forecasts(judged)["fds"]
    left_s = round(forecast.elapsed_s - judged.until_s)
    assert outlook(judged).startswith(f"dies in about {left_s} s, at ")
    assert outlook(judged).endswith(": limit of 1,024 descriptors")
    assert "(90 %: " in outlook(judged)
    assert outlook(judged, after_s=2).startswith(f"dies in about {left_s - 2} s, at ")
    assert outlook(judged, after_s=500).startswith("was to die at ")
    assert outlook(judged, has_ended=True).startswith("would have died at ")


def test_what_ran_out_is_said_when_it_has(writer):
    judged = judge_so_far(writer.source)
    assert judged.assessment.verdict.exhausted
    assert outlook(judged, has_ended=True).startswith("file descriptors ran out at ")


def test_without_a_verdict_there_is_no_outlook():
    now = Moment(3.0, 1.7e9, False)
    assert words.outlook(None, now) == ""
    assert words.verdict_word(None) == "no verdict yet"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.2, "1 s"),
        (42, "42 s"),
        (95, "2 min"),
        (840, "14 min"),
        (7300, "2 h 2 min"),
        (3e5, "3 d 11 h"),
    ],
)
def test_a_forecast_has_no_more_digits_than_it_deserves(seconds, said):
    assert words._about(seconds) == said


def test_a_moment_of_another_day_has_its_day():
    now = Moment(1000.0, 1.7e9, False)
    assert words.clock(1000.0, now).count(":") == 2
    assert words.clock(3000.0, now).count(":") == 1
    assert words.clock(1000.0 + 3 * 86400, now).count("-") == 2
    assert words.clock(1e14, now).endswith("after its beginning")
    assert words.clock(90.0, Moment(1000.0, None, False)) == "1 min 30 s"
