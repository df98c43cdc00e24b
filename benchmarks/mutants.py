"""How many small faults in the judge its tests notice: mutation testing with Cosmic Ray.

    python -m benchmarks.mutants                  # the sample that the figures come from
    python -m benchmarks.mutants --every 1        # every mutant there is; takes hours
    python -m benchmarks.mutants --module growth  # one module alone

Cosmic Ray finds and makes the mutants; each is made in a copy of the tree, never in the tree
itself, and judged by the fast tests of the judge, up to the first that fails. A new process is
forked for each, with numpy, scipy and pandas loaded already, which costs no more than the tests.
Set OPENBLAS_NUM_THREADS=1, as `make mutants` does: the matrices are small, the mutants many.

First come faults that were written by hand, all of which have to be noticed; then one of so many
mutants of each module, drawn with a fixed seed, so that figures can be compared over time.
"""

from __future__ import annotations

import argparse
import difflib
import math
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis  # noqa: F401 - loaded once, for all who are forked
import pandas as pd  # noqa: F401
import pytest
import scipy.optimize
import scipy.stats  # noqa: F401
from cosmic_ray.commands import init
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import OPERATOR_PROVIDERS, get_operator
from cosmic_ray.work_db import WorkDB

from benchmarks.mutants_operators import OPERATORS, OWN
from benchmarks.mutants_written import WRITTEN
from benchmarks.wilson import wilson

ROOT = Path(__file__).parents[1]
JUDGE = "analysis/verdict"
MODULES = (
    *(
        f"{JUDGE}/{name}.py"
        for name in (
            "decision",
            "growth",
            "window",
            "disturbances",
            "pace",
            "forecast",
            "control",
            "resource",
            "load",
            "scope",
            "regression",
            "thresholds",
            "baseline",
        )
    ),
    f"{JUDGE}/assessment.py",
)
"""What is mutated. Where the judge lies is said here and in `mutants_written.py`, nowhere else."""
TESTS = (
    "tests/analysis/test_thresholds.py",
    "tests/analysis/test_decision.py",
    "tests/analysis/test_control.py",
    "tests/analysis/test_window.py",
    "tests/analysis/test_load.py",
    "tests/analysis/test_forecast.py",
    "tests/analysis/test_growth.py",
    "tests/analysis/test_scope.py",
    "tests/analysis/test_resource.py",
    "tests/analysis/test_baseline.py",
    "tests/analysis/test_regression.py",
    "tests/analysis/test_disturbed.py",
    "tests/analysis/test_disturbances.py",
    "tests/analysis/test_pace.py",
    "tests/analysis/test_grounds.py",
    "tests/analysis/test_verdict.py",
    "tests/analysis/test_shapes.py",
    "tests/analysis/test_assessment.py",
    "tests/tidemark/test_check.py",
    "tests/analysis/test_corpus_sample.py",
)
"""The fast tests of the judge, the fastest first. A mutant that they let through counts as a
survivor, even where a slower test would have noticed."""
OPTIONS = ("-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "--hypothesis-seed=0")
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".kafka", ".*_cache", ".hypothesis", "__pycache__", "results"
)
EVERY, AT_LEAST = 10, 12
"""One mutant of so many is drawn, but at least so many of each module."""
SEED = 27
TIMEOUT_S = 120.0
"""A mutant that runs for ever has been noticed."""
LEAST_NOTICED = 0.0
TOLD = "told.txt"
"""What pytest printed last, beside the copy."""
FAILED, INTERRUPTED = 1, 2
"""What pytest says of a test that failed, and of one that could not even be imported."""

OPERATOR_PROVIDERS["tidemark"] = OWN


@dataclass(frozen=True)
class Mutant:
    """One small fault.

    Attributes:
        path: The file, from the root of the repository.
        line: The line of the fault.
        what: The operator, or what a hand-made fault is called.
        code: The whole file with the fault in it.
    """

    path: str
    line: int
    what: str
    code: str

    @property
    def written(self) -> bool:
        """Whether the fault was written by hand."""
        return "/" not in self.what


def written() -> Iterator[Mutant]:
    """The faults that were written by hand."""
    for path, name, right, wrong in WRITTEN:
        source = (ROOT / path).read_text(encoding="utf-8")
        if source.count(right) != 1:
            sys.exit(f"{path} does not hold {right!r} once: mend mutants_written.py ({name})")
        line = source[: source.index(right)].count("\n") + 1
        yield Mutant(path, line, name, source.replace(right, wrong))


def sampled(path: str, every: int, seed: int) -> Iterator[Mutant]:
    """One of so many mutants of a module, always the same ones."""
    source = (ROOT / path).read_text(encoding="utf-8")
    lines = source.splitlines()
    places = sorted(place for place in _places(path) if lines[place[0][0] - 1][:1] != "@")
    random.Random(f"{seed} {Path(path).name}").shuffle(places)
    count = max(math.ceil(len(places) / every), AT_LEAST)
    for (line, _), operator, occurrence in sorted(places[:count]):
        code = mutate_code(source, get_operator(operator)(), occurrence)
        if code is not None:
            yield Mutant(path, line, operator, code)


def _places(path: str) -> Iterator[tuple[tuple[int, int], str, int]]:
    with tempfile.TemporaryDirectory() as folder:
        found = WorkDB(Path(folder) / "session.sqlite", WorkDB.Mode.create)
        init([ROOT / path], found, {})
        for item in found.work_items:
            (mutation,) = item.mutations
            if mutation.operator_name in OPERATORS:
                yield mutation.start_pos, mutation.operator_name, mutation.occurrence
        found.close()


_copy = Path()
"""The copy of the tree of this worker."""


