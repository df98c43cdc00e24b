"""Runs several services in turn, each by a Locust of its own, and explains them together."""

import math
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from tidemark.analysis.reports.files import write_comparison
from tidemark.analysis.run import load_run
from tidemark.analysis.verdict.assessment import Assessment, comparison_exit_code
from tidemark.record.directory import RunDirectory
from tidemark.record.errors import UnusableRunError
from tidemark.record.files import make_folder
from tidemark.record.layout import SAMPLES
from tidemark.record.metadata import ABORTED
from tidemark.run.children import Child, python_module, say
from tidemark.run.errors import ChildError
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.progress import Progress, RunView

LOCUST_LOG = "locust.log"
POLL_S = 0.25
STOP_TIMEOUT_S = 40.0  # requests in flight, the last sample, the target's own shutdown
# Exit codes of a run. Requests that failed, and a death, are the broken strategies' normal end.
LOAD_FAILED, CANNOT_TELL = 1, 3
_VARIABLES = frozenset(option.environment_variable for option in OPTIONS)
"""All that they say is on the command line of each run."""


@dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        strategies: names in the order in which they run.
        duration: seconds of load on each.
        users: Locust users; matters to the closed workload only.
        options: everything else, the same for all.
        are_services: whether the names are those of services, of tidemark.toml or built in.
        told: names of options that somebody gave, and that are handed on even where they are
            what they would be anyway.
        heartbeat: seconds between two lines that say how a run is getting on; 0 for none.
    """

    strategies: tuple[str, ...]
    duration: float
    users: int
    options: RunOptions
    are_services: bool = False
    told: frozenset[str] = frozenset()
    heartbeat: float = 0.0


class HurriedError(KeyboardInterrupt):
    """Interrupted a second time: nothing is explained any more."""


def run_all(comparison: Comparison, folder: Path, progress: Progress) -> None:
    """Run every strategy in turn, each into a folder of its name.

    Raises:
        ChildError: a run could not be started; the message is the run's own.
        HurriedError: interrupted twice.
    """
    for strategy in comparison.strategies:
        _run_one(comparison, folder / strategy, progress)


@dataclass(frozen=True, kw_only=True)
class Drive:
    """One run, by a Locust of its own.

    Attributes:
        name: what messages call it.
        options: what runs.
        duration: seconds of load.
        users: Locust users.
        told: names of options that are handed on even where they are what they would be anyway.
        path: the run directory, made and empty.
    """

    name: str
    options: RunOptions
    duration: float
    users: int
    told: frozenset[str]
    path: Path

    def command(self) -> list[str]:
        """The command line of Locust."""
        options = replace(
            self.options,
            results=self.path.parent,
            run_name=self.path.name,
            no_report=True,
            fail_on="",  # it is judged here
            heartbeat=0.0,  # whoever drives it shows it
        )
        handed_on = [
            option.name
            for option in OPTIONS
            if option.name in self.told or getattr(options, option.name) != option.default_value
        ]
        return python_module(
            "locust",
            f"--locustfile={files('tidemark.locustfiles') / 'ingest.py'}",
            "--headless",
            "--only-summary",
            f"--users={self.users}",
            f"--spawn-rate={self.users}",
            f"--run-time={math.ceil(self.duration)}s",
            *options.as_arguments(*handed_on),
        )


def _run_one(comparison: Comparison, path: Path, progress: Progress) -> None:
    options = comparison.options
    make_folder(path, shared=options.share_files)
    if comparison.are_services:
        options = replace(options, service=path.name)
    else:
        options = replace(options, strategy=path.name)
    one = Drive(
        name=path.name,
        options=options,
        duration=comparison.duration,
        users=comparison.users,
        told=comparison.told,
        path=path,
    )
    drive(one, progress)


def _environment() -> dict[str, str]:
    """Our own, without what would steer Locust behind our back."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("LOCUST_") and key not in _VARIABLES
    }


def check_setup(one: Drive) -> int:
    """Look at what it would do, which is told on the terminal; returns the exit code."""
    command = [*one.command(), "--loglevel=WARNING"]
    return subprocess.run(command, env=_environment(), check=False).returncode


def drive(one: Drive, progress: Progress) -> None:
    """Run it to its end.

    Args:
        one: what is run.
        progress: shows how it gets on.

    Raises:
        ChildError: it could not be started; the message is the run's own.
        HurriedError: interrupted twice.
    """
    path = one.path
    locust = Child(
        "load generator",
        one.command(),
        path / LOCUST_LOG,
        _environment(),
    )
    view = RunView(path, one.name, one.duration)
    progress.begin(view)
    try:
        while locust.returncode is None:
            progress.show(view)
            time.sleep(POLL_S)
    except BaseException:
        # Ctrl-C must leave a run directory that can be reported, so Locust ends in its own order.
        _stop_in_order(locust)
        raise
    code = locust.stop()
    if code < 0:
        progress.end(view)
        say(f"{one.name}: the {locust.name} {locust.how_it_ended()}")
    elif code in (0, LOAD_FAILED, CANNOT_TELL):
        progress.end(view)
    else:
        said = locust.last_words()
        raise ChildError(f"{one.name}: {said.removeprefix(f'service {one.name}: ')}")


def _stop_in_order(locust: Child) -> None:
    try:
        locust.stop(signal.SIGINT, STOP_TIMEOUT_S)
    except KeyboardInterrupt as again:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a third one could only leave things behind
        locust.stop(signal.SIGINT, STOP_TIMEOUT_S)  # its second too
        raise HurriedError from again


def explain(
    paths: Sequence[Path],
    folder: Path,
    baseline: Path | None = None,
    *,
    baseline_anyway: bool = False,
) -> list[Assessment]:
    """Write every report there is material for; of a run that holds none, say why.

    Args:
        paths: The run directories that were begun.
        folder: The comparison's own.
        baseline: An earlier comparison; strategies that it lacks are compared with nothing.
        baseline_anyway: Whether it is compared with even if it was not the same test.
    """
    recorded = [path for path in paths if _can_be_read(path)]
    earlier = {path.name: baseline / path.name for path in recorded} if baseline else {}
    known = {name: path for name, path in earlier.items() if path.is_dir()}
    if not recorded:
        return []
    return write_comparison(recorded, folder, known, baseline_anyway=baseline_anyway)


def _can_be_read(path: Path) -> bool:
    """Whether anything was recorded of a run that can be used; says why if something cannot."""
    if not (path / SAMPLES.file).exists():
        return False
    try:
        load_run(path)
    except UnusableRunError as error:
        say(str(error))
        return False
    return True


def exit_code(assessed: Sequence[Assessment], paths: Sequence[Path]) -> int:
    """What a comparison amounts to: what its runs do, and 3 if one of them was not run whole.

    Args:
        assessed: What was found on its runs.
        paths: Their directories.
    """
    outcomes = [RunDirectory(path).read_metadata().outcome for path in paths if path.is_dir()]
    is_cut_off = ABORTED in outcomes or len(assessed) < len(paths)
    return comparison_exit_code(assessed) or (CANNOT_TELL if is_cut_off else 0)
