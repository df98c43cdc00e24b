"""The service that is started for a run: which, how, and what it may have."""

from typing import Any

from tidemark.record import options as value
from tidemark.record.options import Option
from tidemark.services.keys import ready_path, service_url, words
from tidemark.services.service import READY_TIMEOUT_S
from tidemark.targets.strategies import ALIASES, STRATEGIES, resolve


def _command(given: Any) -> str:
    """A command line as a text; empty for none."""
    text = str(given or "")
    if text:
        words(text)
    return text


STRATEGY = Option(
    "strategy",
    resolve,
    "per-request-leaked",
    "how the target makes its Kafka producer",
    "NAME",
    choices=(*STRATEGIES, *ALIASES),
)
SERVICE = Option(
    "service",
    value.one_word,
    "",
    "the service of tidemark.toml, or the built-in one, that is started and driven",
    "NAME",
    in_form=False,
)
TIDEMARK_CONFIG = Option(
    "tidemark_config",
    value.file,
    "",
    "file that says what services there are; tidemark.toml of this folder if none",
    "FILE",
    in_form=False,
    alias="--config",
)
COMMAND = Option(
    "command",
    _command,
    "",
    "command line of a service that is in no file: split like a shell does, {port} and the "
    "like as in tidemark.toml",
    "COMMAND",
    in_form=False,
)
URL = Option(
    "url",
    service_url,
    "",
    "where the requests to --service or --command go, if that cannot be found out",
    "URL",
    in_form=False,
)
READY = Option(
    "ready",
    ready_path,
    "",
    "path that answers below 400 when --service or --command is up; if none, its port accepts",
    "PATH",
    in_form=False,
)
READY_TIMEOUT = Option(
    "ready_timeout",
    value.number(0, 86_400),
    0.0,
    f"seconds until --service or --command has to be up (0: what it says itself, or "
    f"{READY_TIMEOUT_S:g})",
    "S",
    in_form=False,
)
FDS_LIMIT = Option(
    "fds_limit", value.integer(1), 1024, "descriptor limit (RLIMIT_NOFILE) of the target alone"
)
WORKERS = Option("workers", value.integer(1, 64), 1, "worker processes of the target")
THREADS = Option(
    "threads", value.integer(1, 1024), 16, "request threads per worker process of the target"
)
