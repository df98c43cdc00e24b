"""Whether the memory of Locust, of the sampler and of the agent grows with the run.

    python -m benchmarks.soak       # 250,000 ticks and a million requests, 45 minutes
    python -m benchmarks.soak --ticks 2000 --requests 8000    # a quick look

Ticks are a hundredth of a second, so that days go by in minutes. A service, its broker, a sampler
and an agent are started, and Locust with its page, which fetches from the agent; what asks the
page and the agent is asked as a browser and a Prometheus server would. A second sampler watches
the first one, the agent and Locust, each with all below it, once a second; that recording is judged
by `tidemark check`. Ends with 1 where one of them is not clean, or where there were fewer ticks.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.soak.recording import Wanted, record
from benchmarks.soak.telling import table
from tidemark.analysis.verdict.assessment import assess_directory


def run(wanted: Wanted, folder: Path) -> int:
    """Record and judge; returns the exit code."""
    ticks = record(wanted, folder)
    watched = folder / "watched"
    for name, count in ticks.items():
        print(f"{name}: {count:,} ticks")
    checked = subprocess.run([sys.executable, "-m", "tidemark", "check", watched], check=False)
    assessment = assess_directory(watched)
    print(table(assessment))
    for target in assessment.targets:
        for one in target.found.resources.values():
            print(f"{target.id}, {one.resource}: {one.reason}")
    is_enough = all(count >= wanted.ticks for count in ticks.values())
    return 0 if is_enough and checked.returncode == 0 else 1


def main() -> int:
    """Run it; see above."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--ticks", type=int, default=250_000, help="to be seen at least")
    parser.add_argument("--requests", type=int, default=1_000_000, help="the same")
    parser.add_argument("--keep", type=Path, help="keep what is written in this new folder")
    given = parser.parse_args()
    with ExitStack() as stack:
        folder = given.keep
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        return run(Wanted(given.ticks, given.requests), folder)


if __name__ == "__main__":
    sys.exit(main())
