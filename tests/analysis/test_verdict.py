import numpy as np
import pandas as pd
import pytest

from tests.analysis.made import MIB, happened, limits, make_run, steady, ticks
from tidemark.analysis.verdict.judge import judge
from tidemark.record.events import Emfile, GeneratorSaturated, WorkerLost


def growing(at, per_request=0.02):
    return 30 + np.floor(per_request * steady(at))


@pytest.fixture
def at():
    return ticks()


def test_one_leak_makes_the_run_a_leak(at):
    verdict = judge(make_run(at, growing(at), requests=steady(at)))
    assert verdict.verdict == "leak"
    assert verdict.reason == verdict.resources["fds"].reason
    assert {name for name, found in verdict.resources.items() if found.verdict == "clean"} == {
        "connections",
        "threads",
        "rss_bytes",
    }


def test_doubt_about_a_resource_with_a_limit_makes_the_run_inconclusive(at):
    fill = np.round(20 + 300 * (1 - np.exp(-at / 300)))
    threads = make_run(at, fill, resource="threads", requests=steady(at))
    assert judge(threads).verdict == "clean"
    limited = make_run(
        at, fill, resource="threads", requests=steady(at), events=[limits(threads_limit=4096)]
    )
    verdict = judge(limited)
    assert verdict.verdict == "inconclusive"
    assert verdict.reason.startswith("threads:")


def test_a_clean_run_says_what_it_rests_on(at):
    verdict = judge(make_run(at, np.full(len(at), 21.0), requests=steady(at)))
    assert verdict.verdict == "clean"
    assert verdict.reason.startswith("no resource leaks")
    assert verdict.first_to_exhaust is None
    assert verdict.exhausted is None


def test_what_will_run_out_first_comes_first(at):
    events = [limits(threads_limit=200), limits(rss_bytes_limit=2**40)]
    run = make_run(at, growing(at), resource="threads", requests=steady(at), events=events)
    found = judge(run)
    assert found.first_to_exhaust == "threads"
    threads = found.resources["threads"]
    assert threads.limit == 200
    assert threads.requests_to_limit == pytest.approx((200 - threads.last) / 0.02, rel=0.1)
    assert threads.exhaustion_interval_s.contains(threads.exhaustion_elapsed_s)
    assert "requests, away" in threads.reason


def test_the_same_run_is_judged_the_same_twice(at):
    run = make_run(at, growing(at), requests=steady(at))
    assert repr(judge(run)) == repr(judge(run))


def test_messages_come_from_run_json_or_from_what_was_accepted(at):
    flat = np.full(len(at), 21.0)
    counted = judge(make_run(at, flat, requests=steady(at))).messages
    assert (counted.accepted, counted.lost) == (10 * steady(at)[-1], None)
    told = {"messages": {"accepted": 7, "delivered": 5, "lost": 2, "undecided": "many"}}
    found = judge(make_run(at, flat, requests=steady(at), raw=told)).messages
    assert (found.accepted, found.delivered, found.lost, found.undecided) == (7, 5, 2, None)


@pytest.mark.parametrize(
    ("events", "said"),
    [
        ([GeneratorSaturated()], "the load generator was saturated"),
        (
            [GeneratorSaturated(lateness_s=0.26), GeneratorSaturated(lateness_s=1.4)],
            "the load generator was saturated: requests left up to 1.4 s late",
        ),
        (
            [GeneratorSaturated(lateness_s=0.26), GeneratorSaturated(cpu_percent=97.2)],
            (
                "the load generator was saturated: requests left up to 0.26 s late, "
                "it used 97 % of a processor, and can use but one"
            ),
        ),
    ],
)
def test_a_saturated_generator_is_a_warning(at, events, said):
    run = make_run(
        at,
        np.full(len(at), 21.0),
        requests=steady(at),
        events=[happened(5.0, event) for event in events],
    )
    assert said in judge(run).warnings


def test_a_lost_worker_of_the_generator_is_a_warning(at):
    flat = np.full(len(at), 21.0)
    events = [happened(5.0, WorkerLost("worker-2"))]
    run = make_run(at, flat, requests=steady(at), events=events)
    assert any("lost a worker" in warning for warning in judge(run).warnings)


def test_growth_that_the_control_shows_as_well_is_clean(at):
    run = make_run(at, 60 * MIB + 20 * MIB * at / at[-1], resource="rss_bytes", requests=steady(at))
    assert judge(run).verdict == "leak"
    found = judge(run, control=run).resources["rss_bytes"]
    assert found.verdict == "clean"
    assert "no more than the control" in found.reason


