"""What `tidemark.toml` says of a run, beside what the command line and the environment say."""

import difflib
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tidemark.record.errors import OptionError
from tidemark.record.options import Option, duration, integer, path, shown, was_given
from tidemark.routes import Route, read_routes
from tidemark.run.agents import OF_AGENTS
from tidemark.run.applicable import check_applicable, check_service
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.sampler.tree import short_name
from tidemark.services.builtin import NAMES as BUILTIN_NAMES
from tidemark.services.builtin import builtin_service
from tidemark.services.consistency import FILES, FOUND_BY, OF_AGENT, OPTION_KEYS
from tidemark.services.errors import ServiceError
from tidemark.services.file import FILE_NAME, LOAD, ROUTES, Configuration, read_configuration
from tidemark.services.keys import words
from tidemark.services.service import Service
from tidemark.targets.client_options import CLIENT_OPTIONS

_NOT_OF_A_LOAD = frozenset(
    {
        "strategy",
        "service",
        "tidemark_config",
        "command",
        "url",
        "ready",
        "ready_timeout",
        "fds_limit",
        "workers",
        "threads",
        "kafka_config",
        "allow_kafka_plugins",
        "results",
        "run_name",
        "route",  # `routes` has more to say
        "target_port",
        "target_pid",
        "target_command",
        "target_unit",
        "target_container",
        "pid_file",
        "all_targets",
        "no_target",
        *OF_AGENTS,
        "metrics_url",
        "yes",  # is said anew each time
        "check_setup",
        "fail_on",
        "resume",
        "share_files",
        "no_panel",
        "no_report",
    }
)
"""Options that are about a service, a place or one run, and not about what is sent."""

RUN_TIME = Option("run_time", duration, 60.0, "how long the load lasts: 60s, 10m, 1h30m", "TIME")
USERS = Option("users", integer(1), 1, "users of the closed workload; the open one needs only one")
LOAD_OPTIONS: tuple[Option, ...] = (
    *(option for option in OPTIONS if option.name not in _NOT_OF_A_LOAD),
    USERS,
    RUN_TIME,
)
"""What `[load]` may set, beside `routes`."""
SERVICE_OPTIONS: tuple[Option, ...] = tuple(
    # Whether they are there is found out when they are looked for: a file is read in other folders
    # too, and that of an id comes and goes with its service.
    replace(option, parse=path, default=None) if option.name in FILES else option
    for option in OPTIONS
    if option.name in OPTION_KEYS
)
"""What a service may set of the options of a run, beside its own keys."""

_OF_BUILTIN = ("workers", "threads", "fds_limit", *(option.name for option in CLIENT_OPTIONS))


def read_file(named: str, *, is_asked_for: bool) -> Configuration | None:
    """The file that is named, or that of this folder, if that is asked for and there.

    Who names no service and no file is not told by one: the built-in strategies are compared
    alike everywhere.

    Raises:
        ServiceError: It cannot be used.
    """
    file = Path(named or FILE_NAME)
    if named or (is_asked_for and file.exists()):
        return read_configuration(file, LOAD_OPTIONS, SERVICE_OPTIONS)
    return None


def file_of(values: Mapping[str, Any]) -> Configuration | None:
    """The same for options as they were given, or as they were read.

    Raises:
        ServiceError: It cannot be used.
    """
    named = str(values.get("tidemark_config") or "")
    return read_file(named, is_asked_for=bool(values.get("service") or values.get("command")))


def configured(
    values: Mapping[str, Any], configuration: Configuration | None, service: str = ""
) -> dict[str, Any]:
    """Options with what a file says where nobody else said anything.

    Args:
        values: Options as a command line hands them over, the environment's among them.
        configuration: The file, if there is one.
        service: The service that is driven, whose descriptor limit, brokers and process count.
    """
    if configuration is None:
        return dict(values)
    said = dict(configuration.load)
    if found := configuration.services.get(service):
        said |= _said_by(found, values)
    left = {name: value for name, value in said.items() if not was_given(values.get(name))}
    return {**values, **left}


