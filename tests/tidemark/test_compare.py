"""The folder of a comparison, and what it hands to each run."""

from pathlib import Path

import pytest

from sampler.errors import RunDirectoryError
from tidemark.compare import Comparison, _locust_command, make_folder
from tidemark.options import RunOptions


def options(tmp_path: Path, **values: object) -> RunOptions:
    return RunOptions.parse({"results": tmp_path / "results", **values})


def test_comparisons_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    folders = {make_folder(options(tmp_path)) for _ in range(5)}
    assert len(folders) == 5


def test_a_named_comparison_is_never_overwritten(tmp_path: Path) -> None:
    named = options(tmp_path, run_name="mine")
    assert make_folder(named) == tmp_path / "results" / "mine"
    with pytest.raises(RunDirectoryError, match="choose another name"):
        make_folder(named)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RunDirectoryError, match="--results"):
        make_folder(options(tmp_path))


def test_every_run_gets_the_same_options_but_for_strategy_and_place(tmp_path: Path) -> None:
    comparison = Comparison(("shared", "pooled"), 30.0, 2, options(tmp_path, rate="7", seed="3"))
    first, second = (
        set(_locust_command(comparison, tmp_path / name)) for name in comparison.strategies
    )
    assert {"--rate=7.0", "--seed=3", "--run-time=30s", "--users=2"} <= first & second
    assert first ^ second == {
        "--strategy=shared", "--strategy=pooled", "--run-name=shared", "--run-name=pooled",
    }  # fmt: skip
