"""Prints what Locust, with the plugin, makes of a command line and of the environment.

A process of its own: importing Locust patches the standard library.
"""

import json
import sys

from locust.argument_parser import get_parser

import tidemark.plugin  # noqa: F401 - registers the options
from tidemark.run.options import RunOptions

parser = get_parser(default_config_files=[])
parsed = parser.parse_args(sys.argv[1:])
RunOptions.parse(vars(parsed))
variables = [
    variable for action in parser._actions if (variable := getattr(action, "env_var", None))
]
sys.stdout.write(json.dumps({"parsed": vars(parsed), "variables": variables}, default=str) + "\n")
