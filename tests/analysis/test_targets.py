"""A run of several targets: each is judged by itself, the run by what was found on them."""

import json
import pickle
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.analysis import made
from tests.analysis.several import leaking, together, write_several
from tidemark.analysis.run import load_run, of_target
from tidemark.analysis.verdict.assessment import assess, assess_results, comparison_exit_code
from tidemark.analysis.verdict.findings import Kind, Severity
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.targets import TargetResult, combine, judge_target, merged_findings
from tidemark.record.errors import UnusableRunError
from tidemark.record.events import Emfile, LimitsRead, Stalled, TargetExited, TargetRestarted
from tidemark.record.metadata import Target

AT = made.ticks(300.0)


def results_of(run):
    return [judge_target(run, target) for target in run.target_ids]


@pytest.fixture(scope="module")
def three():
    """Two clean targets and one that leaks."""
    return together(
        {"ingest-1": leaking(0), "ingest-2": leaking(0.3, seed=4), "ingest-3": leaking(0, seed=5)}
    )


@pytest.fixture(scope="module")
def assessed(three):
    return assess(three)


def test_a_target_has_its_own_rows_and_events_and_all_requests(three):
    own = made.happened(7.0, Emfile(target="ingest-2"))
    others = made.happened(8.0, Emfile(target="ingest-1"))
    of_all = made.happened(9.0, Stalled(silent_s=3.0))
    run = replace(three, events=(own, others, of_all))
    one = of_target(run, "ingest-2")
    assert set(one.samples["target"].astype(str)) == {"ingest-2"}
    assert one.events == (own, of_all)
    assert one.requests is run.requests
    assert one.target_ids == ("ingest-2",)
    assert [told.id for told in one.metadata.targets] == ["ingest-2"]


def test_an_unknown_target_is_one_line_with_at_most_five_that_are_known():
    run = together({f"t{n}": leaking(0) for n in range(8)})
    with pytest.raises(
        UnusableRunError, match="no target 'x'; name one of t0, t1, t2, t3, t4 and 3"
    ):
        of_target(run, "x")


def test_a_run_of_one_target_is_taken_as_it_is():
    run = leaking(0.3)
    assert of_target(run, "target") is run
    assert assess(run).targets == ()
    assert assess(run).verdict.resources["fds"].series is not None


def test_the_only_target_of_an_older_file_has_the_name_that_stands_in_it():
    run = leaking(0.0)
    named = replace(run, metadata=replace(run.metadata, targets=(Target("ingest"),)))
    assert named.target_ids == ("ingest",)
    assert assess(named).targets == ()


def test_one_of_three_leaks_and_is_named(assessed):
    assert (assessed.result, assessed.exit_code) == ("leak", 1)
    assert assessed.because.startswith("File descriptors of ingest-2: grow by 0.3 ")
    assert assessed.verdict.reason.startswith("file descriptors of ingest-2: grow by 0.3 ")
    assert "3 targets: 1 leak, 2 clean" in assessed.statement
    assert [one.id for one in assessed.targets] == ["ingest-2", "ingest-1", "ingest-3"]


def test_a_target_is_judged_as_a_run_of_it_alone_would_be(three, assessed):
    alone = judge(leaking(0.3, seed=4))
    found = next(one for one in assessed.targets if one.id == "ingest-2")
    assert found.resources["fds"] == replace(alone.resources["fds"], series=None)
    assert found.found.first_to_exhaust == alone.first_to_exhaust


def test_figures_are_sums_with_intervals_in_quadrature(assessed):
    whole = assessed.verdict.resources["fds"]
    each = [one.resources["fds"] for one in assessed.targets]
    assert whole.per_request == pytest.approx(sum(one.per_request for one in each))
    assert whole.last == pytest.approx(sum(one.last for one in each))
    above = np.sqrt(sum((one.per_request_interval.high - one.per_request) ** 2 for one in each))
    assert whole.per_request_interval.high == pytest.approx(whole.per_request + above)


def test_the_forecast_is_that_of_the_target_that_runs_out_first():
    run = together(
        {"slow": leaking(0.1, fds_limit=1024), "fast": leaking(0.3, seed=4, fds_limit=2048)}
    )
    assessed = assess(run)
    fast, whole = assessed.targets[0], assessed.verdict.resources["fds"]
    assert fast.id == "fast"
    assert whole.limit == 2048
    assert whole.scope == "fast, process 10"
    assert whole.exhaustion_elapsed_s == fast.dies_at_s
    assert assessed.verdict.first_to_exhaust == "fds"


