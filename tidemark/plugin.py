"""The Locust plugin: every start of a test is a run of its own, on a fresh target.

Importing this module from a locustfile registers the options and the hooks. Locust's order of
events differs between the ways a test can end (a time limit, Ctrl-C, SIGTERM, the web form), so
every hook may be called at any time and more than once.
"""

import sys
from pathlib import Path
from typing import Any, NoReturn

import gevent
from locust import events
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner, Runner, WorkerRunner
from locust.user.task import filter_tasks_by_tags
from locust.web import WebUI

from tidemark.clients import count_requests
from tidemark.defaults import offered
from tidemark.distributed.forks import Forks
from tidemark.distributed.master import Master
from tidemark.distributed.worker import Worker
from tidemark.record.command_line import add_option
from tidemark.record.errors import TidemarkError
from tidemark.record.metadata import ABORTED, COMPLETED
from tidemark.record.options import Option, check_flags_of_environment, integer
from tidemark.record.secrets import without_secrets
from tidemark.routes import Route, parse_route, read_headers, with_headers
from tidemark.run.children import NURSERY, run_to_terminal, say
from tidemark.run.configuration import completed, running_service
from tidemark.run.display import give_way_to_panel, wants_panel
from tidemark.run.gate import graver, judge
from tidemark.run.interrupted import Interrupted
from tidemark.run.interruptions import Interruptions
from tidemark.run.journal import Ending
from tidemark.run.load import Load
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.reporting import REPORTS
from tidemark.run.resuming import fill_in, take_up
from tidemark.run.session import Session, State
from tidemark.run.setup_check import look_at_setup
from tidemark.tab.page import Tab
from tidemark.tables import keep_small
from tidemark.users import SoakUser, set_load
from tidemark.web import EMBEDDED_HOST, RUNNING_STATES, WebPage

WATCH_INTERVAL_S = 0.1
EXIT_FAILED, EXIT_UNUSABLE, EXIT_CANNOT_TELL = 1, 2, 3
INTERRUPTED = Ending(ABORTED, "interrupted")
USERS = Option("users", integer(1), 1, "users, which Locust takes unchecked")
LOOPBACK = "127.0.0.1"
FORKS = Forks()
BY_NAME = {option.name: option for option in OPTIONS}


@events.init_command_line_parser.add_listener
def add_options(parser: Any) -> None:
    """Add the options of a run to Locust's own, in the help and in the web form."""
    # Locust listens on all interfaces and cuts requests in flight off unless told otherwise.
    parser.set_defaults(web_host=LOOPBACK, master_bind_host=LOOPBACK, stop_timeout="6")
    parser.set_defaults(expect_workers_max_wait=60, enable_rebalancing=True)
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
    Plugin(environment, runner, web_ui).install()


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


def exit_code(ended: Ending) -> int | None:
    """What Locust exits with; None leaves it to Locust, which counts failed requests."""
    if ended.cannot_tell:
        return EXIT_CANNOT_TELL
    is_bad = ended.outcome != COMPLETED or ended.has_lost_targets or ended.is_stopped
    return EXIT_FAILED if is_bad else None


def _as_set(tags: list[str] | None) -> set[str] | None:
    return set(tags) if tags else None


