"""`tidemark run`: start a service, drive it, judge it."""

import os
import shlex
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from tidemark.analysis.reports.files import write_run_report
from tidemark.analysis.reports.terminal import make_console, print_run
from tidemark.analysis.verdict.assessment import Assessment, Severity
from tidemark.analysis.verdict.findings import ON_THE_RUN
from tidemark.commands.ending import terminate_as_interrupt
from tidemark.commands.options import table_options
from tidemark.commands.showing import progress_of
from tidemark.record.errors import OptionError
from tidemark.record.layout import SAMPLES
from tidemark.record.options import check_flags_of_environment, read_all, was_given
from tidemark.run.compare import Drive, HurriedError, check_setup, drive
from tidemark.run.configuration import RUN_TIME, USERS, completed, file_of, service_of
from tidemark.run.folders import new_folder
from tidemark.run.gate import LEAK
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.progress import Progress

OWN_OPTIONS = (RUN_TIME, USERS)
NOT_OURS = ("strategy", "service", "command", "no_report", "resume")
"""Options of a run that are told otherwise."""
DASHES = "--"
SUBJECTS = {
    option.name: option.environment_variable
    for option in OPTIONS
    if option.name in {"service", "command"}
}
"""What the environment may name instead -> its variable."""


class CommandAfterDashes(click.Command):
    """A click command that leaves what stands behind `--` alone, options and all."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Called by click."""
        at = args.index(DASHES) if DASHES in args else len(args)
        ctx.meta[DASHES] = args[at + 1 :] if at < len(args) else None
        return super().parse_args(ctx, args[:at])


@click.command(cls=CommandAfterDashes, options_metavar="[OPTIONS]")
@click.argument("words", nargs=-1, metavar="[SERVICE] [-- COMMAND...]")
@table_options(OWN_OPTIONS)
@table_options(OPTIONS, leave_out=NOT_OURS, from_environment=True)
@click.pass_context
def run(ctx: click.Context, /, words: tuple[str, ...], **values: Any) -> int:
    """Start a service, drive it, judge it: tidemark run -- COMMAND.

    SERVICE is one of tidemark.toml, or built in. In a COMMAND {port} stands for a free port of
    127.0.0.1, where the requests go, and {bootstrap} for brokers, which are started then. Without
    {port}, the port that it listens on is found.

    Exit 0 clean, 1 leak or died, 3 cannot tell (0 with --fail-on leak), 2 unusable input.
    """
    check_flags_of_environment(OPTIONS)
    command: list[str] | None = ctx.meta[DASHES]
    given = {**values, **_subject(words, command, values)}
    said = completed(given, has_host=False)
    own = read_all(OWN_OPTIONS, said)
    options = RunOptions.parse(said)
    options.check_lasting("--run-time", own["run_time"])
    name = service_of(options, file_of(said)).name
    # What the file says it tells the run itself.
    told = frozenset(option.name for option in OPTIONS if was_given(given.get(option.name)))
    load = {"duration": own["run_time"], "users": own["users"]}
    own_words = RunOptions.parse(given)
    if options.check_setup:
        path = options.results / "setup"
        return check_setup(Drive(name=name, options=own_words, told=told, path=path, **load))
    path = _run_path(options, name)
    console = make_console()
    progress = progress_of(
        console,
        [name],
        name,
        heartbeat_s=options.heartbeat,
        lasts_s=own["run_time"],
        has_panel=not options.no_panel,
    )
    one = Drive(name=name, options=own_words, told=told, path=path, **load)
    return _drive_and_judge(one, console, progress)


def _subject(
    words: tuple[str, ...], command: list[str] | None, values: dict[str, Any]
) -> dict[str, str]:
    """The service, or the command, that is to be run.

    Raises:
        OptionError: Neither or both were named.
    """
    if command is not None:
        if words:
            raise OptionError(f"{words[0]!r} stands before --: name a service or a command")
        if not command:
            raise OptionError("-- : the command is missing: tidemark run -- COMMAND...")
        return {"command": shlex.join(command)}
    if len(words) > 1:
        raise OptionError(f"put -- before a command: tidemark run -- {shlex.join(words)}")
    if words:
        return {"service": words[0]}
    if said := {name: text for name in SUBJECTS if (text := os.environ.get(SUBJECTS[name]))}:
        return said
    configuration = file_of({**values, "service": "?"})
    services = list(configuration.services) if configuration else []
    if len(services) == 1:
        return {"service": services[0]}
    what = f"one of {', '.join(services)}" if services else "a service, or -- and a command"
    raise OptionError(f"SERVICE: name {what}")


def _run_path(options: RunOptions, name: str) -> Path:
    """The folder of the run, made and empty."""
    return new_folder(options.results, options.run_name, name, shared=options.share_files)


def _exit_code(assessment: Assessment, fail_on: str) -> int:
    """With --fail-on leak, what cannot be told passes, unless the run was no test."""
    passes = fail_on == LEAK and assessment.gravest is Severity.UNKNOWN
    return 0 if passes and assessment.leading.kind not in ON_THE_RUN else assessment.exit_code


def _drive_and_judge(one: Drive, console: Console, progress: Progress) -> int:
    def judge() -> int:
        progress.close()
        assessment = write_run_report(one.path)
        print_run(console, assessment)
        return _exit_code(assessment, one.options.fail_on)

    with terminate_as_interrupt():
        try:
            drive(one, progress)
        except HurriedError:
            progress.close()
            raise
        except BaseException:  # what was recorded until then is reported all the same
            progress.close()
            if _holds_rows(one.path / SAMPLES.file):
                judge()
            raise
        return judge()


def _holds_rows(table: Path) -> bool:
    """Whether there is more of a table than its header."""
    if not table.exists():
        return False
    with table.open("rb") as lines:
        return len(list(islice(lines, 2))) == 2
