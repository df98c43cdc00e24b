"""docs/requests.md says what is read: its examples, its keys, its placeholders."""

import re
import tomllib
from pathlib import Path

import pytest

from tidemark.record.errors import OptionError
from tidemark.routes import read_headers, read_routes
from tidemark.routes.reading import _KEYS
from tidemark.routes.template import _PLACEHOLDERS

TEXT = (Path(__file__).parents[2] / "docs" / "requests.md").read_text()


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "hunter2")


def test_the_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "order.json").write_text("{}")
    (text,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    routes = read_routes(tomllib.loads(text)["load"]["routes"], tmp_path)
    assert [(one.name, one.method, one.weight) for one in routes] == [
        ("order", "POST", 9), ("query", "GET", 1),
    ]  # fmt: skip


def test_the_condition_is_read() -> None:
    (text,) = re.findall(r"^    (success = .*)$", TEXT, re.MULTILINE)
    (route,) = read_routes([{"path": "/", **tomllib.loads(text)}], Path())
    assert route.success.failure(200, b'{"result": {"ok": true}}') is None
    assert f"`{route.success.failure(200, b'{}')}`" in TEXT


def test_the_refusal_is_what_is_said() -> None:
    with pytest.raises(OptionError) as caught:
        read_routes([{"path": "/"}, {"pth": "/"}], Path())
    assert f"    {caught.value}\n" in TEXT


def test_the_command_line_is_read() -> None:
    (header,) = re.findall(r"--header '(.*?)'", TEXT)
    assert read_headers([header])[0].name == "Authorization"


def test_every_key_and_placeholder_has_a_row() -> None:
    rows = [line.partition(" | ")[0] for line in TEXT.splitlines() if line.startswith("| ")]
    named = {name for row in rows for name in re.findall(r"`([^`]*)`", row)}
    assert {*_KEYS, *_PLACEHOLDERS.values()} <= named
