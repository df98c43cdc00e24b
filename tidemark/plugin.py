"""The Locust plugin: every start of a test is a run of its own, on a fresh target.

Importing this module from a locustfile registers the options and the hooks. Locust's order of
events differs between the ways a test can end (a time limit, Ctrl-C, SIGTERM, the web form), so
every hook may be called at any time and more than once.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import gevent
from flask import Response, jsonify, request
from locust import events
from locust.env import Environment
from locust.runners import STATE_RUNNING, STATE_SPAWNING, LocalRunner, Runner
from locust.web import WebUI

from tidemark.record.errors import OptionError, TidemarkError
from tidemark.run.children import run_to_terminal, say
from tidemark.run.load import Load
from tidemark.run.options import OPTIONS, Option, RunOptions
from tidemark.run.soak import ABORTED, COMPLETED, EXHAUSTED, Ending, SoakRun
from tidemark.targets.errors import TargetError
from tidemark.users import set_load

WATCH_INTERVAL_S = 0.1
EXIT_UNUSABLE = 2
LOOPBACK = "127.0.0.1"
EMBEDDED_HOST = "embedded target"  # what the web form shows as host when nobody gave one
RUNNING_STATES = (STATE_SPAWNING, STATE_RUNNING)


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of a run to Locust's own, in the help and in the web form."""
    # Locust listens on all interfaces and cuts requests in flight off unless told otherwise.
    parser.set_defaults(web_host=LOOPBACK, master_bind_host=LOOPBACK, stop_timeout="6")
    parser.add_argument(
        "--help-all",
        action="help",
        include_in_web_ui=False,
        help="show this help with the options of Tidemark and exit",
    )
    for option in OPTIONS:
        _add_option(parser, option)


def _add_option(parser: Any, option: Option) -> None:
    common = {"help": f"{option.help} (default: {_shown_default(option)})"}
    if option.is_flag:
        parser.add_argument(
            option.flag, env_var=option.environment_variable, action="store_true", **common
        )
        return
    parser.add_argument(
        option.flag,
        env_var=option.environment_variable,
        default=None if option.is_repeatable else _form_value(option.default),
        type=_argument_type(option),
        **({"action": "append"} if option.is_repeatable else {}),
        metavar=option.metavar,
        choices=option.choices,
        **common,
    )


def _argument_type(option: Option) -> Callable[[str], Any]:
    def parse(text: str) -> str:
        try:
            option.read(text)
        except OptionError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{option.flag}: ")) from error
        return text  # kept as text: the web form hands back text too

    return parse


def _form_value(value: Any) -> str:
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _shown_default(option: Option) -> str:
    return "off" if option.is_flag else _form_value(option.default) or "none"


@events.init.add_listener
def install(
    environment: Environment, runner: Runner | None, web_ui: WebUI | None, **_: Any
) -> None:
    """Hook the plugin into a Locust process; ends it with one line when it cannot work."""
    if not isinstance(runner, LocalRunner):
        sys.exit(_refusal("distributed runs are not supported: leave out --master and --worker"))
    Plugin(environment, runner, web_ui).install()


def _refusal(message: str) -> int:
    say(message)
    return EXIT_UNUSABLE


