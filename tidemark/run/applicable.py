"""Which options have no effect on the service that is driven: who gives one is told so."""

from collections.abc import Iterable, Mapping
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.record.options import was_given
from tidemark.run.options import OPTIONS
from tidemark.services.service import Service

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
_OF_OTHERS = ("url", "ready", "ready_timeout", "metrics_url")
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
        raise OptionError(
            "--service and --command contradict each other: leave out one",
            about=["service", "command"],
        )


def check_service(
    values: Mapping[str, Any], service: Service, *, has_bootstrap: bool = False
) -> None:
    """Check what was given together with a service.

    Args:
        values: Options as a command line hands them over; defaults are no matter.
        service: It; one that is started, or one that runs already.
        has_bootstrap: Whether somebody named brokers that are there.

    Raises:
        OptionError: One of them does nothing there; one line.
    """
    if not service.is_started:
        names = (name for name in _OF_SOMETHING_STARTED if name not in {"service", "url"})
        _refuse(values, (*names, "fault"), f"service {service.name}, which runs already")
        return
    if service.announces:
        _refuse(values, _OF_OTHERS, "a built-in service")
        if was_given(values.get("service")):
            _refuse(values, ("strategy",), "--service")
        return
    _refuse(values, _OF_BUILTIN, "a service that is not built in")
    if not (service.needs_brokers or has_bootstrap):
        _refuse(values, _OF_EMBEDDED_BROKERS, "a service that needs no brokers ({bootstrap})")


def _refuse(values: Mapping[str, Any], names: Iterable[str], where: str) -> None:
    for name in names:
        if was_given(values.get(name)):
            message = f"{_FLAGS[name]}: has no effect on {where}: leave it out"
            raise OptionError(message, about=[name])
