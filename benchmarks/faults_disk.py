"""Disks that fill up, for the benchmark of reliability: of the run, of an agent, from the start."""

from __future__ import annotations

import contextlib
import os
import random
import re
import time
from pathlib import Path

from benchmarks.faults_agent import AgentBench
from benchmarks.faults_bench import PATIENCE_S, RATE, RUN_TIME_S, Bench
from benchmarks.faults_broken import KILL, PAUSE_S, itself, send
from benchmarks.faults_case import Case, Outcome, events_of
from benchmarks.faults_parts import resume

SMALL_DISK = "1m"
FILLING = "filling"
"""What takes the room on a small disk."""
LEFT_KIB = (0, 4, 16, 64, 96, 128, 160, 200, 240, 280)
"""Room that is left where a disk is full from the start: for some of the files, or for none."""
LEAST_SENT = 0.7
_AGGREGATED = re.compile(r"^ +Aggregated +(\d+) +(\d+)\(", re.MULTILINE)


def _fill(bench: Bench, _: random.Random) -> None:
    """Write until there is no room."""
    fill_up(bench.results)


def fill_up(folder: Path, leave_bytes: int = 0) -> None:
    """Fill the file system of a folder but for so much."""
    filling = folder / FILLING
    with contextlib.suppress(OSError), filling.open("ab", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    if leave_bytes:
        os.truncate(filling, max(filling.stat().st_size - leave_bytes, 0))


def _no_root() -> str:
    """What is missing to make a small file system."""
    return "" if os.geteuid() == 0 else "a small file system needs root"


def goes_on(bench: Bench) -> str:
    """What is wrong if the load stopped when the disk was full, or the service did."""
    found = _AGGREGATED.findall((bench.place / "said.log").read_text(errors="replace"))
    sent, failed = (int(text) for text in found[-1]) if found else (0, 0)
    if sent < LEAST_SENT * RATE * RUN_TIME_S:
        return f"the load stopped: {sent} requests"
    return f"{failed} requests failed" if failed else ""


def _tells_of_room(bench: Bench) -> str:
    """What is wrong if rows were lost, and nobody says when there was room again."""
    happened = events_of(bench.run)
    is_told = "disk_full" not in happened or "disk_has_room" in happened
    return "" if is_told else "it does not say that there is room again"


def _keep_full(bench: Bench, folder: Path, for_s: float) -> None:
    """Take whatever room there comes to be, as a log does that somebody else writes."""
    until = time.monotonic() + for_s
    while time.monotonic() < until and bench.process and bench.process.poll() is None:
        fill_up(folder)
        time.sleep(0.05)


def _keep_filling(bench: Bench, _: random.Random) -> None:
    _keep_full(bench, bench.results, PATIENCE_S)


def _fill_agent(bench: Bench, _: random.Random) -> None:
    assert isinstance(bench, AgentBench)
    _keep_full(bench, bench.recording, PATIENCE_S)


def _fill_and_clear(bench: Bench, _: random.Random) -> None:
    _keep_full(bench, bench.results, PAUSE_S)
    (bench.results / FILLING).unlink()


def _fill_and_kill(bench: Bench, rng: random.Random) -> None:
    _keep_full(bench, bench.results, PAUSE_S)
    send(itself, KILL)(bench, rng)


def _clear_and_resume(bench: Bench, code: int | None) -> int | None:
    (bench.results / FILLING).unlink()
    return resume(bench, code)


class FullFromStart(Case):
    """The disk has next to no room when the run begins: it says so, or records what it can."""

    def try_once(self, rng: random.Random, number: int, place: Path) -> Outcome:
        """Fill, run, and look at what there is."""
        del rng
        bench = Bench(place, "pooled", self.program, self.more)
        bench.results.mkdir()
        left = LEFT_KIB[number % len(LEFT_KIB)]
        with bench.on_disk(self.disk):
            fill_up(bench.results, left * 1024)
            bench.begin()
            code = bench.wait()
            remains = bench.end()
            said = (bench.place / "said.log").read_text(errors="replace")
            wrong = [f"left: {line}" for line in remains]
            if "Traceback" in said:
                wrong.append("a traceback")
            if code == 2 and "No space left on device" not in said:
                wrong.append("it does not say that the disk is full")
            if code != 2:
                is_told = {"disk_full", "run_ended"} & events_of(bench.run)
                if not is_told and "No space left on device" not in said:
                    wrong.append("it does not say that the disk is full")
                judged = self.judged(bench, code, [])
                wrong += [judged.wrong] if judged.wrong else []
                return Outcome(judged.said, "; ".join(wrong))
        return Outcome("2, one line, and no run", "; ".join(wrong))


RECORDED = frozenset({"disk_full"})
DISKS: tuple[Case, ...] = (
    Case("full-disk", "a disk that fills up", 10, _fill,
         codes=frozenset({0, 3}), checks=frozenset({0, 3}), events=RECORDED, needs=_no_root,
         disk=SMALL_DISK, outcomes=frozenset({"completed"}), also=(goes_on,)),
    Case("full-disk-kept", "the same, and something else takes whatever room there is", 10,
         _keep_filling, codes=frozenset({0, 3}), checks=frozenset({0, 3}), events=RECORDED,
         needs=_no_root, disk=SMALL_DISK, outcomes=frozenset({"completed"}), also=(goes_on,)),
    Case("full-disk-cleared", "the same, with room again after 3 s", 10, _fill_and_clear,
         codes=frozenset({0, 3}), checks=frozenset({0, 3}), needs=_no_root, disk=SMALL_DISK,
         also=(goes_on, _tells_of_room)),
    Case("full-disk-resumed", "the same, killed while it was full, room made, `--resume`", 10,
         _fill_and_kill, codes=frozenset({0}), checks=frozenset({0, 3}), needs=_no_root,
         events=frozenset({"run_resumed"}), disk=SMALL_DISK, then=_clear_and_resume),
    FullFromStart("full-from-start", "a disk that is full from the start, but for 0 to 280 KiB", 10,
         _fill, codes=frozenset({0, 3}), checks=frozenset({0, 2, 3}), needs=_no_root,
         disk=SMALL_DISK, outcomes=frozenset({"completed", "aborted", None})),
    Case("full-agent", "the agent's disk fills up", 10, _fill_agent, bench=AgentBench,
         codes=frozenset({0, 3}), checks=frozenset({3}), events=RECORDED, needs=_no_root,
         disk=SMALL_DISK, also=(goes_on,)),
)  # fmt: skip
