"""The verdict on memory, counted over recorded runs of real services, beside plain methods.

    python -m benchmarks.memory.table --half judged             # packed: the figures that count
    python -m benchmarks.memory.table --half development        # what the method was developed on
    python -m benchmarks.memory.table --half judged --runs DIR  # run directories in place of those
    ... --csv FILE                                              # and a row for each run
    ... --wrong                                                 # and every wrong answer

Every run is judged alone first, then with a clean run of the same service as its control, where
there is one. Ends with 1 if a bar is missed by those that were judged alone.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

from benchmarks.memory.answers import NAIVE, Answer, answer
from benchmarks.memory.plan import Recording
from benchmarks.memory.recorded import Recorded, recordings
from benchmarks.memory.services import HALVES, RUNTIMES
from benchmarks.wilson import wilson

FALSE_ALARM_BAR, FOUND_BAR, CALLED_CLEAN_BAR, TRUE_BAR = 0.01, 0.90, 0.05, 0.95
CLEAN_WANTED = 150
"""So many clean runs bear out that false alarms are rare."""
TIMES_CLEAN_GROWTH = 3.0
LEAST_CLEAN_GROWTH_BYTES = 65_536.0
"""A leak has to be found that grows so many times as much as the clean service does, or as this."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A share that is counted: so many of so many.

    Attributes:
        what: What is counted.
        part: How many.
        whole: Of how many.
        bar: What the share has to reach, or to stay below; None where it is only told.
        at_most: Whether it is to stay below.
        wanted: Of how many it has to be at least.
    """

    what: str
    part: int
    whole: int
    bar: float | None = None
    at_most: bool = False
    wanted: int = 1

    @property
    def is_met(self) -> bool:
        """Whether the bar is; a share of nothing meets none."""
        if self.bar is None:
            return True
        if self.whole < self.wanted:
            return False
        share = self.part / self.whole
        return share <= self.bar if self.at_most else share >= self.bar

    def __str__(self) -> str:
        low, high = wilson(self.part, self.whole)
        share = f"{self.part / self.whole:6.1%}" if self.whole else "     -"
        text = f"{self.what:58} {share}  [{low:6.1%}, {high:6.1%}]  {self.part}/{self.whole}"
        if self.bar is None:
            return text
        verb = "met" if self.is_met else "MISSED"
        return f"{text}  {'at most' if self.at_most else 'at least'} {self.bar:.0%}: {verb}"


# -- counting --------------------------------------------------------------------------------------


CleanGrowth = Mapping[tuple[str, int, int], float]
"""Service, rate and duration -> bytes that it grows by while nothing leaks."""


def clean_growth(answers: Iterable[Answer]) -> CleanGrowth:
    """What each service grows by while nothing leaks: the median of its clean runs."""
    grown: dict[tuple[str, int, int], list[float]] = {}
    for one in answers:
        if one.recording.is_clean:
            grown.setdefault(_alike(one.recording), []).append(one.grown_bytes)
    return {key: statistics.median(values) for key, values in grown.items()}


def _alike(recording: Recording) -> tuple[str, int, int]:
    return recording.service, recording.rate, recording.duration_s


def plain_leaks(
    answers: Sequence[Answer],
    usual: CleanGrowth | None = None,
    bytes_of: Callable[[Answer], float] = attrgetter("injected_bytes"),
) -> list[Answer]:
    """The leaks that stand out: they have to be found.

    One whose service was not recorded clean at its rate and duration is not among them.

    Args:
        answers: What was said about each run.
        usual: What the services grow by when clean; by default, told from the answers.
        bytes_of: What stands out: by default what was left behind, else what the run grew by.
    """
    usual = clean_growth(answers) if usual is None else usual
    return [
        one
        for one in answers
        if not one.recording.is_clean
        and _alike(one.recording) in usual
        and bytes_of(one)
        >= TIMES_CLEAN_GROWTH * max(usual[_alike(one.recording)], LEAST_CLEAN_GROWTH_BYTES)
    ]


def shown_leaks(answers: Sequence[Answer], usual: CleanGrowth | None = None) -> list[Answer]:
    """The leaks of which the run grew by so much: what was left behind may not show in memory."""
    return plain_leaks(answers, usual, attrgetter("grown_bytes"))


def figures(answers: Sequence[Answer], clean_wanted: int = CLEAN_WANTED) -> list[Figure]:
    """What the verdict is measured by.

    Args:
        answers: What was said about each run.
        clean_wanted: How many clean runs it takes at least.
    """
    clean, leaks = _told_apart(answers)
    plain, shown = plain_leaks(answers), shown_leaks(answers)
    excluded = [one for one in answers if one.verdict == "clean"]
    leaking = [one for one in excluded if not one.recording.is_clean]
    return [
        Figure(
            "false alarms, of clean runs", _count(clean, "leak"), len(clean),
            FALSE_ALARM_BAR, at_most=True, wanted=clean_wanted,
        ),
        Figure("cannot tell, of clean runs", _count(clean, "inconclusive"), len(clean)),
        Figure("found, of all leaks", _count(leaks, "leak"), len(leaks)),
        Figure("called clean, of all leaks", _count(leaks, "clean"), len(leaks)),
        Figure("found, of plain leaks", _count(plain, "leak"), len(plain), FOUND_BAR),
        Figure(
            "called clean, of plain leaks", _count(plain, "clean"), len(plain),
            CALLED_CLEAN_BAR, at_most=True,
        ),
        Figure("found, of leaks that grew as much", _count(shown, "leak"), len(shown)),
        Figure("called clean, of leaks that grew as much", _count(shown, "clean"), len(shown)),
        Figure("excluded growth was not there, of all called clean", *_true(excluded), TRUE_BAR),
        Figure("excluded growth was not there, of leaks called clean", *_true(leaking)),
    ]  # fmt: skip


def control_figures(answers: Sequence[Answer], usual: CleanGrowth) -> list[Figure]:
    """The same of runs that were judged with a control; no bar is set for these.

    Args:
        answers: What was said about each run that has one.
        usual: What the services grow by when clean, told from all runs.
    """
    clean, leaks = _told_apart(answers)
    plain, shown = plain_leaks(answers, usual), shown_leaks(answers, usual)
    excluded = [one for one in answers if one.verdict == "clean"]
    return [
        Figure(f"with a control: {what}", *counted)
        for what, counted in (
            ("false alarms, of clean runs", (_count(clean, "leak"), len(clean))),
            ("cannot tell, of clean runs", (_count(clean, "inconclusive"), len(clean))),
            ("found, of all leaks", (_count(leaks, "leak"), len(leaks))),
            ("found, of plain leaks", (_count(plain, "leak"), len(plain))),
            ("called clean, of plain leaks", (_count(plain, "clean"), len(plain))),
            ("found, of leaks that grew as much", (_count(shown, "leak"), len(shown))),
            ("called clean, of leaks that grew as much", (_count(shown, "clean"), len(shown))),
            ("excluded growth was not there", _true(excluded)),
        )
    ]


def naive_figures(answers: Sequence[Answer]) -> list[Figure]:
    """The same of the plain methods."""
    clean, leaks = _told_apart(answers)
    plain = plain_leaks(answers)
    return [
        Figure(f"{name}: {what}", sum(one.naive[name] for one in of), len(of))
        for name in NAIVE
        for what, of in (("false alarms", clean), ("found", leaks), ("plain ones", plain))
    ]


def _told_apart(answers: Iterable[Answer]) -> tuple[list[Answer], list[Answer]]:
    """The clean ones and the leaks."""
    clean: list[Answer] = []
    leaks: list[Answer] = []
    for one in answers:
        (clean if one.recording.is_clean else leaks).append(one)
    return clean, leaks


def _count(answers: Iterable[Answer], verdict: str) -> int:
    return sum(one.verdict == verdict for one in answers)


def _true(answers: Sequence[Answer]) -> tuple[int, int]:
    return sum(one.is_true_to_its_word for one in answers), len(answers)


# -- report ----------------------------------------------------------------------------------------

_MARKS = tuple(name.split(",")[0] for name in NAIVE)


def report(answers: Sequence[Answer], clean_wanted: int = CLEAN_WANTED) -> bool:
    """Print the tables; return whether every bar is met."""
    _print_counts(answers)
    print(
        f"\nplain leaks grow by {TIMES_CLEAN_GROWTH:g} times what the same service grows by when "
        f"clean, or more, and by {TIMES_CLEAN_GROWTH * LEAST_CLEAN_GROWTH_BYTES / 1024:g} KiB"
    )
    _print_plain(plain_leaks(answers))
    print("\nshares with their 95 % intervals")
    told = figures(answers, clean_wanted)
    _print_figures((*told, *naive_figures(answers)))
    return all(figure.is_met for figure in told)


def report_beside(beside: Sequence[Answer], answers: Sequence[Answer]) -> None:
    """Print what is said of those runs that have a clean run of the same service as control.

    Args:
        beside: What was said of them with it.
        answers: What was said of all runs, each alone.
    """
    print("\njudged with a clean run of the same service, rate and duration as control")
    _print_plain(plain_leaks(beside, clean_growth(answers)))
    _print_figures(control_figures(beside, clean_growth(answers)))


def _print_figures(figures: Iterable[Figure]) -> None:
    for figure in figures:
        print(f"  {figure}")


def _print_counts(answers: Sequence[Answer]) -> None:
    print("called leak, clean, cannot tell; and called leak by plain methods\n")
    naive = "".join(f"  {mark[:17]:>17}" for mark in _MARKS)
    print(
        f"{'':16} {'':>5}   {'clean runs':^25}   {'leaks':^25}   false alarms and found by\n"
        f"{'runtime':16} {'s':>5}   {_HEAD}   {_HEAD} {naive}"
    )
    for name, here in _groups(answers):
        clean, leaks = _told_apart(here)
        by_naive = "".join(
            f"  {sum(a.naive[one] for a in clean):8} {sum(a.naive[one] for a in leaks):8}"
            for one in NAIVE
        )
        print(f"{name}   {_counts(clean)}   {_counts(leaks)} {by_naive}")


_HEAD = f"{'n':>5} {'leak':>5} {'clean':>6} {'?':>6}"


def _counts(answers: Sequence[Answer]) -> str:
    leak, clean, unsure = (_count(answers, said) for said in ("leak", "clean", "inconclusive"))
    return f"{len(answers):5} {leak:5} {clean:6} {unsure:6}"


def _groups(answers: Sequence[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    """The answers by runtime and duration, then by duration, then all."""
    durations = sorted({one.recording.duration_s for one in answers})
    for runtime in (*RUNTIMES, ""):
        for duration_s in durations:
            here = [
                one
                for one in answers
                if runtime in {"", one.runtime} and one.recording.duration_s == duration_s
            ]
            if here:
                yield f"{runtime or 'all':16} {duration_s:5}", here
    yield f"{'all':16} {'':5}", list(answers)


def _print_plain(plain: Sequence[Answer]) -> None:
    print(f"{'leak':16} {'s':>5}   {_HEAD}")
    keys = sorted({(one.recording.leak, one.recording.duration_s) for one in plain})
    for leak, duration_s in keys:
        alike = (leak, duration_s)
        here = [o for o in plain if (o.recording.leak, o.recording.duration_s) == alike]
        print(f"{leak:16} {duration_s:5}   {_counts(here)}")


def print_wrong(answers: Sequence[Answer]) -> None:
    """Print every answer that a bar counts against the verdict."""
    plain = {one.recording.name for one in plain_leaks(answers)}
    for one in answers:
        why = _wrong(one, is_plain=one.recording.name in plain)
        if why:
            grown = f"grew by {one.grown_bytes / 1024:,.0f} KiB"
            print(
                f"\n{one.recording.name} ({one.runtime}): {why}: {one.reason}\n"
                f"  {grown}, {one.injected_bytes / 1024:,.0f} KiB of it injected"
            )


def _wrong(one: Answer, *, is_plain: bool) -> str:
    if one.recording.is_clean and one.verdict == "leak":
        return "a false alarm"
    if is_plain and one.verdict != "leak":
        return f"a plain leak is called {one.verdict}"
    if one.verdict == "clean" and not one.is_true_to_its_word:
        return "it excludes growth that is there"
    return ""


def _row(one: Answer) -> dict[str, object]:
    recording = one.recording
    return {
        "service": recording.service,
        "runtime": one.runtime,
        "half": one.half,
        "rate": recording.rate,
        "duration_s": recording.duration_s,
        "leak": recording.leak,
        "seed": recording.seed,
        "injected_per_request": one.injected_per_request,
        "requests": one.requests,
        "verdict": one.verdict,
        "per_request": one.per_request,
        "per_request_low": one.low,
        "per_request_high": one.high,
        "excluded_per_request": one.excluded_per_request,
        "rss_growth_bytes": one.grown_bytes,
        **one.naive,
        "reason": one.reason,
    }


def write_csv(path: Path, answers: Iterable[Answer]) -> None:
    """Write a row for each run."""
    made = [_row(one) for one in answers]
    with path.open("w", newline="") as file:
        rows = csv.DictWriter(file, made[0] if made else [], lineterminator="\n")
        rows.writeheader()
        rows.writerows(made)


# -- control runs ----------------------------------------------------------------------------------


def controls(found: Sequence[Recorded]) -> dict[str, Recorded]:
    """Recording -> a clean run of the same service, rate and duration that is another run.

    One of another seed, where there is one; recordings without any are left out.
    """
    clean: dict[tuple[str, int, int], list[Recorded]] = {}
    for one in found:
        if one.recording.is_clean:
            clean.setdefault(_alike(one.recording), []).append(one)
    chosen = {}
    for one in found:
        others = [c for c in clean.get(_alike(one.recording), []) if c.path != one.path]
        if others:
            other = min(others, key=lambda c: (c.recording.seed == one.recording.seed, c.path.name))
            chosen[one.recording.name] = other
    return chosen


# -- command ---------------------------------------------------------------------------------------


def answers_on(found: Sequence[Recorded], jobs: int) -> list[Answer]:
    """Judge recordings, several at once."""
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(answer, found, chunksize=8))


def answers_beside(found: Sequence[Recorded], jobs: int) -> list[Answer]:
    """Judge those recordings that have a control with it."""
    beside = controls(found)
    pairs = [(one, beside.get(one.recording.name)) for one in found]
    with ProcessPoolExecutor(jobs) as pool:
        known = [(one, control) for one, control in pairs if control is not None]
        return list(pool.map(answer, *zip(*known, strict=True), chunksize=8)) if known else []


def main() -> int:
    """Judge a half; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--half", choices=HALVES, default="judged")
    parser.add_argument("--runs", type=Path, help="folder of run directories, not the archives")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--csv", type=Path, help="write a row for each run")
    parser.add_argument("--wrong", action="store_true", help="show every wrong answer")
    options = parser.parse_args()
    with recordings(options.half, options.runs) as found:
        begun = time.monotonic()
        answers = answers_on(found, options.jobs)
        beside = answers_beside(found, options.jobs)
        took = time.monotonic() - begun
    print(f"{options.half} half: {len(answers)} runs, judged in {took:.0f} s\n")
    if options.csv:
        write_csv(options.csv, answers)
    good = report(answers)
    report_beside(beside, answers)
    if options.wrong:
        print_wrong(answers)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
