"""`tidemark compare`: run every strategy in turn, explain them together."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tidemark.analysis.reports.terminal import make_console, print_changes, print_comparison
from tidemark.analysis.verdict.assessment import Assessment
from tidemark.commands.ending import terminate_as_interrupt
from tidemark.commands.options import table_options
from tidemark.commands.showing import progress_of
from tidemark.record.errors import OptionError
from tidemark.record.options import (
    Option,
    check_flags_of_environment,
    duration,
    integer,
    read_all,
    was_given,
)
from tidemark.run.agents import OF_AGENTS
from tidemark.run.applicable import check_service
from tidemark.run.children import say
from tidemark.run.compare import Comparison, HurriedError, exit_code, explain, run_all
from tidemark.run.configuration import (
    completed,
    configured,
    named_service,
    read_file,
    routes_of,
)
from tidemark.run.finding import CLUES
from tidemark.run.folders import new_folder
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.plan import Plan
from tidemark.services.builtin import builtin_service
from tidemark.services.service import Service
from tidemark.targets.strategies import STRATEGIES, resolve


def _strategies(given: Any) -> tuple[str, ...]:
    names = given if isinstance(given, tuple) else str(given).split(",")
    chosen = tuple(dict.fromkeys(resolve(name.strip()) for name in names if name.strip()))
    if not chosen:
        raise ValueError("name at least one")
    return chosen


def _names(given: Any) -> tuple[str, ...]:
    names = given if isinstance(given, tuple) else str(given).split(",")
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


OWN_OPTIONS = (
    Option("strategies", _strategies, tuple(STRATEGIES), "which to compare, in order", "NAME,..."),
    Option(
        "services",
        _names,
        (),
        "compare these services instead: of tidemark.toml, or built in",
        "NAME,...",
    ),
    Option("duration", duration, 60.0, "how long the load on each lasts: 60s, 10m", "TIME"),
    Option("users", integer(1), 1, "users of the closed workload; the open one needs only one"),
)

NOT_OURS = (
    *("strategy", "service", "command", *CLUES, "no_target", *OF_AGENTS),
    *("check_setup", "no_report", "fail_on", "resume"),
)
"""Options of a run that a comparison sets itself."""


@click.command()
@table_options(OWN_OPTIONS)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="DIR",
    help="an earlier comparison: say per strategy what got worse; exit 1 when something did",
)
@click.option(
    "--baseline-anyway", is_flag=True, help="compare with it even if it was not the same test"
)
@table_options(OPTIONS, leave_out=NOT_OURS, from_environment=True)
def compare(baseline: Path | None, *, baseline_anyway: bool, **values: Any) -> int:
    """Run every strategy in turn under the same load and explain them together.

    With --services, each of those is run.

    Exit 0 done, 1 something got worse or died by itself, 3 a run was no test, 2 unusable input.
    """
    check_flags_of_environment(OPTIONS)
    comparison = _comparison(values)
    options = comparison.options
    folder = new_folder(options.results, options.run_name, "compare", shared=options.share_files)
    console = make_console()
    progress = progress_of(
        console,
        comparison.strategies,
        folder.name,
        heartbeat_s=comparison.heartbeat,
        lasts_s=comparison.duration,
        has_panel=not options.no_panel,
    )
    paths = [folder / name for name in comparison.strategies]

    def tell() -> list[Assessment]:
        progress.close()
        assessed = explain(paths, folder, baseline, baseline_anyway=baseline_anyway)
        _print(console, assessed, folder, baseline)
        return assessed

    with terminate_as_interrupt():
        try:
            run_all(comparison, folder, progress)
        except HurriedError:
            progress.close()
            raise
        except BaseException:  # what was recorded until then is reported all the same
            tell()
            raise
        assessed = tell()
    return exit_code(assessed, paths)


def _comparison(values: Mapping[str, Any]) -> Comparison:
    """What is compared, all of it checked before anything is started.

    Raises:
        TidemarkError: One line that says what is wrong.
    """
    services = read_all(OWN_OPTIONS, values)["services"]
    if services and was_given(values.get("strategies")):
        raise OptionError("--strategies and --services: name built-in ones in --services as well")
    configuration = read_file(values["tidemark_config"] or "", is_asked_for=bool(services))
    said = configured(values, configuration)
    routes_of(configuration)  # what is wrong with them is told now
    if not was_given(said["duration"]):
        said["duration"] = said.get("run_time")
    options, own = RunOptions.parse(said), read_all(OWN_OPTIONS, said)
    chosen = [named_service(options, name, configuration) for name in services]
    for service in chosen or [builtin_service(own["strategies"][0])]:
        check_service(values, service, has_bootstrap=bool(options.bootstrap))
        if not service.is_started:
            _expect_running({**values, "service": service.name}, own["duration"])
    if len({service.is_started for service in chosen}) > 1:
        _tell_unlike(chosen)
    options.check_lasting("--duration", own["duration"])
    return Comparison(
        tuple(dict.fromkeys(service.name for service in chosen)) or own["strategies"],
        own["duration"],
        own["users"],
        RunOptions.parse(values),  # what the file says it tells each run itself
        are_services=bool(services),
        told=frozenset(option.name for option in OPTIONS if was_given(values.get(option.name))),
        heartbeat=options.heartbeat,
    )


def _expect_running(values: Mapping[str, Any], lasts_s: float) -> None:
    """Check that a service runs already that nobody starts, before anything is measured.

    Raises:
        TidemarkError: It does not, or which process it is cannot be told.
    """
    options = RunOptions.parse(completed(values, has_host=False))
    Plan.of(options, None, lasts_s).look_at_host()


def _tell_unlike(chosen: Iterable[Service]) -> None:
    """Say what must not be read from a comparison of services of which some run already."""
    running = ", ".join(service.name for service in chosen if not service.is_started)
    say(
        f"{running}: runs already and is not started here: its descriptor limit is its own, and it "
        "holds what came before; compare what a request adds"
    )


def _print(
    console: Console, assessed: list[Assessment], folder: Path, baseline: Path | None
) -> None:
    if not assessed:
        console.print(f"nothing was recorded; logs are in {folder}", soft_wrap=True)
        return
    print_comparison(console, assessed, folder)
    if baseline is not None:
        print_changes(console, assessed, baseline)
