"""Folders for runs: never one that is there, and one line when none can be made."""

from pathlib import Path

import pytest

from tidemark.record.errors import RunDirectoryError
from tidemark.run.folders import new_folder


def test_runs_of_one_second_get_folders_of_their_own(tmp_path: Path) -> None:
    assert len({new_folder(tmp_path / "results", "", "shared") for _ in range(5)}) == 5


def test_a_named_folder_is_never_used_twice(tmp_path: Path) -> None:
    assert new_folder(tmp_path, "mine", "shared") == tmp_path / "mine"
    with pytest.raises(RunDirectoryError, match="choose another name"):
        new_folder(tmp_path, "mine", "shared")


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(RunDirectoryError, match="--results"):
        new_folder(tmp_path / "results", "", "shared")
