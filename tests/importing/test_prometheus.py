"""`tidemark import prometheus` on a stub of the server: what becomes of what it holds."""

import csv
import json

import pytest
from click.testing import CliRunner

from tests.importing.stub import BEGIN_S
from tidemark.analysis.verdict.assessment import assess_directory
from tidemark.cli import cli
from tidemark.record.directory import RunDirectory
from tidemark.record.events import Gap, RuntimeSeen, TargetRestarted, Unread, of_kind

SCRAPE_S = 5.0
LASTS_S = 600


def rows(out, name="samples.csv"):
    with (out / name).open() as file:
        return list(csv.DictReader(file))


def events(out, kind):
    return of_kind(RunDirectory(out).read_events(), kind)


def told(result):
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output


def failed(result):
    """The one line that an import ended with."""
    assert result.exit_code != 0
    return str(result.exception)


def times(start=0.0, end=LASTS_S, without=()):
    at = [start + SCRAPE_S * tick for tick in range(int((end - start) / SCRAPE_S))]
    return [one for one in at if not any(low <= one < high for low, high in without)]


def hold_service(stub, *, at=None, began_s=-1000.0, rate=10.0, each=0.2, counted=50.0, **labels):
    """A service that answers requests and leaks descriptors; what a life of it exports.

    Args:
        stub: The server.
        at: When it is scraped, seconds since the beginning.
        began_s: When its process began.
        rate: Requests a second.
        each: Descriptors leaked by a request.
        counted: What its counter has at its first scrape.
        labels: Further labels, or others.
    """
    at = times() if at is None else at
    answered = [(one, round(counted + rate * (one - at[0]))) for one in at]
    stub.hold("up", [(one, 1) for one in at], **labels)
    stub.hold("process_open_fds", [(t, 12 + int(each * n)) for t, n in answered], **labels)
    stub.hold("process_max_fds", [(one, 4096) for one in at], **labels)
    stub.hold("process_resident_memory_bytes", [(one, 3e7) for one in at], **labels)
    stub.hold("process_cpu_seconds_total", [(t, n / 1000) for t, n in answered], **labels)
    start = BEGIN_S + began_s
    stub.hold("process_start_time_seconds", [(one, start) for one in at], **labels)
    stub.hold("http_requests_total", answered, code="200", **labels)


def test_a_leak_is_found_per_request(stub, imported):
    hold_service(stub)
    stub.hold("http_requests_total", [(300, 1), (305, 3)], code="503")
    stub.hold("promhttp_metric_handler_requests_total", [(at, 10**6) for at in times()], code="200")
    result, out = imported("--job", "api")
    assert "120 samples of 1 instance" in told(result)
    assert "one in 5 s; 5,953 requests by http_requests_total" in told(result)
    first, last = rows(out)[0], rows(out)[-1]
    assert (first["time_s"], first["elapsed_s"]) == (str(BEGIN_S), "0.0")
    assert first["target"] == "10.0.0.1:8080"
    assert first["process"] == "api"
    assert (first["fds"], first["fds_limit"], first["rss_bytes"]) == ("22", "4096", "30000000")
    assert last["cpu_s"] == "6.0"
    counts = rows(out, "requests.csv")
    assert (counts[0]["requests"], counts[0]["failures"]) == ("0", "0")
    assert (counts[-1]["requests"], counts[-1]["failures"]) == ("5953", "3")
    found = assess_directory(out).verdict.resources
    assert found["fds"].verdict == "leak"
    assert found["fds"].per_request == pytest.approx(0.2, rel=0.02)
    assert found["fds"].exhaustion_elapsed_s == pytest.approx((4096 - 22) / 2, rel=0.05)


def test_what_it_cannot_know_is_empty_and_not_called_clean(stub, imported):
    hold_service(stub, each=0.0)
    result, out = imported("--job", "api")
    told(result)
    unknown = ("established", "time_wait", "threads", "sample_cost_s", "swap_bytes", "heap_bytes")
    assert {row[column] for row in rows(out) for column in unknown} == {""}
    assessment = assess_directory(out)
    assert assessment.verdict.resources["connections"].verdict == "inconclusive"
    assert assessment.verdict.resources["fds"].verdict == "clean"
    assert assessment.exit_code == 0
    assert "but for broker connections and threads, which cannot be told" in assessment.claim


def test_run_json_tells_where_it_comes_from(stub, imported):
    hold_service(stub)
    result, out = imported("--job", "api")
    told(result)
    told_by = json.loads((out / "run.json").read_text())
    assert told_by["strategy"] == "api"
    assert told_by["outcome"] == "completed"
    assert told_by["started_at"] == "2026-11-26T09:30:00.000Z"
    assert told_by["imported"]["url"] == stub.url
    assert told_by["imported"]["requests"] == "http_requests_total"
    assert [one["id"] for one in told_by["targets"]] == ["10.0.0.1:8080"]
    assert RunDirectory(out).read_metadata().outcome == "completed"