def test_two_leak_different_resources():
    assessed = assess(
        together({"a": leaking(0.3), "b": leaking(0.3, resource="threads"), "c": leaking(0)})
    )
    leaks = {one.subject: one.target for one in assessed.findings if one.kind is Kind.LEAK}
    assert leaks == {"fds": "a", "threads": "b"}
    assert [one.verdict for one in assessed.targets] == ["leak", "leak", "clean"]


def test_targets_that_leak_alike_are_told_in_one_finding():
    assessed = assess(together({f"t{n}": leaking(0.3, seed=n) for n in range(3)}))
    (found,) = [one for one in assessed.findings if one.subject == "fds"]
    assert found.target is not None
    assert found.reason.endswith("; likewise the 2 other targets")


def test_title_and_reason_are_about_one_target():
    exhausted = leaking(0.4, seed=11, fds_limit=1024)
    assessed = assess(together({"a": ended(leaking(0), 200.0), "b": exhausted}))
    assert assessed.result == "exhausted"
    assert assessed.because.startswith("File descriptors of b: grow by 0.4 ")
    assert assessed.statement.startswith("b: 0.4 descriptors a request, ")


def test_all_clean():
    assessed = assess(together({"a": leaking(0), "b": leaking(0, seed=9)}))
    assert (assessed.result, assessed.exit_code) == ("clean", 0)
    assert assessed.verdict.reason.startswith("none of 2 targets leaks; file descriptors of ")
    assert all(one.severity is Severity.PASS for one in assessed.findings)


def test_a_target_that_was_never_sampled_is_named_and_the_run_is_not_clean():
    assessed = assess(together({"a": leaking(0), "b": leaking(0, seed=9)}, unsampled=["c"]))
    assert (assessed.result, assessed.exit_code) == ("cannot tell", 3)
    assert assessed.because == "c: it was never sampled"
    assert assessed.verdict.verdict == "inconclusive"
    assert {one.id: one.result for one in assessed.targets} == {
        "c": "not a test",
        "a": "clean",
        "b": "clean",
    }


def test_a_leak_beside_a_target_that_was_never_sampled_is_a_leak():
    assessed = assess(together({"a": leaking(0.3)}, unsampled=["b", "c"]))
    assert (assessed.result, assessed.exit_code) == ("leak", 1)
    assert "b: it was never sampled; likewise c" in [one.reason for one in assessed.findings]


def ended(run, at_s):
    """The run as if its process had gone at a moment."""
    return replace(run, samples=run.samples[run.samples["elapsed_s"] < at_s])


def test_a_target_that_vanishes_while_others_are_sampled_has_died():
    assessed = assess(together({"a": leaking(0), "b": ended(leaking(0, seed=9), 200.0)}))
    assert (assessed.result, assessed.exit_code) == ("died", 1)
    assert assessed.statement.startswith("b: the target ended by itself after 3 min 19 s")
    assert {one.id: one.result for one in assessed.targets} == {"b": "died", "a": "clean"}
    assert assessed.targets[0].dies_at_s == 199.0


def test_what_another_one_died_of_is_not_its_own_end():
    exited = made.happened(200.0, TargetExited(pid=10, signal="SIGKILL", target="b"))
    run = together(
        {"a": leaking(0), "b": ended(leaking(0, seed=9), 200.0)}, events=[exited], outcome="died"
    )
    assessed = assess(run)
    assert assessed.because == "b: the target was killed by SIGKILL after 3 min 20 s"
    assert {one.id: one.result for one in assessed.targets} == {"b": "died", "a": "clean"}
    assert comparison_exit_code([assessed]) == 1


def test_a_sampler_of_another_host_says_nothing_of_this_one():
    runs = {"a": leaking(0), "b": ended(leaking(0, seed=9), 200.0)}
    assessed = assess(together(runs, hosts={"b": "10.0.0.2"}))
    found = {one.id: one.result for one in assessed.targets}
    assert found == {"b": "cannot tell", "a": "clean"}
    assert assessed.because == "b: the last sample is from 3 min 19 s of 4 min 59 s of load"


def test_one_that_is_gone_while_others_live_on_has_died_though_nobody_drives():
    def undriven(gone_s, others_s):
        runs = {"a": ended(leaking(0), others_s), "b": ended(leaking(0, seed=9), gone_s)}
        run = together(runs)
        return assess(replace(run, requests=run.requests.iloc[:0]))

    died = undriven(200.0, 300.0)
    assert {one.id: one.result for one in died.targets} == {"b": "died", "a": "clean"}
    both = undriven(200.0, 201.0)
    assert {one.id: one.result for one in both.targets} == {"b": "clean", "a": "clean"}


