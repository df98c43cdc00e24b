"""`tidemark watch`: see a run that is under way, whoever writes it."""

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import click
from rich.console import Console
from rich.live import Live

from tidemark.analysis.reports.terminal import make_console
from tidemark.analysis.run import runs_in
from tidemark.analysis.units import several, shortened
from tidemark.commands.conclusion import conclude
from tidemark.commands.ending import terminate_as_interrupt
from tidemark.live import panel
from tidemark.live.terminal import keyboard, unechoed
from tidemark.live.watching import Watched
from tidemark.record.errors import UnusableRunError

PORT = 8090
DRAW_EVERY_S = 0.5
LINE_EVERY_S = 5.0


@click.command()
@click.argument(
    "directory", metavar="DIR", type=click.Path(path_type=Path), help="the run directory"
)
@click.option("--web", is_flag=True, help="show it in the browser, on 127.0.0.1")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=PORT,
    show_default=True,
    metavar="N",
    help="port of --web; 0: any free one",
)
@click.option("--otlp-endpoint", metavar="URL", help="send metrics there, by OTLP over HTTP")
def watch(directory: Path, *, web: bool, port: int, otlp_endpoint: str | None) -> None:
    """Show a run that is under way, whoever writes it: in the terminal or the browser."""
    _expect_one_run(directory)
    watched = Watched(directory)
    console = make_console()
    with terminate_as_interrupt(), _sent(watched, otlp_endpoint), watched.followed():
        try:
            if web:
                _serve(watched, port)
            elif console.is_terminal:
                _draw(watched, console)
            else:
                _print_lines(watched)
        except KeyboardInterrupt:
            click.echo()
        conclude(console, watched.judge.judged, watched.judge.why_not, watched.run.path)


def _expect_one_run(directory: Path) -> None:
    """Name the runs of a folder that holds several.

    Raises:
        UnusableRunError: It does, or is none.
    """
    if not directory.is_dir():
        raise UnusableRunError(directory, "is not a directory", "name a run directory")
    held = runs_in(directory)
    if held != [directory]:
        names = ", ".join(run.name for run in held)
        what = f"holds {several(len(held), 'run')}, and is none itself: {names}"
        raise UnusableRunError(directory, what, f"name one of them, as in {held[-1]}")


def _sent(watched: Watched, endpoint: str | None) -> AbstractContextManager[None]:
    """Send its metrics to a collector, if one is named."""
    if endpoint is None:
        return nullcontext()
    from tidemark.live.otlp import sending  # noqa: PLC0415 (needs packages of an extra)

    return sending(watched, endpoint)


def _serve(watched: Watched, port: int) -> None:
    from tidemark.live.server import serving  # noqa: PLC0415 (slow to load)

    with serving(watched, port) as url:
        click.echo(f"{shortened(watched.run.name, 80)}: {url} (Ctrl-C ends it)")
        while True:
            watched.facts()  # raises what has gone wrong
            time.sleep(DRAW_EVERY_S)


def _draw(watched: Watched, console: Console) -> None:
    with (
        unechoed(keyboard()),
        Live(console=console, auto_refresh=False, transient=True) as live,
    ):
        while not watched.is_over:
            facts = watched.facts()
            with watched.run.lock:
                drawn = panel.panel(facts, watched.run, console.width, console.height)
            live.update(drawn, refresh=True)
            time.sleep(DRAW_EVERY_S)
    facts = watched.facts()
    console.print(panel.panel(facts, watched.run, console.width))


def _print_lines(watched: Watched) -> None:
    said_s = 0.0
    while not watched.is_over:
        facts = watched.facts()
        if time.monotonic() - said_s >= LINE_EVERY_S and not watched.run.has_ended:
            said_s = time.monotonic()
            click.echo(panel.line(facts))
        time.sleep(DRAW_EVERY_S)
    click.echo(panel.line(watched.facts()))
