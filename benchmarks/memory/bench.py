"""The verdict on memory: a small part of the corpus recorded anew and judged, then all of a half.

    python -m benchmarks.memory.bench           # needs Python, Go, Node, a JDK and Maven
    python -m benchmarks.memory.bench --list    # what would be recorded
    python -m benchmarks.memory.bench --packed  # the recorded corpus alone, which needs none

Takes less than 15 minutes on two cores, and ends with 1 if a bar is missed or a run was of no use.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.memory.plan import plan_part
from benchmarks.memory.recorded import recordings
from benchmarks.memory.services import read_services
from benchmarks.memory.table import CLEAN_WANTED, answers_beside, answers_on, report, report_beside

MINUTES = 8.0
"""For builds and runs; what there is no time for is left out."""
RECORDING_JOBS = 12
JUDGED = "judged"


def record_part(runs: Path, *more: str) -> bool:
    """Record the part in a process of its own; return whether every run is of use."""
    options = [f"--runs={runs}", "--part", f"--jobs={RECORDING_JOBS}", f"--minutes={MINUTES:g}"]
    command = [sys.executable, "-m", "benchmarks.memory.record", *options, *more]
    return subprocess.run(command, check=False).returncode == 0


def recorded_anew(jobs: int, *more: str) -> bool:
    """Record the part and judge it; return whether both came out well."""
    wanted = len(plan_part(read_services()))
    with tempfile.TemporaryDirectory(prefix="tidemark-memory-") as folder:
        runs = Path(folder)
        is_of_use = record_part(runs, *more)
        is_met = judged("recorded anew", runs, jobs, clean_wanted=1, of=wanted)
    return is_of_use and is_met


def judged(title: str, runs: Path | None, jobs: int, clean_wanted: int, of: int = 0) -> bool:
    """Judge run directories, or the archives, and print the table; return whether bars are met."""
    with recordings(JUDGED, runs) as found:
        answers = answers_on(found, jobs)
        beside = answers_beside(found, jobs)
    print(f"\n{title}: {len(answers)} runs{f' of {of}' if of else ''}\n", flush=True)
    is_met = report(answers, clean_wanted)
    report_beside(beside, answers)
    return is_met


def main(arguments: Sequence[str] | None = None) -> int:
    """Record and judge; the exit code says whether every bar is met."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--list", action="store_true", help="say what would be recorded, and end")
    parser.add_argument("--packed", action="store_true", help="record nothing")
    parser.add_argument("--jobs", type=int, default=2, help="runs judged at once")
    parser.add_argument("--build", help="folder of the builds")
    options = parser.parse_args(arguments)
    if options.list:
        print("\n".join(recording.name for recording in plan_part(read_services())))
        return 0
    more = [f"--build={options.build}"] if options.build else []
    is_good = options.packed or recorded_anew(options.jobs, *more)
    is_good &= judged("as recorded", None, options.jobs, CLEAN_WANTED)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
