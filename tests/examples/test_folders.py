"""The examples, as far as it can be told without building them."""

from __future__ import annotations

import re

import pytest

from .workshop import EXAMPLES, Example

NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/tidemark.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_the_lines_that_are_named_are_those_of_the_bug_and_the_fix(name):
    text = (EXAMPLES / name / "README.md").read_text()
    found = set()
    for what, path, number in re.findall(r"\[(bug|fix)\]\((\S+)#L(\d+)\)", text):
        line = (EXAMPLES / name / path).read_text().splitlines()[int(number) - 1]
        assert f"the {what}" in line, line
        found.add(what)
    assert found == {"bug", "fix"}


@pytest.mark.parametrize("name", NAMES)
def test_each_example_is_in_the_list(name):
    assert f"[{name}]({name}/)" in (EXAMPLES / "README.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_services_of_each(name):
    services = Example(EXAMPLES / name).configuration.services
    assert {one: service.reference for one, service in services.items()} == {
        "broken": False,
        "fixed": False,
        "shared": True,
    }
    assert {service.needs_brokers for service in services.values()} == {name != "postgres"}
