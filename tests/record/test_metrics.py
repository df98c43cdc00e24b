"""`record.metrics` and `record.layout`: one registry, and what follows from it."""

import dataclasses

import pytest

from tidemark.record import layout
from tidemark.record.events import LimitsRead
from tidemark.record.metrics import (
    HELD_STATES,
    JUDGED,
    METRICS,
    RESOURCES,
    TCP_STATE_NUMBERS,
    TCP_STATES,
    USED,
    metric,
)

UNIT_ENDINGS = {"bytes": "_bytes", "s": "_s"}
ABOUT_THE_ROW = {*layout.TIME_COLUMNS, "target", "pid", "process", "sample_cost_s"}

each_metric = pytest.mark.parametrize("one", METRICS, ids=lambda one: one.name)
each_table = pytest.mark.parametrize("table", layout.TABLES, ids=lambda table: table.file)


def test_names_are_unique_and_found():
    names = [one.name for one in METRICS]
    assert len(set(names)) == len(names)
    assert [metric(name) for name in names] == list(METRICS)
    with pytest.raises(KeyError):
        metric("nonsense")


@each_metric
def test_its_columns_are_recorded(one):
    assert one.columns
    assert set(one.columns) <= set(layout.SAMPLES.numbers)
    assert set(one.columns) <= set(layout.SAMPLES.columns) - ABOUT_THE_ROW


def test_every_recorded_figure_is_a_metric_or_its_limit():
    recorded = {column for one in METRICS for column in one.columns}
    limits = {one.limit.column for one in METRICS if one.limit and one.limit.column}
    assert recorded | limits | ABOUT_THE_ROW == set(layout.SAMPLES.columns)


@each_metric
def test_the_unit_is_in_the_name(one):
    ending = UNIT_ENDINGS.get(one.unit)
    if ending:
        assert one.name.endswith(ending)
    else:
        assert not one.name.endswith(tuple(UNIT_ENDINGS.values()))


@each_metric
def test_it_can_be_spoken_of_and_drawn(one):
    assert one.title[0].isupper()
    assert one.phrase == one.title[0].lower() + one.title[1:]
    assert one.noun
    assert one.plural
    assert one.heading
    assert one.axis or not one.drawn
    assert one.axis_scale > 0


@each_metric
def test_its_limit_is_where_it_says(one):
    if one.limit is None:
        return
    if one.has_own_limit:
        assert one.limit.column in layout.SAMPLES.numbers
    else:
        fields = {field.name for field in dataclasses.fields(LimitsRead)}
        assert {f"{one.name}_limit", f"{one.name}_limit_source"} <= fields


@each_metric
def test_its_measure_can_be_met(one):
    if one.judged:
        assert one.judged.resolution > 0
        assert one.judged.least_growth > one.judged.resolution
        assert 0 <= one.judged.least_share < 1
        assert one.judged.trifle > 0


def test_what_is_judged_and_what_is_used_up():
    assert RESOURCES == ("fds", "connections", "threads", "rss_bytes")
    assert tuple(one.name for one in JUDGED) == RESOURCES
    assert all(one.cumulative for one in USED)
    assert not {*JUDGED} & {*USED}, "what only ever rises cannot be judged by its rise"


def test_states_are_the_kernels_and_only_time_wait_is_held_by_nobody():
    assert len(set(TCP_STATE_NUMBERS.values())) == len(TCP_STATES)
    assert set(TCP_STATES) - set(HELD_STATES) == {"time_wait"}


# The tables


@each_table
def test_a_table_is_sound(table):
    assert table.columns[:2] == layout.TIME_COLUMNS
    assert len(set(table.columns)) == len(table.columns)
    assert set(table.text) <= set(table.columns)
    assert set(table.never_empty) <= set(table.numbers)
    assert set(table.never_falling) <= set(table.numbers)
    assert set(table.added) <= set(table.columns)
    assert {*table.numbers, *table.text} == set(table.columns)


def test_files_are_named_once():
    files = [table.file for table in layout.TABLES]
    assert len({*files, *layout.RECORDED_FILES}) == len(layout.RECORDED_FILES) == len(files) + 2
    assert layout.FORMAT in layout.READABLE_FORMATS
