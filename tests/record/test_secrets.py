"""`record.secrets`: no secret of a command line gets into a report, and what is none stays."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.record.secrets import HIDDEN, shown_command, without_secrets

SECRET = "hunter2"


@pytest.mark.parametrize(
    "command",
    [
        ["app", f"--password={SECRET}", "--port", "80"],
        ["app", "--db-password", SECRET],
        ["app", "--dbPassword", SECRET],
        ["app", "-p", SECRET],
        ["app", f"http://user:{SECRET}@db:5432/x"],
        ["app", f"redis://:{SECRET}@cache"],
        ["app", f"http://db/x?token={SECRET}&limit=1"],
        ["env", f"API_TOKEN={SECRET}", "app"],
        ["env", f"PGPASSWORD={SECRET}", f"MYSQL_PWD={SECRET}", f"AWS_SECRET_ACCESS_KEY={SECRET}"],
        ["java", f"-Dsasl.password={SECRET}", f"-Djavax.net.ssl.keyStorePassword={SECRET}"],
        ["keytool", "-storepass", SECRET],
        ["app", "-X", f"sasl.password={SECRET}"],
        ["app", f'sasl.jaas.config=org.Plain required username="u" password="{SECRET}";'],
        ["sh", "-c", f"PASSWORD={SECRET} exec app --token {SECRET} --x 1"],
        ["curl", "-H", f"Authorization: Bearer {SECRET}"],
        ["curl", "-u", f"user:{SECRET}"],
        ["app", f"--conn=Server=h;Password={SECRET};User=x"],
        ["app", f'{{"password": "{SECRET}", "a": 1}}'],
        ["app", "--api-key", SECRET],
        ["app", "--secret-key-base", SECRET],
    ],
)
def test_what_is_secret_by_name_goes(command: list[str]) -> None:
    shown = shown_command(command)
    assert SECRET not in shown
    assert HIDDEN in shown
    assert shlex.split(shown)[0] == command[0]


def test_a_secret_of_digits_alone_goes_too() -> None:
    assert "12345" not in shown_command(["app", "--password", "12345", "--pin-token=12345"])


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "AKIA" + "ABCDEFGH12345678",
        "ghp_" + "a1B2" * 9,
        "xoxb-" + "1234567890-abcdef",
        "aB3" * 16,
    ],
)
def test_what_is_secret_by_shape_goes(secret: str) -> None:
    assert secret not in shown_command(["app", "--x", secret, f"--y={secret}"])


@pytest.mark.parametrize(
    "text",
    [
        "python -m tidemark.targets.serve shared --bootstrap=127.0.0.1:9092,127.0.0.1:9093 -v",
        "app --token-file=/run/token --bypass yes --author me --passes 3 --key=/etc/x.pem",
        "docker run -p 8080:80 -u 1000:1000 image",
        "java -Xmx256m -cp a.jar:b.jar com.example.Main /var/lib/service/v2/data",
        "app --commit 0123456789abcdef0123456789abcdef01234567",
        "http://127.0.0.1:8080/ingest?limit=3",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert shown_command(text.split()).replace("'", "") == text
    assert without_secrets(text) == text


@given(st.lists(st.text(max_size=40), max_size=8))
def test_any_command_line_is_shown_and_showing_it_again_changes_nothing(command: list[str]) -> None:
    shown = shown_command(command)
    assert len(shlex.split(shown)) == len(command)
    assert shown_command(shlex.split(shown)) == shown