class Plugin:
    """One Locust process and the run that is under way in it, if any."""

    def __init__(self, environment: Environment, runner: LocalRunner, web_ui: WebUI | None) -> None:
        self.environment = environment
        self.runner = runner
        self.web_ui = web_ui
        self.run: SoakRun | None = None
        self._begun = False
        self._loops: list[gevent.Greenlet[..., None]] = []
        self._own_urls: set[str] = set()
        self._asked_ending: Ending | None = None

    def install(self) -> None:
        """Register the hooks; headless and with --autostart, start the first run at once."""
        on = self.environment.events
        on.test_start.add_listener(self.on_test_start)
        on.test_stop.add_listener(self.on_test_stop)
        on.quitting.add_listener(self.on_quitting)
        on.quit.add_listener(self.on_quit)
        on.request.add_listener(self.on_request)
        self._end_on_sigterm()
        if self.web_ui and self.web_ui.app:
            self.environment.host = self.environment.host or EMBEDDED_HOST
            self.web_ui.app.before_request(self.before_swarm)
        try:
            if not self.web_ui or vars(self.environment.parsed_options)["autostart"]:
                self.prepare()
            else:
                self._read_options()
        except (TidemarkError, TargetError) as error:
            sys.exit(_refusal(str(error)))

    def _end_on_sigterm(self) -> None:
        # Locust handles SIGTERM only once a headless run with a load shape has ended.
        if self.environment.shape_class and not self.web_ui:
            gevent.signal_handler(signal.SIGTERM, os.kill, os.getpid(), signal.SIGINT)

    # -- start ---------------------------------------------------------------------------------

    def _read_options(self) -> RunOptions:
        return RunOptions.parse(vars(self.environment.parsed_options))

    def prepare(self) -> None:
        """Start what the next run needs.

        Raises:
            TidemarkError: one line that says what is wrong; nothing is left running.
            TargetError: the same, from the targets.
        """
        host = self._foreign_host()
        run = SoakRun(self._read_options(), host)
        self.run = run
        try:
            run.start()
        except BaseException:
            self.run = None
            raise
        self._begun = False
        self.environment.host = run.url
        if not host and run.url:
            self._own_urls.add(run.url)
        say(f"run directory {run.path}")

    def _foreign_host(self) -> str | None:
        """The service to drive; None when the target is to be started here."""
        host = self.environment.host or EMBEDDED_HOST
        # A page loaded during a run hands the URL of its target back as the next run's host.
        return None if host == EMBEDDED_HOST or host in self._own_urls else host

    def before_swarm(self) -> Response | None:
        """Check the web form and start the run, so that what is wrong shows in the form."""
        if request.method != "POST" or not request.path.endswith("/swarm"):
            return None
        if self.runner.state in RUNNING_STATES:
            return None  # only the number of users is being changed
        try:
            self._take_form()
            self.prepare()
        except (TidemarkError, TargetError) as error:
            say(str(error))
            return jsonify(success=False, message=str(error), host=self.environment.host)
        return None

    def _take_form(self) -> None:
        """Check what the form says of the run, and take it over."""
        form = request.form.to_dict()
        parsed = self.environment.parsed_options
        RunOptions.parse({**vars(parsed), **form})
        for option in OPTIONS:
            if option.name in form:
                setattr(parsed, option.name, form[option.name])
        if "host" in form:
            self.environment.host = form["host"]

    def on_test_start(self, **_: Any) -> None:
        """The load begins."""
        if self.run is None or self.run.ending or self._begun:
            try:
                self.prepare()
            except (TidemarkError, TargetError) as error:
                self._refuse_start(error)
                return
        run = self.run
        assert run is not None  # noqa: S101 - prepare sets it or raises
        self._begun = True
        self.environment.host = run.url
        set_load(self.environment, Load(run))
        run.begin_load(self.runner.target_user_count)
        self._loops = [gevent.spawn(self._tick_loop, run), gevent.spawn(self._watch_loop, run)]
        gevent.spawn(run.inject_faults)  # not stopped with the others: it must bring brokers back

    def _refuse_start(self, error: Exception) -> None:
        say(str(error))
        self.environment.process_exit_code = EXIT_UNUSABLE
        gevent.spawn(self.runner.quit if not self.web_ui else self.runner.stop)

    # -- while it runs -------------------------------------------------------------------------

    def on_request(self, **request_meta: Any) -> None:
        """Count one answered request of the run under way."""
        if self.run:
            self.run.record.on_request(**request_meta)

    def _tick_loop(self, run: SoakRun) -> None:
        """One row of requests.csv per interval, on the grid of the run's clock."""
        interval = run.options.interval
        while not run.ending:
            gevent.sleep(interval - run.clock.now().elapsed_s % interval)
            run.tick(self.runner.user_count)

    def _watch_loop(self, run: SoakRun) -> None:
        while not (ending := run.watch()):
            gevent.sleep(WATCH_INTERVAL_S)
        if not run.ending:
            # In a greenlet of its own: stopping the test ends this loop.
            gevent.spawn(self._end, ending)

    def _end(self, ending: Ending) -> None:
        say(f"{ending.reason}; ending the run as {ending.outcome}")
        self._asked_ending = ending
        if ending.outcome != EXHAUSTED:
            self.environment.process_exit_code = 1
        if self.web_ui:
            self.runner.stop()
        else:
            self.runner.quit()

    # -- end -----------------------------------------------------------------------------------

    def on_test_stop(self, **_: Any) -> None:
        """The load has ended: by its time limit, by the web form, or because we ended it."""
        ending = self._asked_ending or Ending(COMPLETED, "the load came to its end")
        self._asked_ending = None
        self._finish(ending)

    def on_quitting(self, **_: Any) -> None:
        """Locust is about to exit, perhaps with users still running."""
        interrupted = Ending(ABORTED, "interrupted")
        if self.runner.state in RUNNING_STATES:
            self._asked_ending = self._asked_ending or interrupted
            self.runner.stop()  # lets the requests in flight end; fires test_stop
        self._finish(interrupted)

    def _finish(self, ending: Ending) -> None:
        """Complete the run under way; when somebody is at it already, wait until it is done."""
        run = self.run
        if run is None:
            return
        gevent.killall(self._loops, block=False)
        set_load(self.environment, None)
        run.tick(self.runner.user_count)
        run.watch()
        first = run.ending is None
        run.finish(ending.outcome, ending.reason)
        if run.url in self._own_urls and self.web_ui:
            self.environment.host = EMBEDDED_HOST
        if first and self.web_ui:
            gevent.spawn(self._report, run)

    def _report(self, run: SoakRun) -> None:
        if not run.options.no_report:
            run_to_terminal("tidemark", "report", str(run.path))

    def on_quit(self, **_: Any) -> None:
        """Explain the headless run, below Locust's own tables."""
        if not self.web_ui and self.run and self._begun:
            self._report(self.run)
