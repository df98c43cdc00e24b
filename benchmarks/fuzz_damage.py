"""Damage to a run directory, in every way that came to mind."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tidemark.record.layout import EVENTS_JSONL, RECORDED_FILES, RUN_JSON, TABLES

TABLE_FILES = tuple(table.file for table in TABLES)
TEXTS = (
    "", "0", "-1", "1", "nan", "inf", "1e15", "1e300", "-0", "0x10", "1_000", "NULL", "7.5", "{}",
    '"', "'", "\x00", "\x1b[2J", "\u202e", "\ud7ff", "é" * 50, "x" * 5000, "a\rb", " ", "\t",
    "$x^2$", "<script>", "[red]", "%s", "../../etc", "9" * 400,
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, 1e15, 1e300, 10**30, "", "x", "x" * 100_000, "\x1b[31m", [],
    {}, [None], [[]], {"a": 1}, ["x"] * 50, [{"id": "a"}, {"id": "a"}], [{"id": 1}], "completed",
    "died", "exhausted", "aborted", "2026-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "\ud800",
)  # fmt: skip
KEYS = (
    "format", "strategy", "started_at", "ended_at", "outcome", "ended_because", "brokers", "target",
    "targets", "load", "faults", "sampling", "messages", "latency_ms", "lateness_ms", "host",
    "reference", "watched", "run_id", "unheard_of",
)  # fmt: skip


def _table(rng: random.Random, path: Path) -> tuple[Path, list[str]]:
    """A table and its lines; the last is empty if the file ends as it should."""
    weights = (6, 1, 6, 1, 1)  # samples and requests decide
    file = path / rng.choices(TABLE_FILES, weights)[0]
    return file, file.read_text().split("\n")


def _cut_bytes(rng: random.Random, path: Path) -> None:
    file = path / rng.choice(RECORDED_FILES)
    data = file.read_bytes()
    file.write_bytes(data[: rng.randrange(len(data) + 1)])


def _cut_rows(rng: random.Random, path: Path) -> None:
    file, lines = _table(rng, path)
    first = rng.randrange(1, len(lines))
    kept = lines[1:first] if rng.random() < 0.5 else lines[first:-1]
    file.write_text("\n".join([lines[0], *kept, ""]))


def _header_alone(rng: random.Random, path: Path) -> None:
    file, lines = _table(rng, path)
    file.write_text(lines[0] + "\n")


def _column(change: Callable[[random.Random, list[str]], list[str]]) -> Callable[..., None]:
    """Damage that changes the fields of one column, of all lines or of those from one on."""

    def damage(rng: random.Random, path: Path) -> None:
        file, lines = _table(rng, path)
        rows = [line.split(",") for line in lines[1:-1]]
        at = rng.randrange(len(lines[0].split(",")))
        if rng.random() < 0.5:
            named = [n for n, name in enumerate(lines[0].split(",")) if name in _DECIDING]
            at = rng.choice(named) if named else at
        first = rng.choice((0, 0, rng.randrange(len(rows) + 1)))
        column = [row[at] for row in rows[first:]]
        for row, field in zip(rows[first:], change(rng, column), strict=True):
            row[at] = field
        file.write_text("\n".join([lines[0], *map(",".join, rows), ""]))

    damage.__name__ = f"{change.__name__.strip('_')}_column"
    return damage


_DECIDING = {"elapsed_s", "pid", "fds", "requests", "failures", "fds_limit", "rss_bytes", "target"}


def _zero(_: random.Random, column: list[str]) -> list[str]:
    return ["0"] * len(column)


def _empty(_: random.Random, column: list[str]) -> list[str]:
    return [""] * len(column)


def _same(rng: random.Random, column: list[str]) -> list[str]:
    return [rng.choice(TEXTS)] * len(column)


def _shift(rng: random.Random, column: list[str]) -> list[str]:
    by = rng.choice((0.5, 30.0, 1e4, 1e6, 3e8, 1e14))
    return [_shifted(field, by) for field in column]


def _scale(rng: random.Random, column: list[str]) -> list[str]:
    by = rng.choice((0.0, 1e-6, 0.5, 1000.0, 1e6))
    return [_shifted(field, 0, by) for field in column]


def _noise(rng: random.Random, column: list[str]) -> list[str]:
    return [str(rng.choice((0, 1, rng.randrange(10**6), rng.random()))) for _ in column]


def _reverse(_: random.Random, column: list[str]) -> list[str]:
    return column[::-1]


def _sorted(_: random.Random, column: list[str]) -> list[str]:
    return sorted(column, key=lambda field: (len(field), field))


def _shifted(field: str, by: float, times: float = 1.0) -> str:
    try:
        found = float(field) * times + by
    except ValueError:
        return field
    return f"{found:.6f}".rstrip("0").rstrip(".")


def _shift_file(rng: random.Random, path: Path) -> None:
    file, lines = _table(rng, path)
    by, at = rng.choice((-1.0, 5.0, 60.0, 1e6)), lines[0].split(",").index("elapsed_s")
    rows = [line.split(",") for line in lines[1:-1]]
    for row in rows:
        row[at] = _shifted(row[at], by)
    file.write_text("\n".join([lines[0], *map(",".join, rows), ""]))


def _copy_column(rng: random.Random, path: Path) -> None:
    """All requests failed, and the like."""
    file, lines = _table(rng, path)
    names = lines[0].split(",")
    pairs = [("failures", "requests"), ("fds", "fds_limit"), tuple(rng.sample(names, 2))]
    to, source = rng.choice(pairs)
    if to in names and source in names:
        rows = [line.split(",") for line in lines[1:-1]]
        for row in rows:
            row[names.index(to)] = row[names.index(source)]
        file.write_text("\n".join([lines[0], *map(",".join, rows), ""]))


def _rename_columns(rng: random.Random, path: Path) -> None:
    file, lines = _table(rng, path)
    names = lines[0].split(",")
    one, other = rng.randrange(len(names)), rng.randrange(len(names))
    if rng.random() < 0.5:
        names[one], names[other] = names[other], names[one]
    else:
        names[one] = rng.choice((*names, *TEXTS))
    file.write_text("\n".join([",".join(names), *lines[1:]]))


def _field(rng: random.Random, path: Path) -> None:
    file, lines = _table(rng, path)
    for _ in range(rng.choice((1, 1, 5))):
        at = rng.randrange(len(lines))
        fields = lines[at].split(",")
        fields[rng.randrange(len(fields))] = rng.choice(TEXTS)
        lines[at] = ",".join(fields)
    file.write_text("\n".join(lines))


def _lines(rng: random.Random, path: Path) -> None:
    file = path / rng.choice((*TABLE_FILES, EVENTS_JSONL))
    lines = file.read_bytes().split(b"\n")
    one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    change = rng.randrange(5)
    if change == 0:
        lines[one], lines[other] = lines[other], lines[one]
    elif change == 1:
        del lines[min(one, other) : max(one, other)]
    elif change == 2:
        lines[one:one] = [lines[other]] * rng.choice((1, 100))
    elif change == 3:
        lines[one] = lines[one][: len(lines[one]) // 2]
    else:
        rng.shuffle(lines)
    file.write_bytes(b"\n".join(lines))


def _bytes(rng: random.Random, path: Path) -> None:
    file = path / rng.choice(RECORDED_FILES)
    data = bytearray(file.read_bytes())
    for _ in range(rng.choice((1, 3, 30))):
        at = rng.randrange(len(data) + 1)
        data[at : at + rng.choice((0, 1, 1, 10))] = rng.randbytes(rng.choice((0, 1, 1, 10)))
    file.write_bytes(data)


def _line_ends(rng: random.Random, path: Path) -> None:
    file = path / rng.choice(RECORDED_FILES)
    text = file.read_text().replace("\n", rng.choice(("\r\n", "\r", "\n\n", "\0")))
    file.write_bytes(text.encode(rng.choice(("utf-8", "utf-8-sig", "utf-16", "utf-32"))))


def _another_file(rng: random.Random, path: Path) -> None:
    one, other = rng.sample(RECORDED_FILES, 2)
    shutil.copyfile(path / one, path / other)


def _no_file(rng: random.Random, path: Path) -> None:
    file = path / rng.choice(RECORDED_FILES)
    file.unlink()
    makers: tuple[Callable[[], object], ...] = (
        lambda: None,
        lambda: None,
        file.mkdir,
        lambda: os.mkfifo(file),
        lambda: file.symlink_to("nowhere"),
        lambda: file.symlink_to(file.name),
        lambda: file.symlink_to("/dev/zero"),
        lambda: file.write_bytes(b""),
        lambda: file.write_bytes(b"\n"),
        lambda: file.write_bytes(rng.randbytes(500) + b"\n"),
        lambda: os.truncate(os.open(file, os.O_CREAT | os.O_WRONLY), 1 << 36),
    )
    rng.choice(makers)()


def _metadata(rng: random.Random, path: Path) -> None:
    file = path / RUN_JSON
    content = json.loads(file.read_text())
    for _ in range(rng.choice((1, 1, 4))):
        key = rng.choice(KEYS)
        inside = content.get(key)
        if isinstance(inside, dict) and inside and rng.random() < 0.7:
            inside[rng.choice((*inside, "run_time_s"))] = rng.choice(VALUES)
        elif rng.random() < 0.2:
            content.pop(key, None)
        else:
            content[key] = rng.choice(VALUES)
    file.write_text(json.dumps(content))


def _event(rng: random.Random, path: Path) -> None:
    file = path / EVENTS_JSONL
    lines = file.read_text().split("\n")[:-1]
    events = [json.loads(line) for line in lines]
    for _ in range(rng.choice((1, 1, 5))):
        event = dict(rng.choice(events)) if events else {"time_s": 1, "elapsed_s": 1}
        change = rng.randrange(3)
        if change == 0:
            event[rng.choice((*event, "reason", "pid", "missed_ticks"))] = rng.choice(VALUES)
        elif change == 1:
            event["event"] = rng.choice(EVENTS)
        event["elapsed_s"] = rng.choice((event.get("elapsed_s"), rng.uniform(0, 40), 0, 1e9))
        if change == 2 and events:
            events[rng.randrange(len(events))] = event
        else:
            events.append(event)
    file.write_text("".join(f"{json.dumps(event)}\n" for event in events))


EVENTS = (
    "run_ended", "target_started", "target_exited", "target_restarted", "target_unconfirmed",
    "process_stopped", "process_continued", "emfile", "stalled", "broker_down", "broker_up",
    "refused_by_broker", "fault_started", "fault_ended", "fault_failed", "worker_killed",
    "generator_saturated", "sampler_started", "sampler_lost", "limits_read", "gap", "clock_set",
    "disk_full", "disk_has_room", "ledger_failed", "unheard_of",
)  # fmt: skip

COLUMN_CHANGES = (_zero, _empty, _same, _shift, _scale, _noise, _reverse, _sorted)
DAMAGES: tuple[Callable[[random.Random, Path], None], ...] = (
    _cut_bytes, _cut_rows, _cut_rows, _header_alone, *map(_column, COLUMN_CHANGES),
    _column(_zero), _shift_file, _copy_column, _copy_column, _rename_columns, _field, _lines,
    _bytes, _line_ends, _another_file, _no_file, _metadata, _metadata, _event, _event,
)  # fmt: skip
