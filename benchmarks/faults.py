"""Every part of a run is broken, many times over: what is left, and whether what is said is right.

    python -m benchmarks.faults [--only NAME ...] [--times N] [--jobs 2] [--seed 1]

prints a line per run, then the table of docs/reliability.md; ends with 1 if anything was wrong:
a process left behind, a run directory that is not whole, an exit code that does not say what
happened, a missing event, or a wrong verdict ("cannot tell" is none). Full disks need root, real
brokers `make kafka`; where there is none of it, the row says so.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.faults_bench import NotBegunError
from benchmarks.faults_broken import CASES as FIRST_CASES
from benchmarks.faults_case import Case, Outcome
from benchmarks.faults_disk import DISKS
from benchmarks.faults_parts import PARTS

CASES = {**FIRST_CASES, **{case.name: case for case in (*PARTS, *DISKS)}}

STARTS = 4


def main() -> int:
    """Break and print; return the exit code."""
    parser = argparse.ArgumentParser(description="Break every part of a run.")
    parser.add_argument("--only", action="append", choices=CASES, help="repeatable")
    parser.add_argument("--times", type=int, help="how often each, in place of its own number")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    # A shell that runs us in the background has it ignored, and children would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    chosen = [CASES[name] for name in given.only or CASES]
    # In turns, so that what is stopped halfway has seen a bit of everything.
    rounds = max(given.times or case.times for case in chosen)
    todo = [
        (case, number)
        for number in range(rounds)
        for case in chosen
        if number < (given.times or case.times)
    ]
    found: dict[str, list[Outcome]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory(prefix="tidemark-faults-") as folder,
        ThreadPoolExecutor(given.jobs) as pool,
    ):
        jobs = [pool.submit(_one, case, number, given.seed, Path(folder)) for case, number in todo]
        for (case, number), job in zip(todo, jobs, strict=True):
            outcome = job.result()
            found[case.name].append(outcome)
            print(f"{case.name} {number}: {outcome.said}; {outcome.wrong or 'right'}", flush=True)
    print_table({case: found[case.name] for case in chosen})
    return 1 if any(one.wrong for all_of_it in found.values() for one in all_of_it) else 0


def _one(case: Case, number: int, seed: int, folder: Path) -> Outcome:
    if missing := case.missing():
        return Outcome(f"not tried: {missing}", "", tried=False)
    why = ""
    for again in range(STARTS):  # on a machine that others use, some do not even begin
        rng = random.Random(f"{case.name} {seed} {number}")
        place = folder / f"{case.name}-{number}-{again}"
        place.mkdir()
        try:
            return case.try_once(rng, number, place)
        except NotBegunError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 - one that fails must not end the others
            return Outcome("the benchmark failed", f"{type(error).__name__}: {error}")
    return Outcome(f"not tried: {why}", "", tried=False)


def print_table(found: dict[Case, list[Outcome]]) -> None:
    """Print the table of docs/reliability.md."""
    print(f"\n{os.cpu_count()} processors, Linux {os.uname().release}\n")
    print("| what was broken | times | what was said (`locust`/`compare`, `check`) | right |")
    print("|---|---:|---|---:|")
    for case, outcomes in found.items():
        tried = [one for one in outcomes if one.tried]
        said = Counter(one.said for one in outcomes)
        told = "; ".join(f"{text} ({count})" for text, count in said.most_common())
        right = sum(not one.wrong for one in tried)
        print(f"| {case.title} | {len(tried)} | {told} | {right} |")
    everything = [one for outcomes in found.values() for one in outcomes if one.tried]
    wrong = Counter(part for one in everything for part in one.wrong.split("; ") if part)
    print(f"\n{sum(not one.wrong for one in everything)} of {len(everything)} right")
    for text, count in wrong.most_common():
        print(f"- {text}: {count}")


if __name__ == "__main__":
    sys.exit(main())
