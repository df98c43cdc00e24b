import math

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tidemark.analysis.tables import in_order, read_table
from tidemark.record.errors import UnusableRunError
from tidemark.record.layout import Table

TABLE = Table("table.csv", ("time_s", "elapsed_s", "name", "count"), text=("name",))
GOOD = "time_s,elapsed_s,name,count\n10,0.5,a,1\n11,1.5,b,\n"


def read(tmp_path, text, table=TABLE):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_table(tmp_path, table)


def refusal(tmp_path, text, table=TABLE):
    with pytest.raises(UnusableRunError) as caught:
        read(tmp_path, text, table)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_table_is_read_and_an_empty_field_is_not_zero(tmp_path):
    table = read(tmp_path, GOOD)
    assert list(table.columns) == ["time_s", "elapsed_s", "name", "count"]
    assert table["elapsed_s"].tolist() == [0.5, 1.5]
    assert table["name"].tolist() == ["a", "b"]
    assert math.isnan(table["count"][1])


@pytest.mark.parametrize("torn", ["12", "12,2.5,c", "12,2.5,c,3"])
def test_a_torn_last_line_is_dropped(tmp_path, torn):
    pd.testing.assert_frame_equal(read(tmp_path, GOOD + torn), read(tmp_path, GOOD))


def test_a_header_alone_is_a_table_without_rows(tmp_path):
    table = read(tmp_path, "time_s,elapsed_s,name,count\n")
    assert len(table) == 0
    assert table["count"].dtype == "float64"


def test_unknown_columns_are_left_out_and_those_of_later_versions_may_be_missing(tmp_path):
    later = Table(
        "table.csv",
        ("time_s", "elapsed_s", "whose", "later"),
        text=("whose",),
        added={"later": None, "whose": "ours"},
    )
    found = read(tmp_path, "elapsed_s,extra,time_s\n1,x,2\n", later)
    assert found.columns.tolist() == ["time_s", "elapsed_s", "whose", "later"]
    assert found["later"].isna().all()
    assert found["whose"].tolist() == ["ours"]


def test_a_quoted_comma_is_part_of_its_field(tmp_path):
    table = read(tmp_path, 'time_s,elapsed_s,name,count\n10,0.5,"a, b",1\n')
    assert table["name"][0] == "a, b"


def test_windows_line_ends_are_read(tmp_path):
    assert read(tmp_path, GOOD.replace("\n", "\r\n"))["elapsed_s"].tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("count\n", "number\n"), "line 1: the column 'count' is missing"),
        (("time_s,elapsed_s", "elapsed_s,elapsed_s"), "line 1: the column 'time_s' is missing"),
        (("10,0.5,a,1", "10,0.5,a"), "line 2: has 3 fields where the header has 4"),
        (("10,0.5,a,1", "10,0.5,a,1,9"), "line 2: has 5 fields where the header has 4"),
        (("11,1.5,b,", ""), "line 3: has 0 fields where the header has 4"),
        (("10,0.5,a,1", "10,half,a,1"), "line 2: elapsed_s is 'half', which is no number"),
        (("10,0.5,a,1", "10,0.5,a,nan"), "line 2: count is 'nan', which is no number"),
        (("10,0.5,a,1", "10,0.5,a,inf"), "line 2: count is negative or too large to be true"),
        (("10,0.5,a,1", "10,0.5,a,-3"), "line 2: count is negative or too large to be true (-3)"),
        (("10,0.5,a,1", "10,,a,1"), "line 2: elapsed_s is empty"),
        (("11,1.5,b,", "11,0.25,b,"), "line 3: elapsed_s runs backwards (0.25)"),
        (("10,0.5,a,1", "10,0.5,a,1e400"), "line 2: count is negative or too large"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path, change, said):
    assert said in refusal(tmp_path, GOOD.replace(*change))


