"""The command line: one command per module of `tidemark.commands`, errors caught in one place."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from tidemark.commands.broker import broker
from tidemark.commands.check import check
from tidemark.commands.compare import compare
from tidemark.commands.report import report
from tidemark.commands.sample import sample
from tidemark.commands.target import target
from tidemark.record.errors import TidemarkError
from tidemark.run.children import say
from tidemark.targets.errors import TargetError

EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tidemark")
def cli() -> None:
    """Soak-test services that write to Kafka and see what they leak."""


for command in (compare, report, check, sample, target, broker):
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; every error is one line on standard error."""
    sys.exit(_exit_code(arguments))


def _exit_code(arguments: Sequence[str] | None) -> int:
    try:
        result = cli.main(args=arguments, prog_name="tidemark", standalone_mode=False)
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except (click.exceptions.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except (TidemarkError, TargetError) as error:
        say(str(error))
        return error.exit_code
    except BrokenPipeError:
        # The reader (head, less) has seen enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _show(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        say(_one_line(error))


def _one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx:
        return f"{message} (see {error.ctx.command_path} --help)"
    return message