def test_a_target_with_samples_for_a_small_part_is_no_test():
    late = leaking(0, seed=9)
    late = replace(late, samples=late.samples[late.samples["elapsed_s"] > 250.0])
    assessed = assess(together({"a": leaking(0), "b": late}))
    assert (assessed.result, assessed.exit_code) == ("cannot tell", 3)
    assert "b: samples cover" in assessed.because


def test_targets_that_come_and_go_are_no_deaths():
    first, second = ended(leaking(0), 150.0), leaking(0, seed=9)
    second = replace(
        second, samples=second.samples[second.samples["elapsed_s"] >= 150.0].assign(pid=11)
    )
    restart = made.happened(150.0, TargetRestarted(pid=11, former_pid=10, target="b"))
    assessed = assess(together({"a": first, "b": second}, events=[restart]))
    assert {one.id: one.result for one in assessed.targets} == {"a": "clean", "b": "clean"}
    gone = assess(together({"a": first, "b": second}))
    assert {one.result for one in gone.targets} == {"died", "not a test"}


def test_the_same_pid_on_two_hosts_is_two_processes():
    runs = {"a": leaking(0, fds_limit=1024), "b": leaking(0.3, seed=4, fds_limit=4096)}
    runs = {
        name: replace(run, events=(made.limits(threads_limit=limit),))
        for (name, run), limit in zip(runs.items(), (100, 5000), strict=True)
    }
    run = together(runs, hosts={"a": "10.0.0.1", "b": "10.0.0.2"})
    found = {one.id: one for one in results_of(run)}
    assert found["a"].verdict == "clean"
    assert found["b"].resources["fds"].limit == 4096
    assert found["b"].resources["threads"].limit == 5000
    assert {one.event.target for one in of_target(run, "a").events_of(LimitsRead)} == {"a"}


def test_an_exit_on_one_host_does_not_explain_that_of_its_namesake(tmp_path):
    path = write_several(tmp_path, {"a": {"seed": 1}, "b": {"seed": 2}})
    told = {"time_s": 1, "event": "target_exited", "pid": 101}
    known = {**told, "elapsed_s": 30.0, "signal": "SIGKILL", "target": "a"}
    unknown = {**told, "elapsed_s": 31.0, "target": "b"}
    with (path / "events.jsonl").open("a") as events:
        events.writelines(json.dumps(one) + "\n" for one in (known, unknown))
    exits = load_run(path).events_of(TargetExited)
    assert [one.event.target for one in exits] == ["a", "b"]


def test_thresholds_hold_for_each_target(three):
    kept = assess(three, thresholds={"fds": 0.31})
    assert (kept.result, kept.exit_code) == ("pass", 0)
    exceeded = assess(three, thresholds={"fds": 0.2})
    assert (exceeded.result, exceeded.exit_code) == ("threshold", 1)
    assert "file descriptors of ingest-2: growth of 0.3 " in exceeded.because
    # Each of two keeps what both together would not.
    two = together({"a": leaking(0.3), "b": leaking(0.3, seed=4)})
    assert assess(two, thresholds={"fds": 0.4}).exit_code == 0


def test_a_control_of_the_same_targets_counts_for_each(three):
    assessed = assess(three, control=three)
    assert {one.id: one.verdict for one in assessed.targets} == dict.fromkeys(
        three.target_ids, "clean"
    )


@pytest.mark.parametrize("control", [leaking(0), together({"x": leaking(0), "y": leaking(0)})])
def test_a_control_of_other_targets_is_left_out_with_a_warning(three, control):
    assessed = assess(three, control=control)
    (warning,) = assessed.verdict.warnings
    assert warning.startswith("the control run is left out: it watched ")
    assert assessed.result == "leak"


def test_a_run_of_one_target_leaves_out_a_control_of_several(three):
    (warning,) = assess(leaking(0), control=three).verdict.warnings
    assert warning == "the control run is left out: it watched ingest-1, ingest-2, ingest-3"


def test_a_baseline_of_the_same_targets_is_compared_target_by_target(three):
    before = together({name: leaking(0, seed=n) for n, name in enumerate(three.target_ids)})
    assessed = assess(three, baseline=before)
    assert assessed.regressed
    worse = next(one for one in assessed.findings if one.kind is Kind.REGRESSION)
    assert worse.reason.startswith("ingest-2: worse: file descriptors: faster growth")
    (fds,) = [one for one in assessed.changes if one.resource == "fds"]
    assert (fds.change, fds.difference) == ("worse", pytest.approx(0.3, rel=0.02))
    assert not assess(three, baseline=three).regressed


