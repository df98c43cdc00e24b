"""`record.options` and `record.command_line`: one check of a value, wherever it comes from."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record import options as value
from tidemark.record.command_line import (
    OneLineParser,
    add_option,
    announce,
    fail,
    parser_of,
    run_command,
)
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import LONGEST_MESSAGE, REQUIRED, Option, read_all

COUNT = Option("fds_limit", value.integer(1), 1024, "how many")
WHERE = Option("where", value.one_word, REQUIRED, "where to", "WHERE", is_positional=True)
NAME = Option("name", value.topic, REQUIRED, "what it is called", "NAME")
RATE = Option("rate", value.number(0, exclusive=True), 10.0, "100 % of requests per second")
ENDS = Option("bootstrap", value.endpoints, (), "where from", "HOST:PORT,...")
PAIRS = Option("setting", value.pairs, (), "a setting", "KEY=VALUE", is_repeatable=True)
WORDS = Option("word", value.several, ("a", "b"), "a word", "WORD", is_repeatable=True)
QUIET = Option("quiet", value.flag, False, "say nothing", is_flag=True)
MAYBE = Option("maybe", value.integer(0), None, "perhaps")
TABLE = (WHERE, NAME, COUNT, RATE, ENDS, PAIRS, WORDS, QUIET, MAYBE)


# Each parser


@pytest.mark.parametrize(
    ("parse", "given_value", "found"),
    [
        (value.integer(1), "7", 7),
        (value.integer(1), 7, 7),
        (value.integer(0, 65535), "65535", 65535),
        (value.number(0), "0", 0.0),
        (value.number(0, exclusive=True), "1e-3", 0.001),
        (value.number(0, endless=True), "inf", float("inf")),
        (value.choice("a", "b"), "b", "b"),
        (value.flag, "yes", True),
        (value.flag, "Off", False),
        (value.flag, "", False),
        (value.flag, True, True),
        (value.endpoints, "a:1, b:2,a:1", ("a:1", "b:2")),
        (value.endpoints, "", ()),
        (value.endpoints, None, ()),
        (value.endpoints, ["a:1"], ("a:1",)),
        (value.some_endpoints, "[::1]:9092", ("[::1]:9092",)),
        (value.several, "a  b", ("a", "b")),
        (value.several, ["a b"], ("a b",)),
        (value.pairs, "a=b c=", ("a=b", "c=")),
        (value.pairs, ["a=b c"], ("a=b c",)),
        (value.path, "x/y", Path("x/y")),
        (value.file, "", ""),
        (value.file, __file__, __file__),
        (value.one_word, "night-1", "night-1"),
        (value.one_word, "", ""),
        (value.topic, "orders.v1_x-2", "orders.v1_x-2"),
        (value.topic, "a" * 249, "a" * 249),
        (value.topic, "", ""),
    ],
)
def test_good_values(parse, given_value, found):
    assert parse(given_value) == found
    assert parse(found) == found, "a value that has its type already is left as it is"


@pytest.mark.parametrize(
    ("parse", "given_value", "reason"),
    [
        (value.integer(1), "0", "must be a whole number of at least 1, not 0"),
        (value.integer(1), "1.5", "must be a whole number of at least 1, not '1.5'"),
        (value.integer(1), 2**31, "must be at most 2,147,483,647, not 2,147,483,648"),
        (value.integer(0, 65535), "99999", "must be a whole number from 0 to 65,535, not 99,999"),
        (value.number(0), "-1", "must be a number of at least 0, not -1"),
        (value.number(0, exclusive=True), "0", "must be a number greater than 0, not 0"),
        (value.number(0), "nan", "must be a number of at least 0, not nan"),
        (value.number(0), "inf", "must be a number of at least 0, not inf"),
        (value.number(0, endless=True), "-inf", "not -inf"),
        (value.number(0), "fast", "not 'fast'"),
        (value.choice("a", "b"), "c", "must be one of a, b, not 'c'"),
        (value.flag, "perhaps", "must be true or false, not 'perhaps'"),
        (value.endpoints, "a:1,b", "'b' is not host:port"),
        (value.some_endpoints, "", "must be host:port, separated by commas"),
        (value.pairs, "a=b c", "must be KEY=VALUE"),
        (value.pairs, "=secret", "must be KEY=VALUE"),
        (value.file, "/no/such", "there is no file '/no/such'"),
        (value.one_word, "../up", "must be a plain name without slashes"),
        (value.one_word, "..", "must be a plain name without slashes"),
        (value.topic, "a b", "must be up to 249 letters"),
        (value.topic, "ä", "must be up to 249 letters"),
        (value.topic, "a" * 250, "must be up to 249 letters"),
        (value.topic, ".", "must be up to 249 letters"),
    ],
)
def test_bad_values(parse, given_value, reason):
    with pytest.raises(ValueError, match=r"\w") as caught:
        parse(given_value)
    assert reason in str(caught.value)


def test_what_may_be_a_secret_is_not_repeated():
    with pytest.raises(ValueError, match="must be KEY=VALUE") as caught:
        value.pairs("hunter2")
    assert "hunter2" not in str(caught.value)


# An option


def test_what_an_option_is_called():
    assert (COUNT.flag, COUNT.shown) == ("--fds-limit", "--fds-limit")
    assert COUNT.environment_variable == "TIDEMARK_FDS_LIMIT"
    assert WHERE.shown == "WHERE"


@pytest.mark.parametrize(
    ("option", "explained"),
    [
        (COUNT, "how many  [default: 1024]"),
        (NAME, "what it is called"),
        (QUIET, "say nothing"),
        (ENDS, "where from  [default: none]"),
        (WORDS, "a word  [default: a,b]"),
        (MAYBE, "perhaps  [default: none]"),
    ],
)
def test_the_help_tells_the_default(option, explained):
    assert option.explained == explained


def test_a_bad_value_is_one_line_that_names_the_option():
    with pytest.raises(OptionError, match=r"^--fds-limit: must be a whole number.*not 0$"):
        COUNT.read("0")
    with pytest.raises(OptionError, match=r"^WHERE: must be a plain name"):
        WHERE.read("a/b")


@given(
    st.integers(1, 2**31 - 1),
    st.floats(1e-6, 1e9),
    st.lists(st.integers(1, 65535).map("h:{}".format), unique=True),
    st.lists(st.from_regex(r"\A[a-z]+=[a-z ]*\Z"), min_size=1),
    st.booleans(),
)
def test_arguments_give_the_same_values(count, rate, ends, pairs, quiet):
    values = {
        "where": "w",
        "name": "n",
        "fds_limit": count,
        "rate": rate,
        "bootstrap": tuple(ends),
        "setting": tuple(pairs),
        "word": ("c",),
        "quiet": quiet,
        "maybe": None,
    }
    flags = [option for option in TABLE if option not in {WHERE, MAYBE}]
    arguments = [one for option in flags for one in option.as_arguments(values[option.name])]
    given_values = vars(parser_of(TABLE, "program", "").parse_args(["w", *arguments]))
    assert read_all(TABLE, given_values) == values


# All of a table


def test_what_nobody_gave_takes_its_default():
    found = read_all(TABLE, {"where": "w", "name": "n", "rate": None, "word": ()})
    assert found == {
        "where": "w",
        "name": "n",
        "fds_limit": 1024,
        "rate": 10.0,
        "bootstrap": (),
        "setting": (),
        "word": ("a", "b"),
        "quiet": False,
        "maybe": None,
    }


@pytest.mark.parametrize(("missing", "reason"), [("where", "WHERE"), ("name", "--name")])
def test_what_must_be_given(missing, reason):
    values = {"where": "w", "name": "n"}
    del values[missing]
    with pytest.raises(OptionError, match=f"^{reason} must be given$"):
        read_all(TABLE, values)


# A command line


def run(arguments, command=lambda values: None, capsys=None):
    with pytest.raises(SystemExit) as caught:
        run_command(command, TABLE, "program", "Does something.", arguments)
    return caught.value.code


def test_a_command_gets_checked_values():
    got = []
    code = run_command(got.append, TABLE, "program", "", ["w", "--name=n", "--setting", "a=b c"])
    assert code == 0
    assert got[0]["setting"] == ("a=b c",), "a space is part of a value on a command line"
    assert got[0]["word"] == ("a", "b")
    assert run_command(lambda values: 3, TABLE, "program", "", ["w", "--name=n"]) == 3


def test_a_parser_that_keeps_texts_checks_them_all_the_same(capsys):
    parser = OneLineParser(prog="program")
    for option in (COUNT, PAIRS, QUIET):
        add_option(parser, option, keep_text=True)
    found = vars(parser.parse_args(["--setting", "a=b c", "--setting=d="]))
    assert found == {"fds_limit": "1024", "setting": ["a=b c", "d="], "quiet": False}
    assert read_all((PAIRS,), found) == {"setting": ("a=b c", "d=")}
    with pytest.raises(SystemExit):
        parser.parse_args(["--fds-limit=0"])
    assert "--fds-limit: must be a whole number" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "the following arguments are required: WHERE, --name"),
        (["w", "--name=n", "--fds-limit=x"], "argument --fds-limit: must be a whole number"),
        (["w", "--name=n", "--setting=x"], "argument --setting: must be KEY=VALUE"),
        (["a/b", "--name=n"], "argument WHERE: must be a plain name"),
        (["w", "--nam=n"], "the following arguments are required: --name"),
        (["w", "--name=n", "--wrong"], "unrecognized arguments: --wrong"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(capsys, arguments, reason):
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("program: error: ")
    assert reason in told.err
    assert told.err.count("\n") == 1


def test_an_error_of_the_command_is_one_line_too(capsys):
    def command(values):
        raise TidemarkError("it cannot be done")

    assert run(["w", "--name=n"], command) == 2
    assert capsys.readouterr().err == "program: error: it cannot be done\n"


def test_the_help_explains_everything(capsys):
    assert run(["--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for option in TABLE:
        assert " ".join(option.explained.split()) in shown


def test_an_announcement_is_a_line_of_json(capsys):
    announce(ready=True, pid=1)
    assert capsys.readouterr().out == '{"ready": true, "pid": 1}\n'


def test_failing_takes_the_exit_code_of_the_error(capsys):
    class WorseError(TidemarkError):
        exit_code = 3

    with pytest.raises(SystemExit) as caught:
        fail("program", WorseError("no"))
    assert caught.value.code == 3
    assert capsys.readouterr().err == "program: error: no\n"


def test_a_value_that_never_ends_is_not_repeated_in_full():
    with pytest.raises(OptionError) as caught:
        COUNT.read("x\x1b" * 5000)
    assert len(str(caught.value)) <= LONGEST_MESSAGE
    assert str(caught.value).isprintable()
