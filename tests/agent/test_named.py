"""How agents are named on the command line of a run."""

import pytest

from tidemark.agent.named import check_agents, read_agents
from tidemark.record.errors import OptionError


def test_with_an_id_and_without():
    found = read_agents(("http://127.0.0.1:9666", "web1=https://host:9666/"))
    assert [(one.id, one.url, one.host) for one in found] == [
        ("127.0.0.1:9666", "http://127.0.0.1:9666", "127.0.0.1"),
        ("web1", "https://host:9666", "host"),
    ]
    assert read_agents(found) == found
    assert read_agents(" ".join(map(str, found))) == found  # as the environment has it


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("ftp://a:1", "must be http"),
        ("https://user:pass@a:1", "no credentials"),
        ("https://a:1/v1", "without a path"),
        ("a/b=https://a:1", "plain name"),
        ("https://a:1 https://a:1", "called the same"),
    ],
)
def test_what_is_refused(given, wanted):
    with pytest.raises(ValueError, match=wanted) as refused:
        read_agents(given)
    assert "pass@" not in str(refused.value)


def test_a_token_goes_nowhere_unencrypted():
    check_agents(read_agents("http://127.0.0.1:1 https://a:1"), "token")
    check_agents(read_agents("http://a:1"), "")
    with pytest.raises(OptionError, match="not sent unencrypted"):
        check_agents(read_agents("http://a:1"), "token")
