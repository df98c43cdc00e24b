"""Every command and option has its place in the docs, and links between pages lead somewhere."""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import click
import pytest

from tidemark.cli import COMMANDS, cli
from tidemark.run.options import OPTIONS

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "docs", "benchmarks", "examples", "examples/*")
PAGES = sorted(chain.from_iterable(ROOT.glob(f"{folder}/*.md") for folder in FOLDERS))
LINK = re.compile(r"\]\(([^)\s]+)\)|^\[[^]]+\]: (\S+)", re.MULTILINE)


def flags(command: click.Command) -> Iterator[str]:
    """The long options of a command and of those below it."""
    for parameter in command.params:
        yield from (flag for flag in parameter.opts if flag.startswith("--"))
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), name)
            assert below
            yield from flags(below)


def anchors(page: Path) -> set[str]:
    """What a link may name of a page: its headings, as GitHub writes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def test_the_readme_has_every_command() -> None:
    text = (ROOT / "README.md").read_text()
    assert [name for name in COMMANDS if f"`tidemark {name}" not in text] == []


def test_the_options_of_a_run_are_explained() -> None:
    text = (ROOT / "docs/options.md").read_text()
    named = [f"`--{option.name.replace('_', '-')}" for option in OPTIONS]
    assert [flag for flag in named if flag not in text] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_explained(name: str) -> None:
    text = (ROOT / "docs/options.md").read_text()
    command = cli.get_command(click.Context(cli), name)
    assert command
    assert [flag for flag in flags(command) if f"`{flag}" not in text] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = (inline or below for inline, below in LINK.findall(page.read_text()))
    for link in links:
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        there = page.parent / path if path else page
        assert there.exists(), link
        if anchor and there.suffix == ".md":
            assert anchor in anchors(there), link
