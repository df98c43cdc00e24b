"""The run's side of TLS with certificates on both sides: one line says what is wrong."""

import ssl
import threading
from contextlib import closing

import pytest

from tests.agent.conftest import TOKEN
from tidemark.agent.client import Client, client_tls
from tidemark.agent.errors import AgentError
from tidemark.agent.named import check_pair
from tidemark.agent.options import Serving
from tidemark.agent.session import tls_context
from tidemark.record.errors import OptionError


@pytest.fixture
def url(servers, certificate, other_certificate) -> str:
    """An agent with one certificate, which lets in only who has the other."""
    cert, key = certificate
    how = Serving("127.0.0.1", 0, cert=cert, key=key, client_ca=other_certificate[0])
    return f"https://127.0.0.1:{servers(TOKEN, tls=tls_context(how))}"


def test_who_has_the_certificate_is_let_in(url, certificate, other_certificate):
    with closing(Client(url, TOKEN, client_tls(certificate[0], *other_certificate))) as client:
        assert client.look().agent == "agent-1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("shown", "reason"),
    [
        (False, "it lets in only who has a certificate: name one with --agent-cert"),
        (True, "it does not accept the certificate of --agent-cert: unknown ca"),
    ],
)
def test_who_has_none_or_another_is_told_so(url, certificate, version, shown, reason):
    for _ in range(5):  # the answer must not be lost with the connection
        tls = client_tls(certificate[0], *(certificate if shown else ()))
        tls.maximum_version = version
        with closing(Client(url, TOKEN, tls)) as client, pytest.raises(AgentError) as told:
            client.look()
        assert str(told.value).startswith(f"{url}: does not answer ({reason}")


def test_refused_clients_leave_no_thread_behind(url, certificate):
    before = threading.active_count()
    for _ in range(20):
        tls = client_tls(certificate[0])
        with closing(Client(url, TOKEN, tls)) as client, pytest.raises(AgentError):
            client.look()
    assert threading.active_count() <= before + 1


def test_a_key_of_another_certificate_is_one_line(certificate, other_certificate):
    with pytest.raises(OptionError) as told:
        client_tls(None, certificate[0], other_certificate[1])
    assert str(told.value).startswith(f"--agent-cert {certificate[0]}, --agent-key ")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("given", [("cert.pem", None), ("", "key.pem")], ids=["cert", "key"])
def test_certificate_and_key_go_together(given):
    with pytest.raises(OptionError, match="--agent-cert and --agent-key go together"):
        check_pair(*given)