def test_a_restart_is_an_event_and_breaks_no_total(stub, imported):
    hold_service(stub, at=times(end=300))
    later = times(start=310)
    hold_service(stub, at=later, began_s=301.0, counted=90.0, generation="2")
    result, out = imported("--job", "api")
    told(result)
    (restart,) = events(out, TargetRestarted)
    assert (restart.elapsed_s, restart.event.pid, restart.event.former_pid) == (310.0, 2, 1)
    assert {row["pid"] for row in rows(out)} == {"1", "2"}
    counts = [int(row["requests"]) for row in rows(out, "requests.csv")]
    assert counts == sorted(counts)
    assert counts[-1] == 2950 + 90 + 2850
    assert assess_directory(out).verdict.resources["fds"].verdict == "leak"


def test_a_restart_without_a_start_time_shows_by_cpu_time(stub, imported):
    for at, used in ((times(end=300), 5), (times(start=300), 0)):
        stub.hold("process_open_fds", [(one, 7) for one in at])
        stub.hold("process_cpu_seconds_total", [(one, used + one / 1000) for one in at])
    stub.series[0][1].extend(stub.series.pop(2)[1])
    stub.series[1][1].extend(stub.series.pop(2)[1])
    result, out = imported("--job", "api")
    told(result)
    (restart,) = events(out, TargetRestarted)
    assert restart.elapsed_s == 300.0


def test_a_pause_in_scraping_is_a_gap(stub, imported):
    hold_service(stub, at=times(without=[(200, 260)]))
    result, out = imported("--job", "api")
    told(result)
    (gap,) = events(out, Gap)
    assert (gap.elapsed_s, gap.event.missed_ticks, gap.event.interval_s) == (260.0, 12, SCRAPE_S)
    assert events(out, Unread) == []
    assert assess_directory(out).verdict.resources["fds"].verdict == "leak"


def test_a_pause_of_all_instances_is_told_once(stub, imported):
    hold_service(stub, at=times(without=[(200, 260)]))
    at = [one + 1.5 for one in times(without=[(200, 260)])]
    hold_service(stub, at=at, instance="10.0.0.2:8080")
    result, out = imported("--job", "api")
    told(result)
    assert [one.elapsed_s for one in events(out, Gap)] == [260.0]
    assert events(out, Unread) == []


def test_several_instances_are_processes_of_targets_of_their_own(stub, imported):
    hold_service(stub)
    at = [one + 1.5 for one in times(without=[(200, 260)])]
    hold_service(stub, at=at, instance="10.0.0.2:8080")
    result, out = imported("--job", "api")
    assert "of 2 instances" in told(result)
    who = {(row["target"], row["pid"], row["process"]) for row in rows(out)}
    assert who == {("10.0.0.1:8080", "1", "api"), ("10.0.0.2:8080", "2", "api")}
    assert int(rows(out, "requests.csv")[-1]["requests"]) == pytest.approx(11_900, abs=20)
    (unread,) = events(out, Unread)
    assert unread.event.pid == 2
    assert events(out, Gap) == []
    assert "10.0.0.2:8080 could not be read for 65 s" in unread.event.reason
    found = assess_directory(out).verdict.resources["fds"]
    assert (found.verdict, found.per_request) == ("leak", pytest.approx(0.2, rel=0.02))
    only, out = imported("--job", "api", "--instance", "10.0.0.2:8080", name="other")
    assert "108 samples of 1 instance" in told(only)


def test_the_instance_that_leaks_is_named(stub, imported):
    hold_service(stub, each=0.0)
    hold_service(stub, instance="10.0.0.2:8080")
    result, out = imported("--job", "api")
    told(result)
    assessment = assess_directory(out)
    assert assessment.because.startswith("File descriptors of 10.0.0.2:8080: grow by 0.1 ")
    found = {one.id: one.result for one in assessment.targets}
    assert found == {"10.0.0.2:8080": "leak", "10.0.0.1:8080": "clean"}
    assert assess_directory(out, target="10.0.0.1:8080").result == "clean"


def test_a_successor_has_taken_the_place_of_one_that_is_gone(stub, imported):
    hold_service(stub, at=times(end=300))
    hold_service(stub, at=times(start=290), began_s=285.0, counted=0.0, instance="10.0.0.2:8080")
    result, out = imported("--job", "api")
    told(result)
    (restart,) = events(out, TargetRestarted)
    assert (restart.event.target, restart.event.pid, restart.event.former_pid) == (
        "10.0.0.2:8080",
        2,
        1,
    )
    assert not [one for one in assess_directory(out).findings if one.kind.value == "died"]


