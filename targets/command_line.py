"""What the commands of this room have in common."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from typing import NoReturn

from tidemark.record.process import die_with_parent
from tidemark.targets.errors import TargetError


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, and end with exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the options, and leave."""
        fail(self.prog, TargetError(f"{message} (see {self.prog} --help)"))


def add_parent_options(parser: argparse.ArgumentParser) -> None:
    """Add what binds a process to the one that started it."""
    parser.add_argument(
        "--die-with-parent",
        action="store_true",
        help="end at once when the process that started this one ends, however it ends",
    )
    parser.add_argument(
        "--parent-pid",
        type=int,
        default=None,
        metavar="PID",
        help="who that is, in case it has already ended by now",
    )


def bind_to_parent(options: argparse.Namespace) -> None:
    """Do what `add_parent_options` promises."""
    if options.die_with_parent:
        die_with_parent(os.getppid() if options.parent_pid is None else options.parent_pid)


def announce(**facts: object) -> None:
    """Tell whoever started this process, in one line of JSON on stdout, that it is ready."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def fail(program: str, error: TargetError) -> NoReturn:
    """Say in one line what is wrong, and leave with the error's exit code."""
    sys.stderr.write(f"{program}: error: {error}\n")
    sys.exit(error.exit_code)


def port(text: str) -> int:
    """A TCP port as a command line argument, for argparse."""
    value = int(text)
    if not 0 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is no TCP port: it must be 0 to 65535")
    return value


def positive(text: str) -> int:
    """A whole number above 0 as a command line argument, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is too small: it must be at least 1")
    return value


def topic_name(text: str) -> str:
    """A Kafka topic name as a command line argument, for argparse.

    Source: Kafka's `org.apache.kafka.common.internals.Topic.validate`.
    """
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,249}", text) or text in {".", ".."}:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no topic name: use up to 249 letters, digits, '.', '_' and '-'"
        )
    return text


def key_and_value(text: str) -> tuple[str, str]:
    """A property as a command line argument `key=value`, for argparse.

    What is wrong is not repeated: it may be a secret.
    """
    key, separator, value = text.partition("=")
    if not separator or not key.strip():
        raise argparse.ArgumentTypeError("a property is given as key=value")
    return key.strip(), value.strip()
