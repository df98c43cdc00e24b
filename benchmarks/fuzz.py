"""Run directories, options and forms that nobody would write, and what is said of them.

    python -m benchmarks.fuzz --runs 10000 --options 2000 --forms 2000 --seed 1 [--jobs 2]

prints a table of what came out, and a line for each case that is wrong: a traceback, a hang, more
than one line of refusal, an exit code that means nothing, something that was started, or a run
that is passed although it was answered nothing or watched nobody. Ends with 1 if there is one. A
case is made from the seed and its number alone: `--kind runs --only NUMBER` makes it again.
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"  # the pool's pipes and threads stay what they are

from benchmarks import fuzz_forms, fuzz_options, fuzz_runs
from benchmarks.fuzz_case import Found

KINDS: dict[str, Callable[[int, int, Path], Found]] = {
    "runs": fuzz_runs.try_one,
    "options": fuzz_options.try_one,
    "forms": fuzz_forms.try_one,
}
"""Kind of case -> tries one: the seed, its number, a folder to work in."""


def main() -> int:
    """Try all; return the exit code."""
    parser = argparse.ArgumentParser(description="Run directories, options and forms at random.")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--options", type=int, default=2_000)
    parser.add_argument("--forms", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kind", choices=KINDS, help="with --only: of which kind it is")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="a single case, again")
    given = parser.parse_args()
    if given.only is not None:
        cases = [(given.kind or "runs", given.seed, given.only)]
    else:
        cases = [
            (kind, given.seed, number) for kind in KINDS for number in range(getattr(given, kind))
        ]
    found: dict[str, list[Found]] = {kind: [] for kind in KINDS}
    context = multiprocessing.get_context("spawn")
    with context.Pool(given.jobs, maxtasksperchild=50) as pool:
        for kind, one in pool.imap_unordered(_try, cases, chunksize=10):
            found[kind].append(one)
            if one.wrong:
                where = f"{kind} {one.number} (seed {given.seed})"
                print(f"{where}: {one.wrong!a} [{one.made!a}]", flush=True)
    print_table(found)
    return 1 if any(one.wrong for one in itertools.chain(*found.values())) else 0


def _try(case: tuple[str, int, int]) -> tuple[str, Found]:
    kind, seed, number = case
    with tempfile.TemporaryDirectory(prefix="tidemark-fuzz-") as folder:
        return kind, KINDS[kind](seed, number, Path(folder))


def print_table(found: dict[str, list[Found]]) -> None:
    """Print in Markdown how often which exit code came out, and what was wrong."""
    print("\n| what | cases | what came out | wrong |")
    print("|---|---|---|---|")
    for kind, all_of_it in found.items():
        codes = Counter(one.outcome for one in all_of_it)
        wrong = Counter(one.wrong.split(":")[0] for one in all_of_it if one.wrong)
        print(f"| {kind} | {len(all_of_it):,} | {_counts(codes)} | {_counts(wrong) or '0'} |")


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items()))


if __name__ == "__main__":
    sys.exit(main())