def test_one_that_was_taken_away_is_left_out_and_one_that_failed_is_not(stub, imported):
    hold_service(stub)
    hold_service(stub, at=times(end=300), instance="10.0.0.2:8080")
    result, out = imported("--job", "api")
    assert "10.0.0.2:8080 is left out: it was read until 2026-11-26T09:34:55Z" in told(result)
    assert {row["target"] for row in rows(out)} == {"10.0.0.1:8080"}
    stub.hold("up", [(one, 0) for one in times(start=300)], instance="10.0.0.2:8080")
    result, out = imported("--job", "api", name="other")
    assert "left out" not in told(result)
    assert [one.elapsed_s for one in events(out, Unread)] == [300.0]


def test_runtimes_goroutines_and_heap(stub, imported):
    hold_service(stub)
    stub.hold("go_info", [(one, 1) for one in times()], version="go1.26")
    stub.hold("go_goroutines", [(one, 9) for one in times()])
    stub.hold("go_threads", [(one, 6) for one in times()])
    stub.hold("go_memstats_next_gc_bytes", [(one, 8e6 + one) for one in times()])
    stub.hold("go_gc_duration_seconds_count", [(one, one // 60) for one in times()])
    result, out = imported("--job", "api")
    told(result)
    last = rows(out)[-1]
    assert (last["goroutines"], last["threads"], last["collections"]) == ("9", "6", "9")
    assert last["heap_bytes"] == str(int((8e6 + 540) / 2)), "as it was at the latest collection"
    (seen,) = events(out, RuntimeSeen)
    assert seen.event.runtime == "go"


def test_fewer_rows_than_scrapes(stub, imported):
    hold_service(stub)
    result, out = imported("--job", "api", "--step", "60")
    told(result)
    assert [float(row["elapsed_s"]) for row in rows(out)] == [60.0 * at for at in range(10)]
    assert events(out, Gap) == []


def test_a_counter_without_a_status_tells_no_failures(stub, imported):
    stub.hold("process_open_fds", [(at, 12 + 2 * at) for at in times()])
    stub.hold("flask_http_request_total", [(at, 10 * at) for at in times()], method="GET")
    result, out = imported("--job", "api")
    assert "5,950 requests by flask_http_request_total" in told(result)
    assert {row["failures"] for row in rows(out, "requests.csv")} == {""}
    assessment = assess_directory(out)
    assert assessment.verdict.resources["fds"].per_request == pytest.approx(0.2, rel=0.02)
    assert assessment.result == "leak"


def test_without_requests_growth_is_per_hour(stub, imported):
    stub.hold("process_open_fds", [(at, 12 + 2 * at) for at in times()])
    result, out = imported("--job", "api")
    assert "requests unknown" in told(result)
    assert not (out / "requests.csv").exists()
    found = assess_directory(out).verdict.resources["fds"]
    assert found.per_request is None
    assert found.per_hour == pytest.approx(7200, rel=0.02)


# -- queries of one's own ---------------------------------------------------------------------


def test_queries_tell_figures_and_requests(stub, imported):
    stub.calculated["sum(fds)"] = [({}, lambda at: None if 300 <= at < 400 else 12 + int(at))]
    stub.calculated["sum(reqs)"] = [({"code": "200"}, lambda at: 5 * at if at < 450 else at)]
    given = ("--query", "fds=sum(fds)", "--requests", "sum(reqs)", "--step", "5s")
    result, out = imported(*given)
    assert "requests by sum(reqs)" in told(result)
    assert {row["pid"] for row in rows(out)} == {"1"}
    assert rows(out)[1]["fds"] == "17"
    (gap,) = events(out, Gap)
    assert gap.event.missed_ticks == 20
    assert int(rows(out, "requests.csv")[-1]["requests"]) == 5 * 445 + 450 + 150
    assert json.loads((out / "run.json").read_text())["imported"]["queries"] == {"fds": "sum(fds)"}


def test_queries_may_tell_instances_apart(stub, imported):
    stub.calculated["q"] = [({"instance": name}, lambda at: 9) for name in ("a:1", "b:1")]
    result, out = imported("--query", "threads=q")
    told(result)
    assert {(row["target"], row["threads"]) for row in rows(out)} == {("a:1", "9"), ("b:1", "9")}


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([{"a": "1"}, {"a": "2"}], "fds has several series for one instance; add them up"),
        ([{"instance": "a:1"}, {}], "told by instance and others are not"),
        ([], "holds nothing that --query fds=q finds between 2026-11-26T09:30:00Z and"),
    ],
)
def test_what_a_query_must_not_be(stub, imported, labels, message):
    stub.calculated["q"] = [(one, lambda at: 3) for one in labels]
    result, out = imported("--query", "fds=q")
    assert message in failed(result)
    assert not out.exists()


def test_a_rate_is_no_counter(stub, imported):
    hold_service(stub)
    stub.calculated["rate"] = [({}, lambda at: 10 + (at % 30))]
    result, _ = imported("--job", "api", "--requests", "rate")
    assert "it is no counter; give one that counts up, not its rate" in failed(result)


# -- what is not there ------------------------------------------------------------------------


def test_a_job_without_figures_says_what_there_is(stub, imported):
    for number in range(15):
        stub.hold(f"other_{number:02}", [(0, 1)])
    message = failed(imported("--job", "api")[0])
    assert "holds no figures of a process (such as process_open_fds" in message
    assert "there are other_00, other_01" in message
    assert "other_11 and 3 more; name what to read by --query" in message


def test_several_processes_behind_one_instance_are_to_be_added_up(stub, imported):
    for pid in ("7", "8"):
        stub.hold("process_open_fds", [(at, 12) for at in times()], pid=pid)
    message = failed(imported("--job", "api")[0])
    assert "holds several series of process_open_fds for one instance of job 'api'" in message
    query = 'fds=sum by (instance) (process_open_fds{job="api"})'
    assert f"add them up: --query '{query}'" in message


def test_a_job_that_is_not_there_says_which_are(stub, imported):
    hold_service(stub)
    message = failed(imported("--job", "apis")[0])
    assert "holds no job 'apis' between" in message
    assert "there are api; check --job" in message


def test_an_instance_that_is_not_there_says_which_are(stub, imported):
    hold_service(stub)
    message = failed(imported("--job", "api", "--instance", "x:1")[0])
    assert "holds no instance 'x:1' of job 'api'" in message
    assert "there are 10.0.0.1:8080; name one of them" in message


def test_an_empty_server_says_so(stub, imported):
    result, out = imported("--job", "api")
    assert "there is none at all" in failed(result)
    assert not out.exists()


def test_a_job_with_quotes_is_asked_for_as_it_is(stub, imported):
    failed(imported("--job", 'a"b\\c')[0])
    assert 'job="a\\"b\\\\c"' in stub.queries("query")[0]["query"]


# -- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--job or --query must be given"),
        (("--job", "a", "--query", "fds=q"), "--job or --query must be given"),
        (("--query", "fds=q", "--instance", "h:1"), "--instance needs --job"),
        (("--query", "fds"), "--query: must be KEY=PROMQL"),
        (("--query", "files=q"), "--query: KEY must be one of fds, fds_limit, threads"),
        (("--query", "fds=q", "--query", "fds=r"), "--query: a KEY is given twice"),
        (("--job", ""), "--job: must not be empty"),
        (("--job", "a", "--start", "soon"), "--start: must be a time"),
        (("--job", "a", "--end", "1"), "--end: must be later than --start"),
        (("--job", "a", "--step", "0"), "--step: must be"),
        (
            ("--query", "fds=q", "--step", "1ms", "--end", "now"),
            "--step: makes more than 2,000,000",
        ),
        (("--job", "a", "--url", "ftp://x"), "--url: must be http://"),
        (("--job", "a", "--url", "file:///etc/passwd"), "--url: must be http://"),
        (("--job", "a", "--url", "http://me:s3cret@h:1"), "--url: must not hold a login"),
        (("--job", "a", "--token-env", "NO-NAME"), "--token-env: must be the name of"),
        (("--job", "a", "--token-env", "UNSET_TOKEN"), "UNSET_TOKEN is not set in the environment"),
    ],
)
def test_bad_options_are_one_line(stub, tmp_path, arguments, message):
    given = ["import", "prometheus", "--url", stub.url, "--out", str(tmp_path / "run")]
    given += ["--start", "-1h", *arguments]
    result = CliRunner().invoke(cli, given)
    line = result.output if result.exception.__class__ is SystemExit else str(result.exception)
    assert message in line
    assert "s3cret" not in line
    assert stub.asked == []
    assert not (tmp_path / "run").exists()


def test_a_token_is_sent_and_written_nowhere(stub, imported):
    hold_service(stub)
    result, out = imported("--job", "api", "--token-env", "PROM_TOKEN", PROM_TOKEN="hush-hush")
    told(result)
    assert set(stub.tokens) == {"Bearer hush-hush"}
    assert not [path for path in out.iterdir() if b"hush-hush" in path.read_bytes()]
    assert "hush-hush" not in result.output


def test_a_token_with_a_line_break_is_refused_and_not_told(stub, imported):
    result, _ = imported("--job", "api", "--token-env", "PROM_TOKEN", PROM_TOKEN="a\nhush")
    assert "PROM_TOKEN holds is no token" in failed(result)
    assert "hush" not in failed(result)


def test_a_run_that_is_there_is_not_written_into(stub, imported):
    hold_service(stub)
    told(imported("--job", "api")[0])
    assert "holds a run already" in failed(imported("--job", "api")[0])
