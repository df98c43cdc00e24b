"""What a sampler writes for days: thinned as it ages, and joined by another one all the same."""

import csv

from tidemark.record.clock import Instant
from tidemark.record.directory import RunDirectory
from tidemark.record.layout import COMPOSITION, ENDPOINTS, SAMPLES
from tidemark.record.retention import retention
from tidemark.sampler.journal import Journal

KEEP = retention("60s@1s,600s@10s")


def write(journal, since, until):
    for tick in range(since, until):
        sample = {"target": "target", "pid": 7, "process": "x", "fds": tick}
        thread = {"target": "target", "pid": 7, "kind": "thread", "name": "a", "count": 1}
        end = {"target": "target", "endpoint": "127.0.0.1:9092", "held": 1}
        composed = [thread] if tick % 5 == 0 else []
        journal.write(Instant(1000.0 + tick, float(tick)), [sample], composed, [end])


def times(folder, table):
    with (folder / table.file).open() as file:
        return [float(row["elapsed_s"]) for row in csv.DictReader(file)]


def test_all_tables_are_thinned_and_a_second_sampler_goes_on(tmp_path, closed):
    directory = RunDirectory.create(tmp_path / "run")
    directory.write_metadata({})
    first = closed(Journal(directory, KEEP))
    write(first, 0, 200)
    second = closed(Journal(directory, KEEP))  # the first was killed
    assert second.last == Instant(1199.0, 199.0)
    write(second, 200, 400)
    for journal in (first, second):
        journal.close()
    for table in (SAMPLES, ENDPOINTS):
        at = times(directory.path, table)
        assert at[-60:] == [float(tick) for tick in range(340, 400)]
        assert at[:30] == [10.0 * tick for tick in range(30)]
    assert times(directory.path, COMPOSITION)[:30] == [10.0 * tick for tick in range(30)]


def test_without_it_everything_stays(tmp_path, closed):
    directory = RunDirectory.create(tmp_path / "run")
    directory.write_metadata({})
    journal = closed(Journal(directory))
    write(journal, 0, 200)
    assert len(times(directory.path, SAMPLES)) == 200
