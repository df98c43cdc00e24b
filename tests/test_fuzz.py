"""A fixed share of what `make fuzz` tries."""

import pytest

with pytest.MonkeyPatch.context() as patch:
    patch.setenv("LOCUST_SKIP_MONKEY_PATCH", "1")  # our own sockets and threads stay what they are
    from benchmarks import fuzz_forms, fuzz_options, fuzz_runs

SHARE = 100
OF_RUNS = 20
"""So many runs are judged at once; each takes as long as a report."""


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        pytest.param(fuzz_runs, range(OF_RUNS), id="runs"),
        pytest.param(fuzz_runs, range(OF_RUNS, SHARE), id="more-runs", marks=pytest.mark.long),
        pytest.param(fuzz_options, range(SHARE), id="options"),
        pytest.param(fuzz_forms, range(SHARE), id="forms"),
    ],
)
def test_whatever_is_given_is_taken_or_refused_in_one_line(kind, numbers, tmp_path):
    wrong = []
    for number in numbers:
        folder = tmp_path / str(number)
        folder.mkdir()
        found = kind.try_one(2, number, folder)
        if found.wrong:
            wrong.append(f"{number}: {found.wrong} [{found.made}]")
    assert wrong == []


def why_not(path, requests, samples):
    (path / "requests.csv").write_text("elapsed_s,requests,failures\n" + requests)
    (path / "samples.csv").write_text("elapsed_s,pid,fds,rss_bytes\n" + samples)
    return fuzz_runs.why_not_passed(path)


def test_the_fuzzer_knows_by_itself_what_may_not_pass(tmp_path):
    sent, alive = "1,0,0\n2,9,4\n", "1,7,12,100\n"
    assert why_not(tmp_path, sent, alive) == ""
    assert why_not(tmp_path, "1,0,0\n2,9,9\n", alive) == "no request was answered"
    assert why_not(tmp_path, "", alive) == "no request was answered"
    assert why_not(tmp_path, sent, "1,7,0,100\n") == "no sample of a living process"
    assert why_not(tmp_path, sent, "1,0,3,100\n") == "no sample of a living process"
    assert "during the load" in why_not(tmp_path, sent, "9,7,12,100\n")
    (tmp_path / "requests.csv").unlink()
    assert fuzz_runs.why_not_passed(tmp_path) == "", "it was watched, and not driven"