def test_short_and_long_lines_that_balance_are_noticed(tmp_path):
    text = "time_s,elapsed_s,name,count\n10,0.5,a,1,7\n11,1.5,b\n"
    assert "line 2: has 5 fields" in refusal(tmp_path, text)
    text = "time_s,elapsed_s,name,count\n9,0.1,a,1\n10,0.5,a\n11,1.5,b,1,1\n"
    assert "fields where the header has 4" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "holds no finished line"),
        (b"time_s,elapsed_s", "holds no finished line"),
        (b"\xff\xfe\x00\n1,2\n", "is not a CSV header"),
        (b"time_s,time_s,elapsed_s,name,count\n", "a column appears twice"),
        (b"time_s,elapsed_s,name,count\n1,2,\xff\xff,3\n", "line 2"),
        (b'time_s,elapsed_s,name,count\n1,2,"open,3\n', "line 2"),
        (b"time_s,elapsed_s,name,count\n1,2,a,3\x00\n", "line 2: holds a NUL byte"),
        (b"time_s,elapsed_s,name,count\n1,2,a\x00b,3\n", "line 2: holds a NUL byte"),
        (b"c," * 1_000_000 + b"time_s,elapsed_s,name,count\n", "line 1: is too long"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, data, said):
    assert said in refusal(tmp_path, data)


def test_texts_are_made_fit_to_be_shown(tmp_path):
    text = GOOD.replace(",a,", ",a\x1b[2J\u202e,").replace(",b,", f",{'b' * 1000},")
    assert read(tmp_path, text)["name"].tolist() == ["a\ufffd[2J\ufffd", "b" * 252 + "..."]


def test_a_byte_order_mark_is_no_part_of_the_header(tmp_path):
    assert len(read(tmp_path, GOOD.encode("utf-8-sig"))) == 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UnusableRunError, match=r"gone\.csv: cannot be read"):
        read_table(tmp_path, Table("gone.csv", TABLE.columns))


FIELD = st.text(st.characters(codec="utf-8"), max_size=8) | st.sampled_from(
    ["1", "0.5", "nan", "", '"', "1e999", "-1", "2", "3", "a,b", "\x00", "9" * 30]
)
LINES = st.lists(st.lists(FIELD, min_size=0, max_size=6).map(",".join), max_size=6)


@given(lines=LINES)
@example(lines=['1,2,"a', '3,4,b",1'])
@example(lines=["1,1,\r2,1"])
def test_whatever_the_lines_are_a_table_comes_out_or_one_line_of_refusal(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_bytes("\n".join(["time_s,elapsed_s,name,count", *lines, ""]).encode())
    try:
        table = read_table(path.parent, TABLE)
    except UnusableRunError as error:
        assert "\n" not in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert table["elapsed_s"].is_monotonic_increasing
        assert table[["time_s", "elapsed_s"]].notna().all(axis=None)


@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_bytes(data)
    with pytest.raises(UnusableRunError):
        read_table(path.parent, TABLE)


OF_TARGETS = Table(
    "table.csv", ("time_s", "elapsed_s", "target", "pid"), text=("target",), each="target"
)
APART = "time_s,elapsed_s,target,pid\n10,0,b,1\n11,1,b,2\n12,2,b,3\n10,0,a,4\n11,1,a,5\n"


def test_the_rows_of_targets_may_stand_one_after_the_other(tmp_path):
    found = in_order(read(tmp_path, APART, OF_TARGETS))
    assert found["elapsed_s"].tolist() == [0, 0, 1, 1, 2]
    assert found["pid"].tolist() == [1, 4, 2, 5, 3], "those of one time stay as they were"
    assert found.index.tolist() == list(range(5))


def test_rows_in_order_are_left_alone(tmp_path):
    found = read(tmp_path, GOOD)
    assert in_order(found) is found


def test_the_time_of_one_target_may_not_run_backwards(tmp_path):
    torn = APART + "10.5,0.5,b,1\n13,3,a,1\n"
    told = "line 7: elapsed_s of target b runs backwards (0.5)"
    assert told in refusal(tmp_path, torn, OF_TARGETS)
    alone = "time_s,elapsed_s,target,pid\n10,1,b,1\n11,0.5,b,2\n"
    assert "line 3: elapsed_s runs backwards (0.5)" in refusal(tmp_path, alone, OF_TARGETS)
