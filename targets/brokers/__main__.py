"""`python -m tidemark.targets.brokers`."""

import sys

from tidemark.record.command_line import run_command
from tidemark.targets.brokers.command import OPTIONS, run_brokers

_PROGRAM = "python -m tidemark.targets.brokers"

sys.exit(run_command(run_brokers, OPTIONS, _PROGRAM, "Run Kafka brokers on loopback, for tests."))
