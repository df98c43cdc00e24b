"""Asks the brokers for the ledger, in a process of its own: a Kafka client blocks in C.

`offsets` prints the high watermarks of the run's topic before the load; `balance` draws the
balance against them once the target has stopped. Both print one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tidemark.errors import LedgerError
from tidemark.record.command_line import add_options
from tidemark.record.errors import TidemarkError
from tidemark.record.options import read_all
from tidemark.run.children import say
from tidemark.run.ledger import Balance, Ledger, balance_by_count, balance_by_reading
from tidemark.targets.client_options import CLIENT_OPTIONS, client_options
from tidemark.targets.config import KafkaConfig
from tidemark.targets.errors import TargetError
from tidemark.targets.offsets import read_back, watermarks

READ_TIMEOUT_S = 15.0


def main() -> int:
    """Print one line of JSON; errors are one line on standard error."""
    given = _parser().parse_args()
    try:
        options = client_options(read_all(CLIENT_OPTIONS, vars(given)))
        config = KafkaConfig(given.bootstrap, given.topic, options=options)
        if given.what == "offsets":
            answer: Mapping[str, object] = {str(p): high for p, high in _highs(config).items()}
        else:
            answer = _balance(config, given).to_json()
    except (TidemarkError, TargetError) as error:
        say(str(error))
        return error.exit_code
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tidemark.run.ledger_reader")
    parser.add_argument("what", choices=("offsets", "balance"))
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--topic", required=True)
    add_options(parser, CLIENT_OPTIONS)
    parser.add_argument("--since", type=json.loads, help="high watermarks before the load")
    parser.add_argument("--states", type=Path, help="file with the ledger's states")
    parser.add_argument("--batch-size", type=int)
    parser.add_argument("--run-id")
    parser.add_argument("--verify", action="store_true")
    return parser


def _highs(config: KafkaConfig) -> dict[int, int]:
    return {number: marks.high for number, marks in watermarks(config).items()}


def _balance(config: KafkaConfig, given: argparse.Namespace) -> Balance:
    ledger = Ledger(given.batch_size, given.states.read_bytes())
    since = {int(number): high for number, high in given.since.items()}
    until = watermarks(config)
    if not until:
        raise LedgerError(f"there is no topic {given.topic!r}: nothing can be said of messages")
    delivered = sum(marks.high - since.get(number, 0) for number, marks in until.items())
    if not given.verify:
        return balance_by_count(ledger, delivered)
    for number, marks in until.items():
        if marks.low > since.get(number, 0):
            raise LedgerError(
                f"partition {number} of {given.topic!r} has dropped messages of the run already; "
                "leave out --verify-messages, or let the topic retain more"
            )
    highs = {number: marks.high for number, marks in until.items()}
    return balance_by_reading(ledger, given.run_id, _texts(config, since, highs))


def _texts(
    config: KafkaConfig, since: Mapping[int, int], until: Mapping[int, int]
) -> Iterator[str]:
    """The messages as they were sent: the target writes the JSON text of each."""
    for value in read_back(config, since, until, READ_TIMEOUT_S):
        yield value.decode(errors="replace").strip('"')


if __name__ == "__main__":
    sys.exit(main())
