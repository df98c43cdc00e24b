"""What a locustfile says of options, and times that are told in days."""

from argparse import ArgumentTypeError
from collections.abc import Iterator

import pytest
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments

from tidemark import defaults
from tidemark.record.errors import OptionError


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    yield
    defaults._of_runs.clear()
    defaults._of_locust.clear()


def parser_of_locust() -> object:
    parser = get_empty_argument_parser()
    setup_parser_arguments(parser)
    return parser


@pytest.mark.parametrize(
    ("text", "seconds"), [("72h", 259_200), ("3d", 259_200), ("1d12h", 129_600), ("90", 90)]
)
def test_a_run_may_last_days(text: str, seconds: int) -> None:
    assert defaults.seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["d", "1_0d", "3x", "", "d3h", "1d2y", "-1d", "3d-1h"])
def test_what_is_no_time_is_one_line(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="must be 90s, 20m, 72h, 3d"):
        defaults.seconds_of(text)


def test_the_help_of_locust_says_what_is_so_with_the_plugin() -> None:
    parser = parser_of_locust()
    defaults.set_defaults_of_locust(parser)
    text = " ".join(parser.format_help().split())  # type: ignore[attr-defined]
    assert "all interfaces" not in text
    assert "all available interfaces" not in text
    assert text.count("[default: 127.0.0.1]") == 2
    options = parser.parse_args([])  # type: ignore[attr-defined]
    assert (options.web_host, options.master_bind_host) == ("127.0.0.1", "127.0.0.1")
    assert (options.stop_timeout, options.expect_workers_max_wait) == (6, 60)
    assert options.enable_rebalancing is True


def test_a_locustfile_has_defaults_of_its_own() -> None:
    defaults.set_defaults(shape="day-night", only_summary=True)
    parser = parser_of_locust()
    offered = {option.name: option for option in defaults.offered(parser)}
    assert offered["shape"].default == "day-night"
    assert offered["rate"].default == 10.0
    assert "[default: day-night]" in offered["shape"].explained
    parsed = parser.parse_args(["--run-time=3d"])  # type: ignore[attr-defined]
    assert parsed.only_summary
    assert parsed.run_time == 259_200


def test_a_bad_default_is_refused_where_it_is_said() -> None:
    with pytest.raises(OptionError, match="--shape"):
        defaults.set_defaults(shape="spikez")
