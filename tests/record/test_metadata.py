"""`record.metadata`: what run.json says, in both formats, and what is wrong with it."""

import datetime as dt
import json

import pytest

from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import ONLY_TARGET
from tidemark.record.metadata import ABORTED, OUTCOMES, Target, utc_now

LEAST = {"format": 2}
ENDED = {"ended_at": "2026-01-01T00:00:00Z"}


@pytest.fixture
def read(tmp_path):
    """Read what run.json would be of these values."""

    def read(values):
        path = tmp_path / "run.json"
        path.write_text(values if isinstance(values, str) else json.dumps(values))
        return RunDirectory(tmp_path).read_metadata()

    return read


def test_the_least_that_a_run_says(read):
    found = read(LEAST)
    assert (found.format, found.strategy, found.started_at, found.brokers) == (2, None, None, ())
    assert found.target == found.load == found.host == {}
    assert found.outcome == ABORTED, "its writer did not live to say how it ended"


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_how_it_ended(read, outcome):
    assert read({**LEAST, **ENDED, "outcome": outcome}).outcome == outcome
    assert read({**LEAST, "outcome": outcome}).outcome == ABORTED
    assert read({**LEAST, **ENDED}).outcome == ABORTED


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T12:00:00.5Z",
        "2026-01-01T13:00:00.5+01:00",
        "2026-01-01T12:00:00.5",
    ],
)
def test_times_are_utc(read, text):
    moment = dt.datetime(2026, 1, 1, 12, 0, 0, 500_000, tzinfo=dt.UTC)
    assert read({**LEAST, "started_at": text}).started_at == moment


def test_now_is_a_time_as_it_is_read(read):
    written = utc_now()
    assert written.endswith("Z")
    found = read({**LEAST, "started_at": written}).started_at
    assert abs((dt.datetime.now(dt.UTC) - found).total_seconds()) < 3600


def test_format_1_has_one_target(read):
    target = {"url": "http://h:1", "pid": 7, "command": "python -m app", "fds_limit": 512}
    found = read({"format": 1, "target": target})
    assert found.targets == (Target(ONLY_TARGET, "http://h:1", (7,), "python -m app"),)
    assert found.target["fds_limit"] == 512


def test_format_2_may_have_several_targets(read):
    targets = (
        Target("a", "http://h:1", (7, 8), "python -m app"),
        Target("b", host="other", clock_offset_s=-0.25),
    )
    assert read({**LEAST, "targets": [one.to_json() for one in targets]}).targets == targets


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not a JSON object"),
        ("[]", "is not a JSON object"),
        ('{"format": 2', "is not a JSON object"),
        ('{"format": 2, "x": NaN}', "is not a JSON object"),
        ('{"strategy": "x"}', "format None is not known"),
        ('{"format": 3}', r"format 3 is not known \(only 1 and 2 are\)"),
        ('{"format": true}', "format True is not known"),
        ('{"format": "2"}', "format 2 is not known"),
    ],
)
def test_what_is_no_run(read, text, reason):
    with pytest.raises(UnusableRunError, match=reason):
        read(text)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({**ENDED, "outcome": "exploded"}, "the outcome 'exploded' is not known"),
        ({"brokers": "h:1"}, "brokers is not a list of host:port"),
        ({"brokers": [1]}, "brokers is not a list of host:port"),
        ({"strategy": 3}, "strategy is not a text"),
        ({"target": []}, "target is not an object"),
        ({"load": "heavy"}, "load is not an object"),
        ({"host": 1}, "host is not an object"),
        ({"started_at": "yesterday"}, "started_at is not a time in ISO 8601"),
        ({"ended_at": 17}, "ended_at is not a time in ISO 8601"),
        ({"targets": {}}, "targets is not a list of objects with an id"),
        ({"targets": [{"url": "x"}]}, "targets is not a list of objects with an id"),
        ({"targets": [{"id": "a", "pids": 7}]}, "targets is not a list of objects with an id"),
        ({"targets": [{"id": "a", "clock_offset_s": "1"}]}, "targets is not a list of objects"),
        ({"targets": [None]}, "targets is not a list of objects"),
    ],
)
def test_what_is_wrong_is_named_with_the_file(read, values, reason, tmp_path):
    with pytest.raises(UnusableRunError, match=reason) as caught:
        read({**LEAST, **values})
    assert str(caught.value).startswith(f"{tmp_path}/run.json: ")
    assert "\n" not in str(caught.value)


def test_a_folder_without_run_json_is_no_run(tmp_path):
    with pytest.raises(UnusableRunError, match=r"holds no run\.json, so it is no run directory"):
        RunDirectory(tmp_path).read_metadata()
