"""Files are served by name from a fixed table, in whole lines."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemark.agent.errors import Refusal
from tidemark.agent.shelf import MOST_BYTES, SERVED, Shelf
from tidemark.record.layout import EVENTS_JSONL, RUN_JSON, SAMPLES

LINES = st.lists(st.integers(0, 6000).map(lambda width: b"x" * width), max_size=30)


def fetched(shelf, name, limit):
    found, offset = b"", 0
    while True:
        piece = shelf.piece(name, offset, limit)
        if not piece.data:
            return found
        assert piece.data.endswith(b"\n")
        found += piece.data
        offset = piece.next_offset


@given(LINES, st.binary(max_size=50), st.integers(0, 20_000))
def test_piece_by_piece_gives_every_whole_line_once(tmp_path_factory, lines, torn, limit):
    folder = tmp_path_factory.mktemp("shelf")
    whole = b"".join(line + b"\n" for line in lines)
    (folder / SAMPLES.file).write_bytes(whole + torn.replace(b"\n", b""))
    assert fetched(Shelf(folder), SAMPLES.file, limit) == whole


def test_a_piece_says_where_the_next_begins(folder):
    size = (folder / SAMPLES.file).stat().st_size
    piece = Shelf(folder).piece(SAMPLES.file, 0, 1)
    assert (piece.next_offset, piece.size) == (size, size)
    assert Shelf(folder).piece(SAMPLES.file, size, 1).data == b""


@pytest.mark.parametrize(("offset", "status"), [(10**12, 416), (3, 400)])
def test_an_offset_where_no_line_begins(folder, offset, status):
    with pytest.raises(Refusal) as refused:
        Shelf(folder).piece(SAMPLES.file, offset, 10)
    assert refused.value.status == status


def test_a_line_that_is_too_long_is_no_reason_to_read_all(folder):
    (folder / EVENTS_JSONL).write_bytes(b"x" * (MOST_BYTES + 5) + b"\n")
    with pytest.raises(Refusal) as refused:
        Shelf(folder).piece(EVENTS_JSONL, 0, 10)
    assert refused.value.status == 409


@pytest.mark.parametrize(
    "name", ["", "target.log", "../run/run.json", "/etc/passwd", "run.json\0", "SAMPLES.CSV"]
)
def test_no_other_name_is_looked_for(folder, name, monkeypatch):
    (folder / "target.log").write_text("secret\n")
    monkeypatch.setattr(os, "open", lambda *_, **__: pytest.fail("a file was opened"))
    with pytest.raises(Refusal) as refused:
        Shelf(folder).piece(name, 0, 10)
    assert refused.value.status == 404


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo])
def test_what_is_no_file_is_not_read(folder, make):
    (folder / RUN_JSON).unlink()
    make(folder / RUN_JSON)
    with pytest.raises(Refusal) as refused:
        Shelf(folder).piece(RUN_JSON, 0, 10)
    assert refused.value.status == 404
    assert RUN_JSON not in Shelf(folder).sizes()
    assert Shelf(folder).tail(RUN_JSON, 10) == b""


def test_sizes_and_tails(folder):
    shelf = Shelf(folder)
    assert shelf.sizes() == {name: (folder / name).stat().st_size for name in SERVED}
    with (folder / SAMPLES.file).open("ab") as file:
        file.write(b"torn")
    last = (folder / SAMPLES.file).read_bytes().splitlines(keepends=True)[-2]
    assert shelf.tail(SAMPLES.file, len(last) + 10) == last
