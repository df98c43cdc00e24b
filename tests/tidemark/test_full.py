"""A service at its descriptor limit whose log says nothing of it."""

from pathlib import Path

import pytest

from tidemark.record.layout import SAMPLES
from tidemark.run.full import FullWatch, Sight


class Samples:
    """samples.csv, as it grows."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / SAMPLES.file
        self._path.write_text(",".join(SAMPLES.columns) + "\n")

    def add(self, fds: int | None, limit: int | None = 100, pid: int = 7) -> None:
        row = {"time_s": 1, "elapsed_s": 1, "target": "target", "pid": pid, "process": "api"}
        row |= {"fds": "" if fds is None else fds, "fds_limit": "" if limit is None else limit}
        with self._path.open("a") as file:
            file.write(",".join(str(row.get(name, "")) for name in SAMPLES.columns) + "\n")


@pytest.fixture
def samples(tmp_path: Path) -> Samples:
    return Samples(tmp_path)


def test_full_and_failing_is_told_once(samples: Samples, tmp_path: Path) -> None:
    watch = FullWatch(tmp_path)
    samples.add(99)
    assert watch.first_sight(5) is None
    samples.add(100)
    told = watch.first_sight(9)
    line = "api (7) has 100 of 100 descriptors open, and 4 requests have failed since"
    assert told == Sight(line, "target")
    samples.add(100)
    assert watch.first_sight(90) is None


@pytest.mark.parametrize(
    ("levels", "failures"),
    [
        ([100, 100, 100], [5, 5, 6]),  # full, and it answers
        ([90, 90, 90], [0, 50, 99]),  # failing, and not full
        ([100, 50, 100], [0, 50, 99]),  # full for a moment only
        ([None, None, None], [0, 50, 99]),
    ],
)
def test_neither_alone_says_it(
    samples: Samples, tmp_path: Path, levels: list[int | None], failures: list[int]
) -> None:
    watch = FullWatch(tmp_path)
    for fds, failed in zip(levels, failures, strict=True):
        samples.add(fds)
        assert watch.first_sight(failed) is None


def test_without_a_limit_nothing_is_full(samples: Samples, tmp_path: Path) -> None:
    watch = FullWatch(tmp_path)
    for failed in (0, 50, 99):
        samples.add(100, limit=None)
        assert watch.first_sight(failed) is None
