"""Precision and recall of the verdict on a labelled corpus, beside plain detectors.

    python -m benchmarks.verdict                  # the test part, the figures that count
    python -m benchmarks.verdict --development    # the part the method was developed on
    python -m benchmarks.verdict --wrong          # and show every wrong answer

The test part is made of shapes and parameters that were not used while developing.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from benchmarks import corpus_development, corpus_test, detection
from benchmarks.corpus import Maker
from benchmarks.naive import DETECTORS, series
from benchmarks.wilson import wilson
from tidemark.analysis.verdict.judge import judge

METHOD = "tidemark"
PRECISION_BAR, RECALL_BAR, FALSE_ALARM_BAR, INCONCLUSIVE_BAR = 0.98, 0.95, 0.01, 0.05
LEAKS_WANTED, CLEAN_WANTED = 150, 300


@dataclass(frozen=True)
class Answer:
    """What each detector said about one series."""

    shape: str
    label: str
    informative: bool
    answers: dict[str, str]
    reason: str
    parameters: str


def answer(task: tuple[str, int, int, int]) -> Answer:
    """Make one series and ask every detector."""
    part, maker, seed, number = task
    case = _makers(_part(part))[maker](np.random.default_rng([seed, maker, number]))
    found = judge(case.run).resources[case.resource]
    at, value = series(case.run, case.resource)
    answers: dict[str, str] = {METHOD: found.verdict}
    answers |= {
        name: "leak" if detector(at, value) else "clean" for name, detector in DETECTORS.items()
    }
    return Answer(
        case.shape, case.label, case.informative, answers, found.reason, str(case.parameters)
    )


def _part(name: str) -> ModuleType:
    return corpus_development if name == "development" else corpus_test


def _makers(part: ModuleType) -> list[Maker]:
    return [*part.LEAKS, *part.CLEAN, *part.UNDECIDED]


def tasks(
    part: str, seed: int, per_leak: int, per_clean: int
) -> Iterator[tuple[str, int, int, int]]:
    """One task for each series."""
    module = _part(part)
    for maker in range(len(_makers(module))):
        count = per_leak if maker < len(module.LEAKS) else per_clean
        for number in range(count):
            yield part, maker, seed, number


@dataclass(frozen=True)
class Score:
    """The figures of one detector on the series that hold enough information."""

    true_leaks: int
    leaks: int
    false_alarms: int
    not_leaks: int
    inconclusive: int

    @property
    def figures(self) -> dict[str, tuple[int, int]]:
        """Each figure as a share: so many of so many."""
        return {
            "precision": (self.true_leaks, self.true_leaks + self.false_alarms),
            "recall": (self.true_leaks, self.leaks),
            "false alarms": (self.false_alarms, self.not_leaks),
            "inconclusive": (self.inconclusive, self.leaks + self.not_leaks),
        }

    @property
    def passes(self) -> bool:
        """Whether all bars are met."""
        share = {name: a / b if b else 0.0 for name, (a, b) in self.figures.items()}
        return (
            share["precision"] >= PRECISION_BAR
            and share["recall"] >= RECALL_BAR
            and share["false alarms"] <= FALSE_ALARM_BAR
            and share["inconclusive"] <= INCONCLUSIVE_BAR
        )


def score(answers: list[Answer], detector: str) -> Score:
    """Score a detector on the series that can be told."""
    told = [a for a in answers if a.informative and a.label != "undecided"]
    leaks = [a for a in told if a.label == "leak"]
    clean = [a for a in told if a.label == "clean"]
    return Score(
        sum(a.answers[detector] == "leak" for a in leaks),
        len(leaks),
        sum(a.answers[detector] == "leak" for a in clean),
        len(clean),
        sum(a.answers[detector] == "inconclusive" for a in told),
    )


def report(answers: list[Answer], *, wrong: bool) -> bool:
    """Print the figures; return whether the method meets the bars and every other one fails."""
    _print_shapes(answers)
    scores = {name: score(answers, name) for name in (METHOD, *DETECTORS)}
    told = scores[METHOD]
    print(f"\n{told.leaks} leaks and {told.not_leaks} clean series that hold enough information")
    for name, found in scores.items():
        print(f"\n{name}: {'meets the bars' if found.passes else 'FAILS'}")
        for figure, (part, whole) in found.figures.items():
            low, high = wilson(part, whole)
            share = part / whole if whole else 0.0
            print(f"  {figure:13} {share:6.1%}  [{low:6.1%}, {high:6.1%}]  {part}/{whole}")
    if wrong:
        _print_wrong(answers)
    others = [found for name, found in scores.items() if name != METHOD]
    enough = told.leaks >= LEAKS_WANTED and told.not_leaks >= CLEAN_WANTED
    return enough and told.passes and not any(found.passes for found in others)


def _print_shapes(answers: list[Answer]) -> None:
    print(
        f"{'shape':28} {'series':>6} {'leak':>5} {'clean':>5} {'inconcl.':>8}   too little to tell"
    )
    for shape in dict.fromkeys(a.shape for a in answers):
        here = [a for a in answers if a.shape == shape]
        told = Counter(a.answers[METHOD] for a in here if a.informative)
        rest = Counter(a.answers[METHOD] for a in here if not a.informative)
        print(
            f"{shape:28} {len(here):6} {told['leak']:5} {told['clean']:5} {told['inconclusive']:8}"
            f"   {', '.join(f'{n} {k}' for k, n in sorted(rest.items()))}"
        )


def _print_wrong(answers: list[Answer]) -> None:
    right = {"undecided": "inconclusive"}
    for a in answers:
        if a.informative and a.answers[METHOD] != right.get(a.label, a.label):
            print(f"\n{a.shape} ({a.label}): {a.answers[METHOD]}: {a.reason}\n  {a.parameters}")


def main() -> int:
    """Run the benchmark; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--development", action="store_true", help="use the development part")
    parser.add_argument("--wrong", action="store_true", help="show every wrong answer")
    parser.add_argument("--seed", type=int, default=4711)
    parser.add_argument("--per-leak", type=int, default=24, help="series per shape of a leak")
    parser.add_argument("--per-clean", type=int, default=32, help="series per clean shape")
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    part = "development" if options.development else "test"
    begun = time.monotonic()
    todo = list(tasks(part, options.seed, options.per_leak, options.per_clean))
    with ProcessPoolExecutor(options.jobs) as pool:
        answers = list(pool.map(answer, todo, chunksize=4))
    took = time.monotonic() - begun
    print(f"{part} part, seed {options.seed}: {len(answers)} series, {took:.0f} s\n")
    good = report(answers, wrong=options.wrong)
    return 0 if detection.report() and good else 1


if __name__ == "__main__":
    sys.exit(main())
