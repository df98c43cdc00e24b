"""docs/run-directory.md names every table, column, event and field, and no other."""

import dataclasses
import re
from pathlib import Path

import pytest

from tidemark.record import layout
from tidemark.record.events import KINDS
from tidemark.record.metadata import OUTCOMES, RunMetadata, Target

PAGE = (Path(__file__).parents[2] / "docs" / "run-directory.md").read_text()
UNITS = {"_s": "s", "_ms": "ms", "_bytes": "bytes"}
WITHOUT_UNIT = {"pid"}


def section(title):
    """The text below a heading, up to the next one of the same level."""
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text):
    """The rows of all tables in a text, as lists of cells, without heads."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        lines = [line.strip().strip("|").split("|") for line in table.splitlines()]
        found += [[cell.strip() for cell in line] for line in lines[2:]]
    return found


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


def test_every_file_is_named():
    files = {name for row in rows(PAGE.partition("\n## ")[0]) for name in names(row[0])}
    written = {
        *layout.RECORDED_FILES,
        layout.TARGET_LOG,
        layout.BROKER_LOG,
        f"{layout.ONLY_TARGET}{layout.PID_SUFFIX}",
    }
    rebuilt = {layout.VERDICT_JSON, layout.REPORT_PNG, layout.REPORT_HTML}
    assert files == written | rebuilt | {"sampler.log", "ledger.log", "build.log"}


def test_every_table_has_a_section_and_no_other():
    headings = re.findall(r"^## (.*\.csv)$", PAGE, re.MULTILINE)
    assert sorted(headings) == sorted(table.file for table in layout.TABLES)


@pytest.mark.parametrize("table", layout.TABLES, ids=lambda table: table.file)
def test_every_column_in_its_order_with_unit_and_emptiness(table):
    described = rows(section(table.file))
    assert [names(row[0]) for row in described] == [[name] for name in table.columns]
    for (cell, unit, what, empty), name in zip(described, table.columns, strict=True):
        assert cell == f"`{name}`"
        assert what
        assert empty
        endings = [given for ending, given in UNITS.items() if name.endswith(ending)]
        if name in table.text:
            assert unit == "text"
        elif name not in WITHOUT_UNIT:
            assert unit == (endings[0] if endings else "count"), name


@pytest.mark.parametrize("table", layout.TABLES, ids=lambda table: table.file)
def test_what_is_never_empty_is_said_to_be_so(table):
    said = {names(row[0])[0] for row in rows(section(table.file)) if row[3] == "never empty"}
    assert set(table.never_empty) <= said


def test_every_event_and_its_fields_and_no_other():
    described = {names(row[0])[0]: names(row[1]) for row in rows(section("events.jsonl"))}
    assert described == {
        name: [field.name for field in dataclasses.fields(kind)] for name, kind in KINDS.items()
    }


def test_events_are_in_the_order_of_the_code():
    assert [names(row[0])[0] for row in rows(section("events.jsonl"))] == list(KINDS)


def test_what_is_read_of_run_json_is_named():
    text = section("run.json")
    of_run, _, of_targets = text.partition("Each of `targets`:")
    named = {name for row in rows(of_run) for name in names(row[0])}
    read = {field.name for field in dataclasses.fields(RunMetadata)} - {"raw"}
    assert read | {"reference"} <= named
    assert [names(row[0])[0] for row in rows(of_targets)] == list(Target("x").to_json())
    (outcomes,) = [row[1] for row in rows(of_run) if row[0] == "`outcome`"]
    assert names(outcomes) == list(OUTCOMES)


def test_the_formats():
    assert PAGE.startswith(f"# The run directory, format {layout.FORMAT}\n")
    (read,) = [row[1] for row in rows(section("run.json")) if row[0] == "`format`"]
    assert read.startswith(f"{layout.FORMAT};")
    older = [number for number in layout.READABLE_FORMATS if number != layout.FORMAT]
    assert re.findall(r"^## Format (\d+)$", PAGE, re.MULTILINE) == list(map(str, older))
    without = section("Format 1")
    added = {table.file: set(table.added) for table in layout.TABLES if table.added}
    for file, columns in added.items():
        assert f"`{file}`" in without
        assert columns <= set(names(without))