@pytest.mark.parametrize("before", [leaking(0), together({"x": leaking(0), "y": leaking(0)})])
def test_a_baseline_of_other_targets_is_compared_by_the_sums(three, before):
    assessed = assess(three, baseline=before)
    assert assessed.regressed
    (fds,) = [one for one in assessed.changes if one.resource == "fds"]
    assert fds.difference == pytest.approx(0.3, rel=0.02)
    assert [one.target for one in assessed.findings if one.kind is Kind.REGRESSION] == [None] * 4


def test_one_target_is_compared_with_the_sums_of_several(three):
    assessed = assess(leaking(0), baseline=three)
    (fds,) = [one for one in assessed.changes if one.resource == "fds"]
    assert (fds.change, fds.difference) == ("better", pytest.approx(-0.3, rel=0.02))


def test_what_holds_for_all_is_told_once_without_a_target():
    failing = {"a": leaking(0), "b": leaking(0, seed=9)}
    run = together(failing)
    run = replace(run, requests=run.requests.assign(failures=run.requests["requests"]))
    assessed = assess(run)
    assert (assessed.result, assessed.exit_code) == ("not a test", 3)
    (found,) = assessed.findings
    assert found.target is None
    assert "requests failed" in found.reason


def test_warnings_on_single_targets_are_few(three):
    results = results_of(three)
    noted = [
        replace(one, found=replace(one.found, warnings=("of all", *own)))
        for one, own in zip(results, ([f"w{n}" for n in range(12)], [], []), strict=True)
    ]
    warnings = combine(noted).warnings
    assert warnings[:2] == ("of all", "ingest-1: w0")
    assert warnings[-1] == "2 more warnings on single targets: see them with --target"


def test_a_result_is_small_and_can_be_handed_about(three):
    for result in results_of(three):
        sent = pickle.dumps(result)
        assert len(sent) < 16 * 1024
        assert pickle.loads(sent) == result


def test_no_sample_is_needed_to_put_results_together(three, assessed):
    bare = replace(three, samples=three.samples.iloc[:0])
    again = assess_results(bare, assessed.targets)
    assert (again.findings, again.verdict) == (assessed.findings, assessed.verdict)


def test_no_results_are_no_verdict():
    with pytest.raises(ValueError, match="no target"):
        combine([])


# -- properties ----------------------------------------------------------------------------------

_SEEN: dict[object, TargetResult] = {}
KINDS = ("clean", "leak", "threads", "never", "thin")


def result(kind: str, name: str) -> TargetResult:
    """A result of a kind, judged once and then called by a name."""
    if kind not in _SEEN:
        run = {
            "clean": lambda: leaking(0, fds_limit=1024),
            "leak": lambda: leaking(0.3, seed=4, fds_limit=1024),
            "threads": lambda: leaking(0.2, resource="threads", seed=5),
            "never": lambda: leaking(0),
            "thin": lambda: replace(leaking(0), samples=leaking(0).samples.iloc[::60]),
        }[kind]()
        parts = {"x": leaking(0)} if kind == "never" else {"this": run, "x": leaking(0)}
        unsampled = ["this"] if kind == "never" else []
        _SEEN[kind] = judge_target(together(parts, unsampled=unsampled), "this")
    return replace(_SEEN[kind], id=name)


RANKS = {"leak": 0, "inconclusive": 1, "clean": 2}
SEVERITIES = [Severity.FAIL, Severity.UNKNOWN, Severity.DOUBT, Severity.PASS]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(KINDS), min_size=2, max_size=20), st.randoms())
def test_the_worst_decides_and_the_order_changes_nothing(kinds: list[str], chance: random.Random):
    results = [result(kind, f"t{n}") for n, kind in enumerate(kinds)]
    verdict, findings = combine(results), merged_findings(results)
    assert verdict.verdict == min((one.verdict for one in results), key=RANKS.__getitem__)
    for name, found in verdict.resources.items():
        each = [one.resources[name].verdict for one in results]
        assert found.verdict == min(each, key=RANKS.__getitem__)
    gravest = min((one.severity for one in results), key=SEVERITIES.index)
    assert min((one.severity for one in findings), key=SEVERITIES.index) is gravest
    shuffled = list(results)
    chance.shuffle(shuffled)
    assert combine(shuffled) == verdict
    assert merged_findings(shuffled) == findings