def _said_by(service: Service, values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that a service sets; not how its process is found, if that was given.

    What its agent is shown is for its agent alone.
    """
    said = dict(service.options)
    if service.fds_limit is not None:
        said["fds_limit"] = service.fds_limit
    is_found = any(was_given(values.get(name)) for name in FOUND_BY)
    return {
        name: one for name, one in said.items() if not (is_found and name in (*FOUND_BY, *OF_AGENT))
    }


def completed(values: Mapping[str, Any], *, has_host: bool) -> dict[str, Any]:
    """Options as a command line hands them over, once all that was given is found to matter.

    What nobody gave is as the file says.

    Args:
        values: The options, the environment's among them.
        has_host: Whether a service is driven that is there already.

    Raises:
        TidemarkError: The file cannot be used, there is no such service, or an option would do
            nothing.
    """
    check_applicable(values, has_host=has_host)
    configuration = file_of(values)
    said = configured(values, configuration, str(values.get("service") or ""))
    routes_of(configuration)  # what is wrong with them is told now
    if not has_host:
        service = service_of(RunOptions.parse(said), configuration)
        check_service(values, service, has_bootstrap=bool(said.get("bootstrap")))
    return said


def running_service(values: Mapping[str, Any]) -> Service | None:
    """The service that completed options name, if it runs already; None if one is started.

    Raises:
        TidemarkError: There is no such service.
    """
    service = service_of(RunOptions.parse(values), file_of(values))
    return None if service.is_started else service


def service_of(options: RunOptions, configuration: Configuration | None) -> Service:
    """The service that these options ask for.

    Raises:
        TidemarkError: There is none of that name, or a variable that it takes is not set.
    """
    if options.command:
        service = service_of_command(words(options.command))
    elif options.service:
        service = named_service(options, options.service, configuration)
    else:
        service = _builtin(options, options.strategy)
    return replace(
        service,
        url=options.url or service.url,
        ready=options.ready or service.ready,
        ready_timeout=options.ready_timeout or service.ready_timeout,
    )


def service_of_command(command: tuple[str, ...]) -> Service:
    """A service that is in no file, called as its program is."""
    name = re.sub(r"[^A-Za-z0-9._-]", "", short_name(list(command), ""))[:64].lstrip("._-")
    return Service(name=name or "service", command=command)


def named_service(options: RunOptions, name: str, configuration: Configuration | None) -> Service:
    """A service of the file, or the built-in one of that name.

    Raises:
        TidemarkError: There is none; says which there are, and where.
    """
    if configuration and name in configuration.services:
        return configuration.checked(name, os.environ)
    if name in BUILTIN_NAMES:
        return _builtin(options, name)
    raise unknown_service(name, configuration)


def unknown_service(name: str, configuration: Configuration | None) -> ServiceError:
    """There is no service of that name: the error that says which there are."""
    inside = list(configuration.services) if configuration else []
    near = difflib.get_close_matches(name, [*inside, *BUILTIN_NAMES], 1)
    meant = f"did you mean {near[0]}? " if near else ""
    if configuration is None:
        where = f"no {FILE_NAME} is here (`tidemark init` writes one, --config names another)"
    else:
        where = f"{configuration.path} has {', '.join(inside) or 'none'}"
    builtin = ", ".join(BUILTIN_NAMES)
    return ServiceError(
        f"there is no service {shown(name)}: {meant}{where}; built in are {builtin}",
        about=["service"],
    )


def _builtin(options: RunOptions, name: str) -> Service:
    return builtin_service(name, options.as_arguments(*_OF_BUILTIN))


def routes_of(configuration: Configuration | None) -> tuple[Route, ...]:
    """The routes that the file says are driven; none if it says nothing of them.

    Raises:
        ServiceError: They cannot be used; names file and line.
    """
    if configuration is None or configuration.routes is None:
        return ()
    try:
        return read_routes(configuration.routes, configuration.folder)
    except OptionError as error:
        raise configuration.at((LOAD, ROUTES), str(error)) from error
