"""Which options have no effect on the service that is driven: who gives one is told so."""

from collections.abc import Iterable, Mapping
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.record.options import was_given
from tidemark.run.options import OPTIONS

_FLAGS = {option.name: option.flag for option in OPTIONS}
_OF_SOMETHING_STARTED = (
    "strategy",
    "service",
    "command",
    "url",
    "ready",
    "ready_timeout",
    "fds_limit",
    "workers",
    "threads",
    "broker",
    "brokers",
    "broker_option",
)
_OF_BUILTIN = ("strategy", "workers", "threads")
_OF_OTHERS = ("url", "ready", "ready_timeout")
_OF_EMBEDDED_BROKERS = ("broker", "brokers", "broker_option")


def check_applicable(values: Mapping[str, Any], *, has_host: bool) -> None:
    """Check what was given together with a host, a service or a command.

    Args:
        values: Options as a command line hands them over; defaults are no matter.
        has_host: Whether a service is driven that is there already.

    Raises:
        OptionError: One of them does nothing there; one line.
    """
    if has_host:
        _refuse(values, _OF_SOMETHING_STARTED, "a service that is there already (--host)")
    if was_given(values.get("service")) and was_given(values.get("command")):
        raise OptionError("--service and --command contradict each other: leave out one")


def check_service(values: Mapping[str, Any], *, is_builtin: bool, has_brokers: bool) -> None:
    """Check what was given together with the service that is started.

    Args:
        values: Options as a command line hands them over; defaults are no matter.
        is_builtin: Whether it is a built-in one.
        has_brokers: Whether it needs brokers.

    Raises:
        OptionError: One of them does nothing there; one line.
    """
    if is_builtin:
        _refuse(values, _OF_OTHERS, "a built-in service")
        if was_given(values.get("service")):
            _refuse(values, ("strategy",), "--service")
        return
    _refuse(values, _OF_BUILTIN, "a service that is not built in")
    if not has_brokers:
        _refuse(values, _OF_EMBEDDED_BROKERS, "a service that needs no brokers ({bootstrap})")


def _refuse(values: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in names:
        if was_given(values.get(name)):
            raise OptionError(f"{_FLAGS[name]}: has no effect on {where}: leave it out")
