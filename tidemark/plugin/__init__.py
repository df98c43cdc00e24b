"""The Locust plugin: every start of a test is a run of its own, on a fresh target.

Importing this package from a locustfile registers the options and the hooks below.
"""

import sys
from typing import Any, NoReturn

import gevent
from locust import events
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerRunner
from locust.web import WebUI

from tidemark.defaults import offered, set_defaults_of_locust
from tidemark.distributed.forks import Forks
from tidemark.distributed.worker import Worker
from tidemark.plugin.aftermath import EXIT_UNUSABLE
from tidemark.plugin.process import LocustProcess
from tidemark.record.command_line import add_option
from tidemark.record.errors import TidemarkError
from tidemark.record.options import check_flags_of_environment
from tidemark.record.secrets import without_secrets
from tidemark.run.children import say
from tidemark.run.options import OPTIONS
from tidemark.tables import keep_small

FORKS = Forks()


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of a run to Locust's own, in the help and in the web form."""
    set_defaults_of_locust(parser)
    parser.add_argument(
        "--help-all",
        action="help",
        include_in_web_ui=False,
        help="show this help with the options of Tidemark and exit",
    )
    parser.add_argument(
        "--web-allow-host",
        metavar="NAME",
        action="append",
        include_in_web_ui=False,
        env_var="TIDEMARK_WEB_ALLOW_HOST",
        help="name or address, beside --web-host and this machine's own, that the web UI may be "
        "reached as; repeatable",
    )
    try:
        check_flags_of_environment(OPTIONS)  # Locust's parser would repeat all of a wrong one
    except TidemarkError as error:
        _refuse(str(error))
    for option in offered(parser):
        for_web_form: dict[str, Any] = {"include_in_web_ui": option.in_form}
        if option.choices:
            for_web_form["choices"] = option.choices
        variable = option.environment_variable
        add_option(parser, option, keep_text=True, env_var=variable, **for_web_form)


@events.init.add_listener
def install(
    environment: Environment, runner: Runner | None, web_ui: WebUI | None, **_: Any
) -> None:
    """Hook the plugin into a Locust process; ends it with one line when it cannot work."""
    FORKS.ready()
    gevent.spawn(keep_small, environment)
    if isinstance(runner, WorkerRunner):
        Worker(environment, runner).install()
        return
    if not isinstance(runner, LocalRunner | MasterRunner):
        _refuse("this way of running Locust is not known: leave out what replaces its runner")
    environment.host = environment.host or _host_of_users(environment)
    try:
        LocustProcess(environment, runner, web_ui).install()
    except TidemarkError as error:
        _refuse(str(error))


def _host_of_users(environment: Environment) -> str | None:
    """The host that the locustfile itself names; if several are, Locust would drive each."""
    hosts = sorted({user.host for user in environment.user_classes if user.host})
    if len(hosts) > 1:
        shown_hosts = ", ".join(map(without_secrets, hosts))
        _refuse(
            f"the users of the locustfile have several hosts ({shown_hosts[:100]}): "
            "name the one to drive with --host"
        )
    return hosts[0] if hosts else None


def _refuse(message: str) -> NoReturn:
    say(message)
    sys.exit(EXIT_UNUSABLE)
