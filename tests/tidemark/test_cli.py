"""The command line: one style of help, one line per error, and nothing imported in vain."""

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from tests.analysis.rundirs import write_run
from tidemark.cli import COMMANDS, cli
from tidemark.commands.options import table_options
from tidemark.fleet.compacting import compact
from tidemark.record.options import REQUIRED, Option, flag, integer, pairs, topic

HEAVY = {"numpy", "pandas", "scipy", "matplotlib", "locust", "gevent", "rich", "jinja2"}
KAFKA = {"confluent_kafka", "flask", "gunicorn", "psutil"}
ROOMS = {"analysis", "targets", "sampler", "run", "plugin", "users"}

LOADED = """
import json, sys
from tidemark.__main__ import main
sys.argv = ["tidemark", *sys.argv[1:]]
try:
    main()
finally:
    names = [name.split(".") for name in sys.modules]
    tops = {name[0] for name in names}
    rooms = {name[1] for name in names if name[0] == "tidemark" and len(name) > 1}
    sys.stderr.write(json.dumps({"tops": sorted(tops), "rooms": sorted(rooms)}))
"""

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None  # cannot be imported any more
from tidemark.__main__ import main
sys.argv = ["tidemark", *sys.argv[2:]]
main()
"""


def python(*arguments):
    return subprocess.run(
        [sys.executable, "-c", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def loaded(*arguments):
    """What a command has imported by its end: packages at the top, and rooms of ours."""
    finished = python(LOADED, *arguments)
    assert finished.returncode == 0, finished.stderr
    told = json.loads(finished.stderr)
    return set(told["tops"]), set(told["rooms"])


# What is imported


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_no_room_and_no_package_but_click(option):
    tops, rooms = loaded(option)
    assert not tops & (HEAVY | KAFKA)
    assert not rooms & ROOMS


def test_the_sampler_needs_no_package():
    tops, rooms = loaded("sample", "--help")
    assert not tops & (HEAVY | KAFKA)
    assert rooms & ROOMS == {"sampler"}


@pytest.mark.parametrize("command", ["target", "broker"])
def test_targets_and_brokers_load_nothing_that_explains_or_drives(command):
    tops, rooms = loaded(command, "--help")
    assert not tops & (HEAVY - {"jinja2"})  # which Flask brings along
    assert rooms & ROOMS == {"targets"}


@pytest.mark.parametrize(
    ("package", "arguments"),
    [("click", ["--help"]), ("confluent_kafka", ["target", "--help"]), ("rich", ["report", "x"])],
)
def test_a_missing_package_is_one_line_that_says_what_to_install(package, arguments):
    finished = python(WITHOUT, package, *arguments)
    assert finished.returncode == 2
    assert finished.stderr.startswith(f"tidemark: this needs the package {package}, which is not")
    assert "pip install tidemark-soak" in finished.stderr
    assert finished.stderr.count("\n") == 1


@pytest.mark.parametrize("package", ["pyarrow", "distributed"])
def test_a_missing_package_of_an_extra_is_said_with_the_extra(package, tmp_path):
    run = write_run(tmp_path)
    list(compact(run))
    (run / "samples.csv").unlink()
    arguments = ["report", str(run)]
    if package == "distributed":
        metadata = json.loads((run / "run.json").read_text())
        metadata["targets"] = [{"id": "target"}, {"id": "other"}]
        (run / "run.json").write_text(json.dumps(metadata))
        arguments += ["--scheduler", "tcp://127.0.0.1:1"]
    finished = python(WITHOUT, package, *arguments)
    assert finished.returncode == 2
    assert finished.stderr == (
        f"tidemark: this needs the package {package}, which is not installed: "
        "pip install 'tidemark-soak[fleet]'\n"
    )


# Help


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_has_the_same_shape(name):
    result = CliRunner().invoke(cli, [name, "--help"], prog_name="tidemark")
    assert result.exit_code == 0, result.output
    usage, _, rest = result.output.partition("\n\n")
    assert usage.startswith(f"Usage: tidemark {name} [OPTIONS]")
    described = " ".join(rest.partition("\n\n")[0].split())
    assert described == COMMANDS[name], "the list of commands says the same as the command"
    assert "\nOptions:\n" in rest
    assert rest.rstrip().endswith("Show this message and exit.")


@pytest.mark.parametrize("name", ["check", "report", "target"])
def test_the_help_explains_what_stands_without_a_name(name):
    output = CliRunner().invoke(cli, [name, "--help"]).output
    explained = output.partition("\nPositional arguments:\n")[2].partition("\n\n")[0]
    assert len(explained.split()) > 2


def test_the_list_is_in_the_order_of_use():
    result = CliRunner().invoke(cli, ["--help"])
    lines = result.output.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "] == list(
        COMMANDS
    )


# Errors


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["traget"], "No such command 'traget': choose one of compare, run, init, report"),
        (["--wrong"], "No such option '--wrong'"),
        (["target"], "Missing argument 'STRATEGY'"),
        (["target", "shared"], "Missing option '--bootstrap'"),
        (["target", "nope", "--bootstrap", "h:1"], "STRATEGY: unknown strategy 'nope'"),
        (["target", "shared", "--bootstrap", "h"], "--bootstrap: 'h' is not host:port"),
        (
            ["target", "shared", "--bootstrap", "h:1", "--threads", "0"],
            "--threads: must be a whole",
        ),
        (["broker", "--tls"], "--tls needs --kind kafka"),
        (["broker", "--topic", ""], "--topic: must not be empty"),
        (["broker", "extra"], "Got unexpected extra argument (extra)"),
    ],
)
def test_an_error_is_one_line_and_exit_code_2(arguments, reason):
    finished = subprocess.run(
        [sys.executable, "-m", "tidemark", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 2
    assert finished.stdout == ""
    assert finished.stderr.startswith("tidemark: ")
    assert reason in finished.stderr
    assert finished.stderr.count("\n") == 1


# Options from a table

TABLE = (
    Option("where", topic, REQUIRED, "where to", "WHERE", is_positional=True),
    Option("count", integer(1), 3, "how many"),
    Option("name", topic, REQUIRED, "what it is called", "NAME"),
    Option("setting", pairs, (), "a setting; repeatable", "KEY=VALUE", is_repeatable=True),
    Option("quiet", flag, False, "say nothing", is_flag=True),
    Option("hidden", integer(0), 0, "not for this command"),
)


def command(**how):
    @click.command()
    @table_options(TABLE, leave_out=("hidden",), **how)
    def show(**values):
        click.echo(json.dumps(values))

    return show


def values_of(arguments, environment=None, **how):
    result = CliRunner().invoke(command(**how), arguments, env=environment)
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_a_table_makes_arguments_options_and_flags():
    arguments = ["there", "--name=n", "--setting", "a=b c", "--setting", "d=", "--quiet"]
    assert values_of(arguments) == {
        "where": "there",
        "count": None,
        "name": "n",
        "setting": ["a=b c", "d="],
        "quiet": True,
    }


def test_the_help_tells_defaults_and_what_must_be_given():
    output = CliRunner().invoke(command(), ["--help"]).output
    shown = {" ".join(line.split()) for line in output.splitlines()}
    assert "WHERE where to" in shown
    assert "--count N how many [default: 3]" in shown
    assert "--name NAME what it is called [required]" in shown
    assert "--setting KEY=VALUE a setting; repeatable [default: none]" in shown
    assert "--hidden" not in output


def test_the_environment_is_read_where_a_command_wants_that():
    environment = {"TIDEMARK_COUNT": "7", "TIDEMARK_NAME": "n", "TIDEMARK_SETTING": "a=b c=d"}
    found = values_of(["there"], environment, from_environment=True)
    assert (found["count"], found["name"], found["setting"]) == ("7", "n", ["a=b", "c=d"])
    assert values_of(["there", "--name=m"], environment)["count"] is None


def test_values_that_may_hold_spaces_are_left_whole_in_the_environment():
    line = Option("line", tuple, (), "one", "LINE", is_repeatable=True, holds_spaces=True)

    @click.command()
    @table_options((line,), from_environment=True)
    def show(**values):
        click.echo(json.dumps(values))

    result = CliRunner().invoke(show, [], env={"TIDEMARK_LINE": "GET /a\nGET /b"})
    assert json.loads(result.output) == {"line": ["GET /a\nGET /b"]}


def test_a_bad_value_names_its_option():
    result = CliRunner().invoke(command(), ["there", "--name=n", "--count=0"])
    assert result.exit_code == 2
    assert "--count: must be a whole number of at least 1, not 0" in result.output
