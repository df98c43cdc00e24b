"""`tidemark sample`: watch a process without driving it."""

from tidemark.commands.options import table_command
from tidemark.sampler.options import OPTIONS
from tidemark.sampler.session import watch

sample = table_command(
    watch, OPTIONS, "Watch a process and everything below it, without driving it."
)