def _make_copy(scratch: str) -> None:
    global _copy  # noqa: PLW0603
    _copy = Path(tempfile.mkdtemp(dir=scratch)) / "tree"
    shutil.copytree(ROOT, _copy, symlinks=True, ignore=LEFT_OUT)


def complaint() -> str:
    """What the tests say that fail in the copy as it is; nothing when all pass, as they must."""
    if not _fails():
        return ""
    return (_copy.parent / TOLD).read_text(encoding="utf-8", errors="replace")


def noticed_by(mutant: Mutant) -> str:
    """The first test that fails with a mutant in the copy; nothing if none does."""
    path = _copy / mutant.path
    right = path.read_text(encoding="utf-8")
    try:
        path.write_text(mutant.code, encoding="utf-8")
        return _first_failure() if _fails() else ""
    finally:
        path.write_text(right, encoding="utf-8")


def _first_failure() -> str:
    told = (_copy.parent / TOLD).read_text(encoding="utf-8", errors="replace")
    lines = (line.split() for line in told.splitlines())
    return next((words[1] for words in lines if words[:1] in (["FAILED"], ["ERROR"])), "time")


def _fails() -> bool:
    tests = multiprocessing.get_context("fork").Process(target=_test)
    tests.start()
    tests.join(TIMEOUT_S)
    if tests.is_alive():
        tests.kill()
        tests.join()
        return True
    if tests.exitcode not in {0, FAILED, INTERRUPTED}:
        told = (_copy.parent / TOLD).read_text(encoding="utf-8", errors="replace")
        raise RuntimeError(f"pytest ended with {tests.exitcode}\n{told}")
    return tests.exitcode != 0


def _test() -> None:
    os.chdir(_copy)
    sys.path[0] = str(_copy)
    sys.dont_write_bytecode = True
    told = os.open(_copy.parent / TOLD, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(told, 1)
    os.dup2(told, 2)
    code = pytest.main([*OPTIONS, *TESTS])
    loaded = [getattr(module, "__file__", None) or "" for module in sys.modules.values()]
    judge = [file for file in loaded if f"/{JUDGE}/" in file and "site-packages" not in file]
    strangers = [file for file in judge if not Path(file).resolve().is_relative_to(_copy)]
    os._exit(99 if strangers else int(code))


def watched(judged: Iterator[tuple[Mutant, str]], count: int) -> list[tuple[Mutant, bool]]:
    """Whether each mutant was noticed; those that were not are printed as they come."""
    found = []
    for number, (mutant, test) in enumerate(judged, start=1):
        found.append((mutant, bool(test)))
        place = f"[{number}/{count}] {mutant.path}:{mutant.line} {mutant.what}"
        if not test:
            print(f"{place}: survived\n{_difference(mutant)}", flush=True)
        elif mutant.written:
            print(f"{place}: noticed by {test}", flush=True)
    return found


def report(judged: list[tuple[Mutant, bool]]) -> bool:
    """Print the figures; return whether enough was noticed."""
    by_hand = [(mutant, noticed) for mutant, noticed in judged if mutant.written]
    drawn = [(mutant, noticed) for mutant, noticed in judged if not mutant.written]
    print(f"\n{'module':32} {'mutants':>8} {'survived':>9} {'share':>8}")
    for path in dict.fromkeys(mutant.path for mutant, _ in drawn):
        _print_row(path, [noticed for mutant, noticed in drawn if mutant.path == path])
    _print_row("all", [noticed for _, noticed in drawn])
    _print_row("written by hand", [noticed for _, noticed in by_hand])
    share = sum(noticed for _, noticed in drawn) / max(len(drawn), 1)
    return all(noticed for _, noticed in by_hand) and share >= LEAST_NOTICED


def _print_row(name: str, noticed: list[bool]) -> None:
    survived = len(noticed) - sum(noticed)
    low, high = wilson(survived, len(noticed))
    share = survived / len(noticed) if noticed else 0.0
    print(f"{name:32} {len(noticed):8} {survived:9} {share:8.1%}  [{low:.1%}, {high:.1%}]")


def _difference(mutant: Mutant) -> str:
    right = (ROOT / mutant.path).read_text(encoding="utf-8").splitlines()
    lines = difflib.unified_diff(right, mutant.code.splitlines(), n=0, lineterm="")
    return "\n".join(f"  {line}" for line in list(lines)[3:])


def main() -> int:
    """Run the benchmark; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=EVERY, help="one mutant of so many")
    parser.add_argument("--written", action="store_true", help="only what was written by hand")
    parser.add_argument("--module", action="append", help="a module alone; repeatable")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    modules = [m for m in MODULES if not options.module or Path(m).stem in options.module]
    mutants = [mutant for mutant in written() if mutant.path in modules or not options.module]
    for path in [] if options.written else modules:
        mutants += sampled(path, options.every, options.seed)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch, _pool(options.jobs, scratch) as pool:
        if said := pool.submit(complaint).result():
            sys.exit(f"{said}\nthe tests fail without any mutant")
        alone = time.monotonic() - begun
        tests = pool.map(noticed_by, mutants)
        judged = watched(zip(mutants, tests, strict=True), len(mutants))
    good = report(judged)
    took = time.monotonic() - begun
    print(
        f"\n1 of {options.every} mutants, at least {AT_LEAST} of each module, seed {options.seed}: "
        f"{took / 60:.0f} min; the tests alone take {alone:.0f} s"
    )
    return 0 if good else 1


def _pool(jobs: int, scratch: str) -> ProcessPoolExecutor:
    context: Any = multiprocessing.get_context("fork")
    return ProcessPoolExecutor(jobs, context, _make_copy, (scratch,))


if __name__ == "__main__":
    sys.exit(main())
