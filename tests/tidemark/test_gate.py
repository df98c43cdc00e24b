"""What a run exits with for what was found on it."""

from pathlib import Path

import pytest

from tests.analysis.rundirs import write_run
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.run.gate import Judged, graver, judge
from tidemark.run.options import RunOptions
from tidemark.run.plan import Plan


@pytest.mark.parametrize(
    ("code", "on_leak", "on_inconclusive"), [(0, None, None), (1, 1, 1), (3, None, 3), (2, 2, 2)]
)
def test_it_is_that_of_check_as_far_as_was_asked(
    code: int, on_leak: int | None, on_inconclusive: int | None
) -> None:
    judged = Judged(code, "")
    assert judged.exit_code("leak") == on_leak
    assert judged.exit_code("inconclusive") == on_inconclusive


def test_what_failed_before_stays_failed() -> None:
    assert graver(None, None) is None
    assert graver(None, 3) == 3
    assert graver(1, 3) == 1
    assert graver(1, None) == 1
    assert graver(3, 1) == 1


def test_a_run_is_judged_in_a_process_of_its_own(tmp_path: Path) -> None:
    leaks = judge(write_run(tmp_path, strategy="per-request-leaked", fds_limit=65_536))
    assert leaks.code == 1
    assert leaks.line.startswith("leak: ")
    assert judge(tmp_path / "nothing").code == 2


def test_another_verdict_is_refused() -> None:
    with pytest.raises(OptionError, match="--fail-on: must be one of"):
        RunOptions.parse({"fail_on": "clean"})


def test_nobody_can_be_judged_who_is_not_watched() -> None:
    options = RunOptions.parse({"fail_on": "leak", "no_target": True})
    with pytest.raises(TidemarkError, match="--fail-on: no process is watched"):
        Plan.of(options, "http://127.0.0.1:1")
