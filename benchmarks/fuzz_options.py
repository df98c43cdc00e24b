"""Options and environment variables that nobody would give: taken or refused, and nothing started.

The same values go to Locust's command line, to that of `tidemark compare`, to the environment of
both, and to `RunOptions.parse`; what would start something is put out of action, and told.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from unittest import mock

import locust  # noqa: F401 - before any of its modules
from locust.argument_parser import get_parser

import tidemark.plugin  # noqa: F401 - registers the options
from benchmarks.fuzz_case import Ended, Found, refusal, run
from tidemark.cli import _exit_code
from tidemark.record.errors import TidemarkError
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.plan import Plan

VALUES = (
    "", " ", "0", "-1", "1", "2", "10", "0.5", "1e3", "1e400", "nan", "inf", "-0", "0x10", "1_0",
    "9" * 30, "maybe", "true", "false", "yes", "shared", "broken", "per-request-closed", "nope",
    "open", "closed", "mock", "kafka", "127.0.0.1:9092", "[::1]:9092", "127.0.0.1:99999", ":1",
    "127.0.0.1", "a,b", ",", "x" * 5000, "\x1b[31m", "é", "../up", "/dev/null", "/proc/nowhere",
    "a/b", ".", "..", "key=value", "=", "a=b c=d", "plugin.library.paths=/x.so", "broker-kill@2+3",
    "broker-kill@-1", "worker-kill@3", "broker-freeze@1e99+1", "x@", "%s", "{}", "'", '"',
)  # fmt: skip
HOSTS = (
    None, None, "http://127.0.0.1:8000", "http://[::1", "http://127.0.0.1:99999", "ftp://x",
    "http://", "https://[::1]:80", "127.0.0.1", "", "http://a b", "http://x:y", "http://\x00",
)  # fmt: skip


FOUND_GOOD = "all was found good"


class WouldStartError(TidemarkError):
    """Everything was found good: this is where something would be started."""


def try_one(seed: int, number: int, folder: Path) -> Found:
    """Give some options to one of those who take them."""
    rng = random.Random(f"options {seed} {number}")
    chosen = rng.sample(OPTIONS, rng.choice((1, 1, 2, 4)))
    values = {option.name: rng.choice(VALUES) for option in chosen}
    environment, arguments = {}, []
    for option in chosen:
        if rng.random() < 0.4 and "\x00" not in values[option.name]:
            environment[option.environment_variable] = values[option.name]
        elif option.is_flag:
            arguments.append(option.flag)
        else:
            arguments.append(f"{option.flag}={values[option.name]}")
    reader, host = rng.choice((_parse, _locust, _compare)), rng.choice(HOSTS)
    with started_nothing(folder, environment) as started:
        ended = run(lambda: reader(values, arguments, host))
    made = f"{reader.__name__.strip('_')} {host} {environment} {arguments}"[:300]
    wrong = f"started: {started[0]}" if started else wrong_end(ended)
    return Found(number, made, f"exit {ended.code}", wrong)


def wrong_end(ended: Ended) -> str:
    """What is wrong with how it ended; nothing if all was taken, or refused in a line."""
    if ended.wrong:
        return "" if "WouldStartError" in ended.wrong else ended.wrong
    if FOUND_GOOD in ended.err:
        return ""
    if ended.code == 2:
        return _refusal(ended)
    return "" if ended.code == 0 else f"exit code: {ended.code}"


def _refusal(ended: Ended) -> str:
    """Locust's parser shows its usage before the line."""
    lines = ended.err.strip().splitlines()
    if lines and lines[0].startswith("usage:"):
        return refusal(Ended(2, ended.out, lines[-1]))
    return refusal(ended)


def _parse(values: Mapping[str, Any], arguments: list[str], host: str | None) -> int:  # noqa: ARG001
    return _plan(values, host)


def _locust(values: Mapping[str, Any], arguments: list[str], host: str | None) -> int:  # noqa: ARG001
    return _plan(vars(get_parser().parse_args(arguments)), host)


def _compare(values: Mapping[str, Any], arguments: list[str], host: str | None) -> int:  # noqa: ARG001
    ours = [one for one in arguments if not one.startswith(("--strategy", "--target-pid"))]
    return _exit_code(["compare", *ours])


def _plan(values: Mapping[str, Any], host: str | None) -> int:
    """As the plugin reads them; every error is a line there."""
    try:
        Plan.of(RunOptions.parse(values), host)
    except TidemarkError as error:
        raise SystemExit(_said(error)) from None
    return 0


def _said(error: TidemarkError) -> int:
    sys.stderr.write(f"{error}\n")
    return 2


@contextmanager
def started_nothing(folder: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """In a folder and an environment of its own; whatever would be started is told, and is not."""
    started: list[str] = []

    def refuse(what: str) -> Callable[..., NoReturn]:
        def start(*given: Any, **_: Any) -> NoReturn:
            started.append(f"{what} {given[:1]}"[:200])
            raise WouldStartError(what)

        return start

    def good(*_: Any, **__: Any) -> NoReturn:
        raise WouldStartError(FOUND_GOOD)

    before = Path.cwd()
    os.chdir(folder)
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("LOCUST_", "TIDEMARK_"))}
    try:
        with (
            mock.patch.dict(os.environ, {**clean, **environment}, clear=True),
            mock.patch.object(subprocess, "Popen", refuse("process")),
            mock.patch("tidemark.commands.compare.run_all", good),
        ):
            yield started
    finally:
        os.chdir(before)
