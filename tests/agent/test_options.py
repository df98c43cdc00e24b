"""What does not go together is refused in one line, before anything is opened."""

import pytest

from tidemark.agent.options import OPTIONS, clue, serving
from tidemark.record.errors import OptionError
from tidemark.record.options import read_all
from tidemark.sampler import options as of_sampler


def read(**given):
    return read_all(OPTIONS, {"out": "run", **given})


def test_all_that_the_sampler_can_be_told_but_what_a_run_tells_it_and_what_moves_rows():
    names = {option.name for option in OPTIONS}
    left_out = {option.name for option in of_sampler.OPTIONS} - names
    assert left_out == {"join", "started_monotonic", "retain"}


def test_nothing_is_served_unless_asked_for():
    assert serving(read()) is None
    with pytest.raises(OptionError, match="--token-file does not apply without --serve"):
        serving(read(token_file="t"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1"])
def test_loopback_needs_nothing(address):
    assert serving(read(serve=address)) is not None


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "host:1"])
@pytest.mark.parametrize(
    "given", [{}, {"token_file": "t"}, {"cert": "c", "key": "k"}], ids="+".join
)
def test_any_other_address_wants_a_token_and_https(address, given):
    with pytest.raises(OptionError, match="needs --token-file, and --cert and --key"):
        serving(read(serve=address, **given))
    whole = serving(read(serve=address, token_file="t", cert="c", key="k"))
    assert whole is not None
    assert whole.port == 1


@pytest.mark.parametrize("given", [{"cert": "c"}, {"key": "k"}, {"client_ca": "a"}], ids="+".join)
def test_half_of_https_is_none(given):
    with pytest.raises(OptionError, match="--cert"):
        serving(read(serve="127.0.0.1:1", **given))


def test_one_clue():
    assert clue(read()) == ("", None)
    assert clue(read(port_of=80)) == ("port_of", 80)
    assert clue(read(command="x"))[0] == "command"
    assert clue(read(command="x", wait=3))[0] == "command"
    with pytest.raises(OptionError, match="one of them"):
        clue(read(port_of=80, command="x"))


@pytest.mark.parametrize("given", [{}, {"pid": 3}], ids=["none", "pid"])
def test_only_what_is_looked_for_is_waited_for(given):
    with pytest.raises(OptionError, match="--wait has no effect without --port-of or --command"):
        clue(read(wait=3, **given))
