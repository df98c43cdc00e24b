"""The command line: one command per module of `tidemark.commands`, errors caught in one place.

A command's module is imported when it is used: `tidemark sample` on a staging host loads nothing
that draws or drives, and help comes at once.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from keyword import iskeyword

import click

from tidemark.packages import DISTRIBUTION, missing_package
from tidemark.record.errors import TidemarkError

EXIT_UNUSABLE = 2
EXIT_INTERRUPTED = 130

COMMANDS: Mapping[str, str] = {
    "compare": "Run every strategy in turn under the same load and explain them together.",
    "run": "Start a service, drive it, judge it: tidemark run -- COMMAND.",
    "init": "Write a commented tidemark.toml, which says what your services are.",
    "report": "(Re)build verdict.json, report.png and report.html of each run DIR.",
    "check": (
        "Say whether the run in DIR leaks; exit 0 clean, 1 leak, 3 cannot tell, 2 unusable input."
    ),
    "compact": "Turn the tables of runs into Parquet, so that many targets can be judged.",
    "import": "Make a run directory of what somebody else has recorded.",
    "watch": "Show a run that is under way, whoever writes it: in the terminal or the browser.",
    "sample": "Watch a process and everything below it, without driving it.",
    "target": "Serve one of the built-in targets in the foreground.",
    "broker": "Run the embedded broker in the foreground and print its address.",
}
"""Name -> what it does; `tidemark.commands.NAME` has it as `NAME` (`import_`, for Python's own)."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is used.

    Source: https://click.palletsprojects.com/en/stable/complex/#lazily-loading-subcommands
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """The names, in the order in which the help lists them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in COMMANDS:
            return super().get_command(ctx, name)
        module = f"{name}_" if iskeyword(name) else name
        command = getattr(import_module(f"tidemark.commands.{module}"), module)
        assert isinstance(command, click.Command)  # noqa: S101 - a bug of our own
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Called by click: list them without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Called by click: find the command; one that is not there is not imported for a hint."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            ctx.fail(f"No such command {name!r}: choose one of {', '.join(COMMANDS)}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name=DISTRIBUTION)
def cli() -> None:
    """Soak-test services that write to Kafka and see what they leak."""


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
    except TidemarkError as error:
        _say(str(error))
        return error.exit_code
    except ModuleNotFoundError as error:
        _say(missing_package(error))
        return EXIT_UNUSABLE
    except BrokenPipeError:
        # The reader (head, less) has seen enough; what is still buffered has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return result if isinstance(result, int) else 0


def _say(line: str) -> None:
    click.echo(f"tidemark: {line}", err=True)


def _show(error: click.ClickException) -> None:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
    else:
        _say(_one_line(error))


def _one_line(error: click.ClickException) -> str:
    message = " ".join(error.format_message().split())
    if isinstance(error, click.UsageError) and error.ctx:
        return f"{message} (see {error.ctx.command_path} --help)"
    return message
