"""The load generator beside a bare FastHttpUser, vegeta and k6, against the same fast server.

    python -m benchmarks.load                               # what the README has: some 20 minutes
    python -m benchmarks.load --seconds 5 --rates 500 --repeats 1
    python -m benchmarks.load --only tidemark,FastHttpUser

Interleaved: each round has every generator once at every rate, so that all of them share the
machine's moods. Medians over the rounds. Ends with 1 where the product's CPU time per request is
more than 1.3 times that of the bare FastHttpUser.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from benchmarks.load.generators import GENERATORS, Bare, Generator, Product
from benchmarks.load.tools import built
from benchmarks.load.trial import Trial, attempt

MOST_TIMES_BARE = 1.3
Cell = tuple[int, int, str]
"""A rate, a number of processes, and the name of a generator."""


def rounds(asked: argparse.Namespace, generators: Sequence[Generator]) -> dict[Cell, list[Trial]]:
    """Measure everything, so many times."""
    programs = built()
    trials: dict[Cell, list[Trial]] = defaultdict(list)
    for number in range(1, asked.repeats + 1):
        for rate in asked.rates:
            for processes in asked.processes:
                for generator in generators:
                    if not generator.takes(processes):
                        continue
                    trial = attempt(generator, rate, processes, asked.seconds, programs)
                    trials[rate, processes, generator.name].append(trial)
                    _tell(f"round {number}: {_line((rate, processes, generator.name), [trial])}")
    return trials


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _line(cell: Cell, trials: Sequence[Trial]) -> str:
    rate, processes, name = cell
    cpu, sent = _median(one.cpu_ms for one in trials), _median(one.sent for one in trials)
    return f"{name} at {rate:,}/s, {processes}: {_shown(cpu)} ms of CPU, {sent:.1%} sent"


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _shown(value: float | None) -> str:
    """Three digits of it."""
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}".rstrip(".")


COLUMNS: tuple[tuple[str, Callable[[Trial], float | None]], ...] = (
    ("late p50", lambda one: one.said.late_p50_ms),
    ("late p99", lambda one: one.said.late_p99_ms),
    ("latency p50", lambda one: one.said.p50_ms),
    ("latency p99", lambda one: one.said.p99_ms),
)


def table(trials: dict[Cell, list[Trial]]) -> list[str]:
    """The figures as a table of Markdown, medians, milliseconds."""
    titles = ["rate", "processes", "generator", "CPU a request", "times bare", "sent"]
    titles += [title for title, _ in COLUMNS]
    lines = [_row(titles), _row(["--:", "--:", "---", *["--:"] * (len(titles) - 3)])]
    for cell, of_cell in trials.items():
        rate, processes, name = cell
        cpu, sent = _median(one.cpu_ms for one in of_cell), _median(one.sent for one in of_cell)
        times = times_bare(trials, cell)
        cells = [f"{rate:,}/s", str(processes), name, _shown(cpu)]
        cells += ["-" if times is None else f"{times:.2f}", f"{100 * (sent or 0):.1f} %"]
        cells += [_shown(_median(map(read, of_cell))) for _, read in COLUMNS]
        lines.append(_row(cells))
    return lines


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def times_bare(trials: dict[Cell, list[Trial]], cell: Cell) -> float | None:
    """How many times the CPU time of the bare user, as the median over the rounds."""
    bare = trials.get((*cell[:2], Bare.name), [])
    pairs = zip(trials[cell], bare, strict=False)
    return _median(own.cpu_ms / other.cpu_ms for own, other in pairs)


def missed(trials: dict[Cell, list[Trial]]) -> list[str]:
    """Where the bar is missed, a line each."""
    found = []
    for cell in trials:
        times = times_bare(trials, cell)
        if cell[2] == Product.name and times is not None and times > MOST_TIMES_BARE:
            found.append(
                f"{cell[0]:,}/s, {cell[1]} processes: {times:.2f} times the bare user's CPU time, "
                f"at most {MOST_TIMES_BARE:g} were wanted"
            )
    return found


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",")]


def _names(text: str) -> list[Generator]:
    by_name = {one.name: one for one in GENERATORS}
    if unknown := set(text.split(",")) - by_name.keys():
        raise argparse.ArgumentTypeError(f"{min(unknown)} is none of {', '.join(by_name)}")
    return [by_name[name] for name in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rates", type=_numbers, default=[500, 2000, 5000])
    parser.add_argument("--processes", type=_numbers, default=[1, 2])
    parser.add_argument("--seconds", type=float, default=10.0, help="that are measured of each")
    parser.add_argument("--repeats", type=int, default=3, help="rounds")
    parser.add_argument("--only", type=_names, default=list(GENERATORS), metavar="NAME,...")
    asked = parser.parse_args(arguments)
    load_before = os.getloadavg()[0]
    trials = rounds(asked, asked.only)
    print(f"{platform.system()} {platform.release()}, {os.cpu_count()} CPUs, CPython ", end="")
    print(f"{platform.python_version()}, load {load_before:.1f} before; medians of {asked.repeats}")
    print("rounds, milliseconds")
    print("\n".join(["", *table(trials), "", *missed(trials)]))
    return 1 if missed(trials) else 0


if __name__ == "__main__":
    sys.exit(main())
