"""`tidemark target`: serve one target in the foreground."""

from tidemark.commands.options import table_command
from tidemark.targets.serve import OPTIONS, serve

target = table_command(serve, OPTIONS, "Serve one of the built-in targets in the foreground.")
