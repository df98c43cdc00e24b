"""The processes of one run: brokers, target, sampler, and the reader of the ledger."""

from __future__ import annotations

import json
import shlex
import tempfile
from pathlib import Path
from typing import Any

from tidemark.record.clock import RunClock
from tidemark.record.layout import BROKER_LOG, TARGET_LOG
from tidemark.run.children import Child, python_module
from tidemark.run.ledger import Ledger
from tidemark.run.options import RunOptions
from tidemark.targets.client_options import read_client_options
from tidemark.targets.metadata import cluster_brokers

SAMPLER_LOG = "sampler.log"
LEDGER_LOG = "ledger.log"

READY_TIMEOUT_S = 30.0
BROKER_TIMEOUT_S = 90.0  # two JVMs on a busy machine
CLUSTER_TIMEOUT_S = 5.0
LEDGER_TIMEOUT_S = 120.0
SAMPLER_BUDGET_PERCENT = 1.0  # of one core at one sample a second; in proportion when faster


class Processes:
    """Starts and stops what a run consists of.

    Args:
        options: checked options.
        path: the run directory, for logs.
        run_id: the run's id, which stands in every message.
        topic: what the target writes to.
    """

    def __init__(self, options: RunOptions, path: Path, run_id: str, topic: str) -> None:
        self.options = options
        self.path = path
        self.run_id = run_id
        self.topic = topic
        self.brokers: list[str] = list(options.bootstrap)
        self.broker: Child | None = None
        self.target: Child | None = None
        self.target_command: str | None = None
        self._reader: Child | None = None
        self._offsets: dict[str, Any] | None = None
        self._children: list[Child] = []

    def find_brokers(self) -> None:
        """Learn every listener of a cluster that somebody else runs, from its metadata."""
        config = self.options.kafka_config
        pairs = [option.partition("=")[::2] for option in self.options.kafka_option]
        options = read_client_options(Path(config) if config else None, pairs)
        self.brokers = cluster_brokers(",".join(self.brokers), CLUSTER_TIMEOUT_S, options)

    def start_broker(self) -> None:
        """Start the embedded cluster with the run's topic; it takes commands."""
        command = python_module(
            "tidemark.targets.brokers",
            f"--kind={self.options.broker}",
            f"--brokers={self.options.brokers}",
            f"--topic={self.topic}",
            "--control",
            *(f"--broker-option={option}" for option in self.options.broker_option),
        )
        self.broker = self._begin(Child("broker", command, self.path / BROKER_LOG, listens=True))
        self.brokers = list(self.broker.wait_ready(BROKER_TIMEOUT_S)["bootstrap"])

    def start_target(self) -> str:
        """Start the target and return its URL."""
        options = self.options
        command = python_module(
            "tidemark.targets.serve",
            options.strategy,
            f"--bootstrap={','.join(self.brokers)}",
            f"--topic={self.topic}",
            f"--bind=127.0.0.1:{options.target_port}",
            f"--workers={options.workers}",
            f"--threads={options.threads}",
            f"--fds-limit={options.fds_limit}",
            *self._client_arguments(),
        )
        self.target_command = shlex.join(["python", *command[1:]])  # wherever that one lives
        self.target = self._begin(Child("target", command, self.path / TARGET_LOG))
        return str(self.target.wait_ready(READY_TIMEOUT_S)["url"])

    def start_sampler(self, clock: RunClock) -> None:
        """Start the sampler on the target, or on the process that the options name."""
        pid = self.target.pid if self.target else self.options.target_pid
        command = python_module(
            "tidemark.sampler",
            f"--pid={pid}",
            f"--brokers={','.join(self.brokers)}",
            f"--out={self.path}",
            f"--interval={self.options.interval}",
            f"--budget={SAMPLER_BUDGET_PERCENT * max(1.0, 1.0 / self.options.interval):g}",
            f"--started-monotonic={clock.started_monotonic_s!r}",
            "--join",
        )
        sampler = self._begin(Child("sampler", command, self.path / SAMPLER_LOG))
        sampler.wait_ready(READY_TIMEOUT_S)

    def begin_reading_offsets(self) -> None:
        """Ask for the topic's offsets before the load, while other things start."""
        command = self._reader_command("offsets")
        self._reader = self._begin(Child("ledger", command, self.path / LEDGER_LOG))

    def end_reading_offsets(self) -> None:
        """Wait for the offsets."""
        if self._reader:
            self._offsets = self._reader.wait_ready(READY_TIMEOUT_S)

    def balance(self, ledger: Ledger) -> dict[str, Any] | None:
        """Draw the balance of the messages; None when there are no offsets to compare with.

        Raises:
            ChildError: the brokers did not tell; the message says why.
        """
        if self._offsets is None:
            return None
        with tempfile.NamedTemporaryFile(prefix="tidemark-ledger-") as states:
            states.write(ledger.states())
            states.flush()
            command = self._reader_command(
                "balance",
                f"--since={json.dumps(self._offsets)}",
                f"--states={states.name}",
                f"--batch-size={ledger.batch_size}",
                f"--run-id={self.run_id}",
                *(["--verify"] if self.options.verify_messages else []),
            )
            reader = self._begin(Child("ledger", command, self.path / LEDGER_LOG))
            return reader.wait_ready(LEDGER_TIMEOUT_S)

    def stop_all_but_broker(self) -> None:
        """Stop what was started last first; the target flushes what it would."""
        for child in reversed(self._children):
            if child is not self.broker:
                child.stop()

    def stop(self) -> None:
        """Stop everything. Safe to call again."""
        for child in reversed(self._children):
            child.stop()

    def _begin(self, child: Child) -> Child:
        self._children.append(child)
        return child

    def _client_arguments(self) -> list[str]:
        """What a client needs to reach the brokers; secrets stay in their file."""
        config = self.options.kafka_config
        options = [f"--kafka-option={option}" for option in self.options.kafka_option]
        return [f"--kafka-config={config}", *options] if config else options

    def _reader_command(self, what: str, *arguments: str) -> list[str]:
        return python_module(
            "tidemark.run.ledger_reader",
            what,
            f"--bootstrap={','.join(self.brokers)}",
            f"--topic={self.topic}",
            *self._client_arguments(),
            *arguments,
        )
