"""What was asked of a run is asked again: nothing that contradicts it, and no secret is kept."""

import json

import pytest

from tidemark.record.directory import RunDirectory
from tidemark.record.errors import TidemarkError
from tidemark.record.options import Unsaid
from tidemark.run.load import Load
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.orders import Orders
from tidemark.run.requests_record import RequestRecord
from tidemark.run.resume_facts import FACTS
from tidemark.run.resuming import fill_in, kept_options, take_up

ASKED = {"strategy": "shared", "rate": "20", "workers": "2", "verify_messages": True}
RAW = {"run_id": "0a1b2c3d", "started_at": "2026-01-01T00:00:00Z", "load": {"users": 3}}


def defaults(**given):
    """Options as Locust hands them over when nobody says anything else."""
    said = {one.name: Unsaid(one.as_text(one.default)) for one in OPTIONS}
    said |= {one.name: False for one in OPTIONS if one.is_flag}
    said |= {one.name: None for one in OPTIONS if one.is_repeatable}
    return {**said, "headless": True, "host": None, "num_users": None, "run_time": None, **given}


@pytest.fixture
def run(tmp_path):
    """The folder of a run that was killed before its load began."""
    directory = RunDirectory.create(tmp_path / "run")
    options, withheld = kept_options(RunOptions.parse(ASKED))
    facts = {"options": options, "withheld": list(withheld), "host": None, "planned_s": 60.0}
    directory.write_metadata({**RAW, FACTS: facts})
    return directory.path


def taken_up(run, **given):
    options = defaults(resume=str(run), **given)
    past = take_up(options)
    assert past
    past.lock.release()
    fill_in(options, past)
    return options


def test_what_was_asked_is_asked_again(run):
    options = taken_up(run)
    assert RunOptions.parse(options).workers == 2
    assert RunOptions.parse(options).rate == 20.0
    assert options["verify_messages"] is True
    assert (options["num_users"], options["run_time"]) == (3, 60.0)


def test_what_is_said_again_may_be_said_in_other_words(run):
    options = taken_up(run, rate="20.0", run_time=90, run_name="run", results=str(run.parent))
    assert options["run_time"] == 90


def test_what_is_only_said_of_a_run_may_be_wanted_otherwise(run):
    options = RunOptions.parse(taken_up(run, fail_on="leak", heartbeat="10s", no_report=True))
    assert (options.fail_on, options.heartbeat, options.no_report) == ("leak", 10.0, True)


@pytest.mark.parametrize(
    "given",
    [
        {"rate": "21"},
        {"seed": "2"},
        {"strategy": "pooled"},
        {"host": "http://127.0.0.1:1"},
        {"num_users": 4},
        {"run_name": "another"},
        {"results": "elsewhere"},
    ],
)
def test_what_contradicts_is_one_line(run, given):
    with pytest.raises(TidemarkError, match="contradicts the run that is gone on with") as error:
        taken_up(run, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"headless": False}, "needs --headless"),
        ({"processes": 2}, "one process"),
        ({"master": True}, "one process"),
    ],
)
def test_where_it_cannot_be_done_it_says_so(run, given, said):
    with pytest.raises(TidemarkError, match=said):
        taken_up(run, **given)


def test_a_load_shape_would_begin_anew(run):
    with pytest.raises(TidemarkError, match="begin anew"):
        take_up(defaults(resume=str(run)), shape=object())


def test_without_it_nothing_is_taken_up():
    assert take_up(defaults()) is None


def test_what_is_done_is_not_gone_on_with(run):
    path = run / "run.json"
    told = json.loads(path.read_text())
    told[FACTS]["planned_s"] = 0.5
    path.write_text(json.dumps(told))
    with pytest.raises(TidemarkError, match="nothing is left: --run-time says"):
        taken_up(run)
    assert taken_up(run, run_time=5)["run_time"] == 5


def test_secrets_are_kept_nowhere(monkeypatch):
    monkeypatch.setenv("KEY", "value")
    asked = {
        "header": ["Authorization: Bearer abc", "X-Key: ${KEY}"],
        "command": "serve --password=hunter2 {port}",
        "rate": 5,
    }
    kept, withheld = kept_options(RunOptions.parse(asked))
    assert kept == {"rate": "5.0"}
    assert set(withheld) == {"header", "command"}
    assert kept_options(RunOptions.parse({"header": ["X-Key: ${KEY}"]}))[1] == ()


def test_what_was_not_kept_has_to_be_given_again(run):
    path = run / "run.json"
    told = json.loads(path.read_text())
    told[FACTS]["withheld"] = ["header"]
    path.write_text(json.dumps(told))
    with pytest.raises(TidemarkError, match=r"--header: .* give it again"):
        taken_up(run)
    assert taken_up(run, header=["X: y"])["header"] == ["X: y"]


class Books:
    """Writes nothing down."""

    record = RequestRecord()
    ledger = None


@pytest.mark.parametrize(("numbers", "sent_s"), [(0, 0.0), (7, 0.0), (0, 2.0), (7, 0.2)])
def test_arrivals_go_on_where_they_were(numbers, sent_s):
    options = RunOptions.parse({"rate": 10, "ramp": 3})
    whole = Load(Orders.of_run(options, "run"), Books(), began_s=0.0)
    arrivals = [whole.next_arrival() for _ in range(60)]
    rest = Load(Orders.of_run(options, "run", numbers, sent_s), Books(), began_s=1000.0)
    left = [one for one in arrivals if one.number >= numbers and one.due_s > sent_s]
    found = [rest.next_arrival() for _ in range(10)]
    assert [one.number for one in found] == [one.number for one in left[:10]]
    begun_s = max([sent_s, *(one.due_s for one in arrivals if one.number < left[0].number)])
    dues = [rest.due_s(one) for one in found]
    assert dues == pytest.approx([1000.0 + one.due_s - begun_s for one in left[:10]])
