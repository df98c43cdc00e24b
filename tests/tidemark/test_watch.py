"""`tidemark watch` on what is no run, and on a run that has ended."""

import pytest
from click.testing import CliRunner

from tests.analysis.rundirs import write_run
from tidemark.cli import cli, main


def test_a_run_that_has_ended_is_judged_and_the_next_command_said(tmp_path, monkeypatch):
    run = write_run(tmp_path, strategy="per-request-leaked")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, ["watch", str(run)])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0].startswith("exhausted after ")
    assert "ran out at" in lines[0]
    assert lines[-1] == "next: tidemark report per-request-leaked"
    assert any(line.startswith("exhausted: ") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'DIR'"),
        (["nowhere"], "nowhere: "),
        (["."], "holds 2 runs, and is none itself: per-request-leaked, shared"),
        (["shared", "--port", "70000"], "--port"),
        (["shared", "--web", "--port", "x"], "--port"),
    ],
)
def test_what_cannot_be_watched_is_one_clear_line(tmp_path, monkeypatch, capsys, arguments, said):
    for strategy in ("shared", "per-request-leaked"):
        write_run(tmp_path, strategy=strategy)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["watch", *arguments])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