def test_growth_beyond_the_control_stays_a_leak(at):
    run = make_run(at, growing(at), requests=steady(at))
    control = make_run(at, growing(at, 0.001), requests=steady(at))
    assert judge(run, control).verdict == "leak"


def test_the_first_quarter_is_checked_against_the_death():
    at = ticks(400.0)
    series = np.minimum(20 + steady(at, 5.0), 1024.0)
    died = float(at[np.argmax(series >= 1024)])
    run = make_run(
        at,
        series,
        requests=steady(at, 5.0),
        fds_limit=1024.0,
        events=[happened(died, Emfile(requests=1004))],
    )
    check = judge(run).resources["fds"].forecast_check
    assert check.subject == "exhaustion"
    assert check.unit == "requests"
    assert check.actual == 1004
    assert check.predicted == pytest.approx(1004, rel=0.03)
    assert check.covered
    assert check.forecast.made_at_requests == pytest.approx(251, abs=6)


def test_without_a_death_the_first_quarter_is_checked_against_the_level_at_the_end(at):
    found = judge(make_run(at, growing(at), requests=steady(at))).resources["fds"]
    assert found.forecast_check.subject == "level"
    assert found.forecast_check.predicted == pytest.approx(found.last, rel=0.1)
    assert found.forecast_check.covered


def test_the_model_carries_what_pictures_need(at):
    found = judge(make_run(at, growing(at), requests=steady(at))).resources["fds"]
    line = found.fit.against_elapsed_s
    assert line.slope == pytest.approx(0.2, rel=0.05)
    assert line.at(300.0) == pytest.approx(90.0, abs=3)
    assert found.fit.against_requests.slope == pytest.approx(0.02, rel=0.05)
    assert len(found.series.elapsed_s) == len(found.series.value) == len(found.series.requests)
    assert found.forecast.limit == found.limit == 65536
    assert found.warmup_end_s < found.judged_until_s
    assert (found.baseline, found.last) == (30.0, found.series.value[-1])


def endpoints(at, held, waiting):
    return pd.DataFrame(
        {
            "time_s": 1.7e9 + at,
            "elapsed_s": at,
            "endpoint": "127.0.0.1:9092",
            "held": held,
            "time_wait": waiting,
        }
    )


PORTS = limits(local_ports_low=32768, local_ports_high=60999)


def test_churn_has_a_ceiling_of_its_own(at):
    waiting = np.minimum(at, 60.0) * 20
    run = make_run(
        at,
        np.full(len(at), 21.0),
        requests=steady(at),
        events=[PORTS],
        endpoints=endpoints(at, 2.0, waiting),
    )
    (ports,) = judge(run).local_ports
    assert ports.available == 28232
    assert ports.used == pytest.approx(1202)
    assert ports.churn_per_s == pytest.approx(20, rel=0.02)
    assert ports.churn_ceiling_per_s == pytest.approx(28230 / 60)
    assert "the ceiling is 470 per second" in ports.reason


def test_held_connections_use_the_local_ports_up(at):
    run = make_run(
        at,
        np.full(len(at), 21.0),
        requests=steady(at),
        events=[PORTS],
        endpoints=endpoints(at, np.floor(2.0 * at), 0.0),
    )
    verdict = judge(run)
    (ports,) = verdict.local_ports
    assert ports.exhaustion_elapsed_s == pytest.approx(28232 / 2, rel=0.02)
    assert ports.exhaustion_interval_s.contains(28232 / 2)
    assert verdict.first_to_exhaust == "local_ports"


def test_many_ports_in_use_are_a_warning(at):
    run = make_run(
        at,
        np.full(len(at), 21.0),
        requests=steady(at),
        events=[PORTS],
        endpoints=endpoints(at, 2.0, np.full(len(at), 20000.0)),
    )
    assert any("local ports" in warning for warning in judge(run).warnings)


def test_ports_without_a_recorded_range_have_no_ceiling(at):
    run = make_run(
        at,
        np.full(len(at), 21.0),
        requests=steady(at),
        endpoints=endpoints(at, 2.0, 100.0),
    )
    (ports,) = judge(run).local_ports
    assert ports.available is None
    assert ports.churn_ceiling_per_s is None
    assert "not recorded" in ports.reason