class Plugin:
    """One Locust process and the run that is under way in it, if any."""

    def __init__(
        self, environment: Environment, runner: LocalRunner | MasterRunner, web_ui: WebUI | None
    ) -> None:
        self.environment = environment
        self.runner = runner
        self.web_ui = web_ui
        self._session: Session | None = None
        self._starter: Any = None  # the greenlet that starts a run at the moment
        self._is_ending = False
        self._loops: list[gevent.Greenlet[..., None]] = []
        self._own_urls: set[str] = set()
        self._asked_ending: Ending | None = None
        self._unreported: Session | None = None
        self._unjudged: Session | None = None
        self._interruptions = Interruptions(self._interrupt, self._hurry)
        self._tab: Tab | None = None
        self._past: Interrupted | None = None  # the run that is gone on with
        self._master: Master | None = None
        if isinstance(runner, MasterRunner):
            has_forked = bool(vars(environment.parsed_options)["processes"])
            self._master = Master(runner, self._keeps_time, has_forked=has_forked)

    def install(self) -> None:
        """Register the hooks; headless and with --autostart, start the first run at once."""
        on = self.environment.events
        on.test_start.add_listener(self.on_test_start)
        on.test_stop.add_listener(self.on_test_stop)
        on.quitting.add_listener(self.on_quitting)
        on.quit.add_listener(self.on_quit)
        on.request.add_listener(self.on_request)
        on.cpu_warning.add_listener(self.on_cpu_warning)
        count_requests(self.on_sent)
        self._interruptions.install()
        if self._master:
            self._master.install()
        try:
            self._complete_options()
            if self._past:
                fill_in(vars(self.environment.parsed_options), self._past)
        except TidemarkError as error:
            _refuse(str(error))
        if vars(self.environment.parsed_options)["check_setup"]:
            sys.exit(self._check_setup())
        if self.web_ui:
            self.environment.host = self.environment.host or EMBEDDED_HOST
            WebPage(self.environment, self.web_ui, self).install()
            self._tab = Tab(self.web_ui, REPORTS)
            self._tab.install()
        give_way_to_panel(self.environment.parsed_options)
        try:
            self._check_load()
            if not self.web_ui or vars(self.environment.parsed_options)["autostart"]:
                self._await_workers()
                self.prepare()
            else:
                self._read_options()
        except TidemarkError as error:
            _refuse(str(error))
        except KeyboardInterrupt:
            say("interrupted while it was being started")
            sys.exit(EXIT_FAILED)

    # -- start ---------------------------------------------------------------------------------

    def _complete_options(self) -> None:
        """Let the options say what tidemark.toml says, in the web form too.

        Raises:
            TidemarkError: one line that says what is wrong with it, or with an option.
        """
        given = vars(self.environment.parsed_options)
        if past := take_up(given, shape=self.environment.shape_class):
            self._past, self.environment.host = past, past.host or self.environment.host
        has_host = self._foreign_host() is not None
        for name, value in completed(given, has_host=has_host).items():
            if name in BY_NAME and value is not given[name]:
                given[name] = BY_NAME[name].as_given(value)
        if not has_host and (running := running_service(given)):
            self.environment.host = running.url

    def _check_load(self) -> None:
        """Check what Locust finds out too late, with a traceback, or never.

        Raises:
            TidemarkError: one line that says what is wrong.
        """
        options: Any = self.environment.parsed_options
        if options.num_users is not None:
            USERS.read(options.num_users)
        if options.run_time == 0:
            raise TidemarkError(
                "--run-time: must be longer than 0 s; leave it out for no limit",
                about=["run_time"],
            )
        for user in self.environment.user_classes:
            filter_tasks_by_tags(user, _as_set(options.tags), _as_set(options.exclude_tags))
            if not user.tasks:
                raise TidemarkError(f"--tags: {user.__name__} has no task of these tags")
        for flag, given in (("--route", options.route), ("--header", options.header)):
            if given and not self.keeps_rate:
                raise TidemarkError(
                    f"{flag} does nothing here, for the users of this locustfile say themselves "
                    "what they send: leave it out, or derive them from tidemark.users.SoakUser"
                )

    def _check_setup(self) -> int:
        """Say what a run would do, without doing it; returns the exit code."""
        try:
            self._check_load()
            options = self._read_options()
            route = self._route_of_users(options)
            setup = look_at_setup(options, self._foreign_host(), self._planned_s, route)
        except TidemarkError as error:
            _refuse(str(error))
        except KeyboardInterrupt:
            return EXIT_FAILED
        sys.stdout.writelines(f"{line}\n" for line in setup.lines())
        return EXIT_UNUSABLE if setup.missing else 0

    def _route_of_users(self, options: RunOptions) -> Route | None:
        """What our own user sends where no route is named; what others send only they know."""
        if any(user.__name__ != "IngestUser" for user in self.environment.user_classes):
            return None
        (route,) = parse_route("POST /ingest {batch}", Path())
        return with_headers(route, read_headers(options.header))

    def _await_workers(self) -> None:
        if self._master:
            options: Any = self.environment.parsed_options
            self._master.await_hands(options.expect_workers, options.expect_workers_max_wait)

    def _keeps_time(self) -> bool:
        """Whether the users only fetch what is due, so that their number does not matter."""
        is_open = vars(self.environment.parsed_options)["workload"] == "open"
        return is_open and self.keeps_rate

    def _read_options(self) -> RunOptions:
        given = vars(self.environment.parsed_options)
        options = RunOptions.parse(given)
        options.check_lasting("--run-time", given["run_time"])
        if options.fail_on and self.web_ui and not given["autostart"]:
            raise TidemarkError("--fail-on: needs a run that starts by itself: --headless")
        return options

    def prepare(self) -> Session:
        """Start what the next run needs.

        Raises:
            TidemarkError: one line that says what is wrong; nothing is left running.
        """
        self.expect_idle()
        if self._master:
            self._master.expect_hands()
        self._starter = gevent.getcurrent()
        try:
            host = self._foreign_host()
            options = self._read_options()
            if self._master:
                self._master.expect_near(host or f"http://{LOOPBACK}")
            self._session = session = Session.start(options, host, self._planned_s, self._past)
        finally:
            self._starter = None
        self.environment.host = session.url
        if not host:
            self._own_urls.add(session.url)
        say(f"run directory {session.path}")
        if self._tab:
            self._tab.begin(session.path, session.companion)
        return session

    @property
    def _planned_s(self) -> float | None:
        """How long the load lasts; None if no end is planned, and nobody is there to end it."""
        run_time_s = vars(self.environment.parsed_options)["run_time"]
        if self.web_ui:
            return run_time_s or 0.0
        return None if self.environment.shape_class else run_time_s

    @property
    def is_busy(self) -> bool:
        """Whether a run is being started, goes on, or is being ended."""
        has_run = self._session is not None and self._session.state is not State.FINISHED
        return self._starter is not None or self._is_ending or has_run

    def expect_idle(self) -> None:
        """Two runs at once would disturb each other.

        Raises:
            TidemarkError: there is one already.
        """
        if self.is_busy:
            raise TidemarkError("another run is being started or ended: wait until that is done")

    def drop_unloaded(self) -> None:
        """End the run that was prepared, when Locust has refused to load it."""
        if self._session and self._session.state is State.READY:
            self._finish(Ending(ABORTED, "its load never began"))
            self._session = self.environment.process_exit_code = None

    def restore_host(self) -> None:
        """Let users that come later drive what the run drives, whatever the form says."""
        if self._session and self._session.state is not State.FINISHED:
            self.environment.host = self._session.url

    @property
    def keeps_rate(self) -> bool:
        """Whether the users keep to the workload and the rate of the options."""
        return any(issubclass(user, SoakUser) for user in self.environment.user_classes)

    def _foreign_host(self) -> str | None:
        """The service to drive; None when the target is to be started here."""
        host = self.environment.host or EMBEDDED_HOST
        # A page loaded during a run hands the URL of its target back as the next run's host.
        return None if host == EMBEDDED_HOST or host in self._own_urls else host

    def on_test_start(self, **_: Any) -> None:
        """The load begins."""
        session = self._session
        if session is None or session.state is not State.READY:
            try:
                session = self.prepare()
            except TidemarkError as error:
                say(str(error))
                self._session = None
                self.environment.process_exit_code = EXIT_UNUSABLE
                gevent.spawn(self.runner.stop if self.web_ui else self.runner.quit)
                return
        self.environment.host = session.url
        users = self.runner.target_user_count
        generators = None
        if self._master:
            generators = self._master.begin(session, users)
        else:
            set_load(self.environment, Load(session.orders, session))
        options: Any = self.environment.parsed_options
        session.begin_load(
            users,
            None if self.environment.shape_class else options.run_time,
            is_of_others=not self.keeps_rate,
            generators=generators,
        )
        session.showing.begin(
            heartbeat_s=0 if self.web_ui else session.plan.options.heartbeat,
            lasts_s=self._planned_s,
            has_panel=wants_panel(options),
        )
        self._loops = [gevent.spawn(loop, session) for loop in (self._tick_loop, self._watch_loop)]
        gevent.spawn(session.inject_faults)  # not stopped with them: it must bring brokers back

    # -- while it runs -------------------------------------------------------------------------

    def on_sent(self) -> None:
        """Count one request that leaves."""
        if self._session:
            self._session.record.count_sent()

    def on_request(self, **request_meta: Any) -> None:
        """Count one answered request of the run under way."""
        if self._session:
            self._session.record.on_request(**request_meta)

    def on_cpu_warning(self, cpu_usage: float, **_: Any) -> None:
        """Locust's process uses about all of a processor that one process can."""
        if self._session and self._session.state is State.LOADED:
            self._session.saturation.used(cpu_usage)

    def _tick_loop(self, session: Session) -> None:
        """One tick per interval, on the grid of the run's clock."""
        interval_s = session.plan.options.interval
        while session.state is State.LOADED:
            gevent.sleep(interval_s - session.journal.clock.now().elapsed_s % interval_s)
            session.tick(self.runner.user_count)

    def _watch_loop(self, session: Session) -> None:
        while session.state is State.LOADED:
            if ending := session.look() or (self._master.look() if self._master else None):
                # In a greenlet of its own: stopping the test ends this loop.
                gevent.spawn(self._end, ending)
                return
            gevent.sleep(WATCH_INTERVAL_S)

    def _end(self, ending: Ending) -> None:
        say(f"the run ends as {ending.outcome}: {ending.reason}")
        self._asked_ending = ending
        (self.runner.stop if self.web_ui else self.runner.quit)()

    def _interrupt(self) -> None:
        """A first signal: whatever Locust makes of it, the load has not come to its end."""
        if self.runner.state in RUNNING_STATES:
            self._asked_ending = self._asked_ending or INTERRUPTED
            if self._master:
                self._master.expect_end()

    def _hurry(self) -> None:
        """A further signal: nothing is waited for any more, but what was recorded is completed."""
        NURSERY.close()
        if self._master:
            self._master.hurry()
        self.runner.user_greenlets.kill(block=False)

    # -- end -----------------------------------------------------------------------------------

    def on_test_stop(self, **_: Any) -> None:
        """The load has ended: by its time limit, by the web form, or because we ended it."""
        ending, self._asked_ending = self._asked_ending, None
        deserted = self._master.look() if self._master else None
        self._finish(ending or deserted or Ending(COMPLETED, "the load came to its end"))

    def on_quitting(self, **_: Any) -> None:
        """Locust is about to exit, perhaps with users still running."""
        self._interruptions.is_ending()
        if self._starter:
            gevent.kill(self._starter)
            self.environment.process_exit_code = EXIT_FAILED
        while self._starter:  # until what it had started is stopped
            gevent.sleep(WATCH_INTERVAL_S)
        self._interrupt()
        if self.runner.state in RUNNING_STATES:
            self.runner.stop()  # lets the requests in flight end; fires test_stop
        self._finish(INTERRUPTED)
        self._judge()

    def _finish(self, ending: Ending) -> None:
        """Complete the run under way; when somebody is at it already, wait until it is done."""
        session = self._session
        if session is None:
            return
        gevent.killall(self._loops, block=False)
        set_load(self.environment, None)
        was_loaded = session.state is State.LOADED
        session.tick(self.runner.user_count)
        self._is_ending = True
        try:
            session.finish(self._master.judged(ending) if self._master else ending)
        finally:
            session.showing.end()
            self._is_ending = False
            if self._master:
                self._master.finish()
        if session.ended:
            self.environment.process_exit_code = exit_code(session.ended)
        if session.url in self._own_urls and self.web_ui:
            self.environment.host = EMBEDDED_HOST
        options = session.plan.options
        if was_loaded:
            self._unjudged = session
        if was_loaded and (not session.plan.is_watched or not options.no_report):
            self._unreported = session
            if self.web_ui:
                gevent.spawn(self._explain)

    def _judge(self) -> None:
        """Let the verdict on the last run decide the exit code, if that was asked for."""
        session, self._unjudged = self._unjudged, None
        asked = session.plan.options.fail_on if session else ""
        if session and asked and not NURSERY.is_closed:
            found = judge(session.path)
            say(f"--fail-on {asked}: {found.line}")
            code = graver(self.environment.process_exit_code, found.exit_code(asked))
            self.environment.process_exit_code = code

    def on_quit(self, **_: Any) -> None:
        """Locust exits now, and has printed its own tables."""
        self._explain()
        self._interruptions.ignore()

    def _explain(self) -> None:
        """Write the report of the run that has just ended."""
        session, self._unreported = self._unreported, None
        if session and not session.plan.is_watched:
            say(f"{session.record.told()}; no process was watched, so there is no verdict")
        elif session and not NURSERY.is_closed:
            if self.web_ui:
                REPORTS.make(session.path)
            else:
                run_to_terminal("tidemark", "report", str(session.path))
