"""What a comparison hands to each run."""

from pathlib import Path

from tidemark.run.compare import Comparison, _locust_command
from tidemark.run.options import RunOptions


def options(tmp_path: Path, **values: object) -> RunOptions:
    return RunOptions.parse({"results": tmp_path / "results", **values})


def test_every_run_gets_the_same_options_but_for_strategy_and_place(tmp_path: Path) -> None:
    comparison = Comparison(("shared", "pooled"), 30.0, 2, options(tmp_path, rate="7", seed="3"))
    first, second = (
        set(_locust_command(comparison, tmp_path / name)) for name in comparison.strategies
    )
    assert {"--rate=7.0", "--seed=3", "--run-time=30s", "--users=2"} <= first & second
    assert first ^ second == {
        "--strategy=shared", "--strategy=pooled", "--run-name=shared", "--run-name=pooled",
    }  # fmt: skip
