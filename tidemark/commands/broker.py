"""`tidemark broker`: run the embedded broker in the foreground."""

from tidemark.commands.options import table_command
from tidemark.targets.brokers.command import OPTIONS, run_brokers

broker = table_command(
    run_brokers, OPTIONS, "Run the embedded broker in the foreground and print its address."
)
