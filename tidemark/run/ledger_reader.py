"""Asks the brokers for the ledger, in a process of its own: a Kafka client blocks in C.

`offsets` prints the high watermarks of the run's topic before the load; `balance` draws the
balance against them once the target has stopped. Both print one line of JSON.
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tidemark.record.command_line import announce, run_command
from tidemark.record.options import (
    REQUIRED,
    Option,
    choice,
    flag,
    integer,
    path,
    some_endpoints,
    topic,
)
from tidemark.run.errors import LedgerError
from tidemark.run.ledger import Balance, Ledger, balance_by_count, balance_by_reading
from tidemark.targets.client_options import CLIENT_OPTIONS, client_options
from tidemark.targets.config import KafkaConfig
from tidemark.targets.offsets import read_back, watermarks

READ_TIMEOUT_S = 15.0
PROGRAM = "python -m tidemark.run.ledger_reader"


OPTIONS = (
    Option(
        "what",
        choice("offsets", "balance"),
        REQUIRED,
        "offsets before the load, balance after it",
        "WHAT",
        is_positional=True,
    ),
    Option("bootstrap", some_endpoints, REQUIRED, "brokers to ask", "HOST:PORT,..."),
    Option("topic", topic, REQUIRED, "the run's topic", "NAME"),
    *CLIENT_OPTIONS,
    Option("since", str, None, "for balance: what offsets said", "JSON"),
    Option("states", path, None, "for balance: file with the ledger's states", "FILE"),
    Option("batch_size", integer(1), None, "for balance: messages in each batch"),
    Option("run_id", str, None, "for balance: the run's id", "ID"),
    Option("shared", flag, False, "for balance: others may write to the topic", is_flag=True),
    Option("verify", flag, False, "for balance: read every message back", is_flag=True),
)


def answer(given: Mapping[str, Any]) -> None:
    """Print one line of JSON: what the brokers say.

    Args:
        given: The checked values of `OPTIONS`.

    Raises:
        TargetError: No broker answers as it should.
        LedgerError: The brokers do not have any more what was asked for.
    """
    bootstrap = ",".join(given["bootstrap"])
    config = KafkaConfig(bootstrap, given["topic"], options=client_options(given))
    if given["what"] == "balance":
        announce(**asdict(_balance(config, given)))
    else:
        announce(**{str(number): marks.high for number, marks in watermarks(config).items()})


def _balance(config: KafkaConfig, given: Mapping[str, Any]) -> Balance:
    ledger = Ledger(given["batch_size"], given["states"].read_bytes())
    since = {int(number): high for number, high in json.loads(given["since"]).items()}
    until = watermarks(config)
    if not until:
        raise LedgerError(f"there is no topic {config.topic!r}: nothing can be said of messages")
    delivered = sum(marks.high - since.get(number, 0) for number, marks in until.items())
    if not given["verify"]:
        return balance_by_count(ledger, delivered, is_shared=given["shared"])
    for number, marks in until.items():
        if marks.low > since.get(number, 0):
            raise LedgerError(
                f"partition {number} of {config.topic!r} has dropped messages of the run already; "
                "leave out --verify-messages, or let the topic retain more"
            )
    highs = {number: marks.high for number, marks in until.items()}
    # The target writes the JSON text of each message.
    written = read_back(config, since, highs, READ_TIMEOUT_S)
    texts = (value.decode(errors="replace").strip('"') for value in written)
    return balance_by_reading(ledger, given["run_id"], texts)


if __name__ == "__main__":
    sys.exit(run_command(answer, OPTIONS, PROGRAM, "Ask the brokers for the ledger."))
