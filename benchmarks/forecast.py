"""Real deaths of `per-request-leaked`, forecast from the first quarter of the life.

    python -m benchmarks.forecast                 # run every life, then judge the forecasts
    python -m benchmarks.forecast --runs DIR      # judge the lives that lie in DIR already

The runs are kept in `results/bench-forecast` (or where --runs says) and are judged exactly as
`tidemark report` judges them: what is compared is `forecast_check` of the verdict on descriptors.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.wilson import wilson
from tidemark.analysis.run import Run, load_run
from tidemark.analysis.verdict.judge import judge
from tidemark.analysis.verdict.model import ForecastCheck
from tidemark.record.events import Emfile
from tidemark.record.layout import RUN_JSON

LOCUSTFILE = Path(__file__).parent.parent / "locustfiles" / "ingest.py"
FDS_PER_REQUEST = 8.0
"""What a leaked producer costs, roughly: enough to know how long a life may last."""
MEDIAN_BAR, LATE_BAR = 0.05, 0.15
COVERAGE_BARS = (0.85, 0.97)


@dataclass(frozen=True)
class Life:
    """One life: how it is loaded and what it may open."""

    fds_limit: int
    rate: float
    batch_size: int = 10
    workers: int = 1
    ramp_s: float = 0.0
    seed: int = 1

    @property
    def name(self) -> str:
        """Name of the run directory."""
        return (
            f"limit{self.fds_limit}-rate{self.rate:g}-batch{self.batch_size}"
            f"-workers{self.workers}-ramp{self.ramp_s:g}-seed{self.seed}"
        )

    @property
    def interval_s(self) -> float:
        """Seconds between samples: short lives need more of them."""
        return 0.1 if self.fds_limit < 512 else 0.2

    @property
    def longest_s(self) -> float:
        """Seconds after which a life that has not ended is given up."""
        requests = self.fds_limit / FDS_PER_REQUEST * self.workers
        return 2.0 * requests / self.rate + 2.0 * self.ramp_s + 20.0


LIVES = (
    *(Life(256, rate, seed=seed) for seed, rate in enumerate((2.0, 3.0, 4.0, 5.0), start=111)),
    Life(256, 3.0, batch_size=1, seed=121),
    Life(256, 3.0, batch_size=100, seed=122),
    Life(256, 4.0, workers=2, seed=123),
    Life(256, 6.0, workers=3, seed=124),
    Life(256, 5.0, ramp_s=6.0, seed=125),
    Life(256, 4.0, ramp_s=10.0, seed=126),
    *(Life(1024, rate, seed=seed) for seed, rate in enumerate((4.0, 6.0, 8.0, 10.0), start=131)),
    Life(1024, 8.0, batch_size=1, seed=141),
    Life(1024, 8.0, batch_size=100, seed=142),
    Life(1024, 10.0, batch_size=50, seed=143),
    Life(1024, 10.0, workers=2, seed=144),
    Life(1024, 14.0, workers=2, seed=145),
    Life(1024, 16.0, workers=4, seed=146),
    Life(1024, 10.0, ramp_s=10.0, seed=147),
    Life(1024, 8.0, ramp_s=20.0, seed=148),
    Life(1024, 12.0, workers=2, ramp_s=15.0, seed=149),
    *(Life(4096, rate, seed=seed) for seed, rate in enumerate((10.0, 14.0, 18.0), start=151)),
    Life(4096, 12.0, batch_size=1, seed=161),
    Life(4096, 12.0, batch_size=100, seed=162),
    Life(4096, 18.0, workers=2, seed=163),
    Life(4096, 14.0, ramp_s=20.0, seed=164),
    Life(4096, 16.0, ramp_s=30.0, seed=165),
    Life(4096, 16.0, workers=2, ramp_s=30.0, seed=166),
    Life(512, 6.0, seed=171),
    Life(2048, 10.0, batch_size=25, seed=172),
)


def record(life: Life, folder: Path) -> Path:
    """Let one life be lived; a run that is there already is kept."""
    path = folder / life.name
    if (path / RUN_JSON).exists():
        return path
    command = [
        sys.executable, "-m", "locust", f"--locustfile={LOCUSTFILE}", "--headless",
        "--only-summary", "--users=1", "--spawn-rate=1", f"--run-time={life.longest_s:.0f}s",
        "--strategy=per-request-leaked", f"--fds-limit={life.fds_limit}", f"--rate={life.rate}",
        f"--batch-size={life.batch_size}", f"--workers={life.workers}", f"--ramp={life.ramp_s}",
        f"--seed={life.seed}", f"--interval={life.interval_s}", "--plateau=1",
        "--request-timeout=3", f"--results={folder}", f"--run-name={life.name}",
        "--no-report",
    ]  # fmt: skip
    subprocess.run(command, capture_output=True, check=False, timeout=life.longest_s + 120)
    return path


def check(run: Run) -> ForecastCheck | None:
    """The early forecast of a run that has died; None without one."""
    found = judge(run).resources["fds"].forecast_check
    return found if found is not None and found.subject == "exhaustion" else None


def judge_runs(paths: list[Path]) -> bool:
    """Print the forecasts of the runs and whether the bars are met."""
    found: list[ForecastCheck] = []
    deaths = 0
    for path in paths:
        run = load_run(path)
        if run.first(Emfile) is None:
            print(f"{path.name:48} did not die")
            continue
        deaths += 1
        early = check(run)
        if early is None:
            print(f"{path.name:48} no forecast from its first quarter")
            continue
        found.append(early)
        inside = "covered" if early.covered else "MISSED"
        print(
            f"{path.name:48} died after {early.actual:6.0f}, forecast {early.predicted:7.0f}"
            f" [{early.interval.low:6.0f}, {early.interval.high:7.0f}]"
            f" {early.relative_error:+7.1%} {inside}"
        )
    return _summary(found, deaths)


def _summary(found: list[ForecastCheck], deaths: int) -> bool:
    if not found:
        print("no forecast could be checked")
        return False
    errors = np.abs([early.relative_error for early in found])
    covered = sum(early.covered for early in found)
    median, late = float(np.median(errors)), float(np.quantile(errors, 0.9))
    low, high = wilson(covered, len(found))
    share = covered / len(found)
    print(f"\n{deaths} deaths, {len(found)} forecast from the first quarter of their requests")
    print(f"median error {median:.1%} (bar {MEDIAN_BAR:.0%}), 90th percentile {late:.1%}", end=" ")
    print(f"(bar {LATE_BAR:.0%})")
    print(
        f"90 % interval covers {covered}/{len(found)} = {share:.1%} [{low:.1%}, {high:.1%}]",
        end=" ",
    )
    print(f"(bar {COVERAGE_BARS[0]:.0%} to {COVERAGE_BARS[1]:.0%})")
    return (
        len(found) >= 30
        and median <= MEDIAN_BAR
        and late <= LATE_BAR
        and COVERAGE_BARS[0] <= share <= COVERAGE_BARS[1]
    )


def main() -> int:
    """Run the benchmark; the exit code says whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("results/bench-forecast"))
    parser.add_argument("--only-judge", action="store_true", help="run nothing")
    options = parser.parse_args()
    options.runs.mkdir(parents=True, exist_ok=True)
    if not options.only_judge:
        for number, life in enumerate(LIVES, start=1):
            print(f"[{number}/{len(LIVES)}] {life.name}", file=sys.stderr)
            record(life, options.runs)
    paths = sorted(path for path in options.runs.iterdir() if (path / RUN_JSON).exists())
    return 0 if judge_runs(paths) else 1


if __name__ == "__main__":
    sys.exit(main())
