"""One Locust process, and the run that is under way in it.

Locust's order of events differs between the ways a test can end (a time limit, Ctrl-C, SIGTERM,
the web form), so every hook may be called at any time and more than once.
"""

import sys
from typing import Any

import gevent
from locust.env import Environment
from locust.runners import LocalRunner, MasterRunner
from locust.web import WebUI

from tidemark.clients import count_requests
from tidemark.defaults import LOOPBACK
from tidemark.distributed.master import Master
from tidemark.plugin.aftermath import EXIT_FAILED, EXIT_UNUSABLE, Aftermath, exit_code
from tidemark.plugin.asked import Asked
from tidemark.record.errors import TidemarkError
from tidemark.record.metadata import ABORTED, COMPLETED
from tidemark.run.children import NURSERY, say
from tidemark.run.display import give_way_to_panel, wants_panel
from tidemark.run.interruptions import Interruptions
from tidemark.run.journal import Ending
from tidemark.run.load import Load
from tidemark.run.reporting import REPORTS
from tidemark.run.session import Session, State
from tidemark.tab.page import Tab
from tidemark.users import set_load
from tidemark.web import EMBEDDED_HOST, RUNNING_STATES, WebPage

WATCH_INTERVAL_S = 0.1
INTERRUPTED = Ending(ABORTED, "interrupted")


class LocustProcess:
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
        self._asked = Asked(environment, has_page=web_ui is not None)
        self._asked_ending: Ending | None = None
        self._aftermath = Aftermath(environment, has_page=web_ui is not None)
        self._interruptions = Interruptions(self._interrupt, self._hurry)
        self._tab: Tab | None = None
        self._master: Master | None = None
        if isinstance(runner, MasterRunner):
            has_forked = bool(self._asked.given["processes"])
            self._master = Master(runner, self._asked.keeps_time, has_forked=has_forked)

    def install(self) -> None:
        """Register the hooks; headless and with --autostart, start the first run at once.

        Raises:
            TidemarkError: one line that says what is wrong with what was asked for.
        """
        self._listen()
        self._asked.complete()
        if self._asked.given["check_setup"]:
            sys.exit(self._check_setup())
        if self.web_ui:
            self._extend(self.web_ui)
        give_way_to_panel(self.environment.parsed_options)
        try:
            self._asked.check_load()
            if not self.web_ui or self._asked.given["autostart"]:
                self._await_workers()
                self.prepare()
            else:
                self._asked.read()
        except KeyboardInterrupt:
            say("interrupted while it was being started")
            sys.exit(EXIT_FAILED)

    def _listen(self) -> None:
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

    def _extend(self, web_ui: WebUI) -> None:
        """Put what is ours into Locust's page."""
        self.environment.host = self.environment.host or EMBEDDED_HOST
        WebPage(self.environment, web_ui, self).install()
        self._tab = Tab(web_ui, REPORTS)
        self._tab.install()

    def _check_setup(self) -> int:
        """Say what a run would do, without doing it; returns the exit code."""
        try:
            setup = self._asked.look_at_setup()
        except KeyboardInterrupt:
            return EXIT_FAILED
        sys.stdout.writelines(f"{line}\n" for line in setup.lines())
        return EXIT_UNUSABLE if setup.missing else 0

    # -- start ---------------------------------------------------------------------------------

    def _await_workers(self) -> None:
        if self._master:
            given = self._asked.given
            self._master.await_hands(given["expect_workers"], given["expect_workers_max_wait"])

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
            host = self._asked.foreign_host
            options = self._asked.read()
            if self._master:
                self._master.expect_near(host or f"http://{LOOPBACK}")
            lasts_s, past = self._asked.planned_s, self._asked.past
            self._session = session = Session.start(options, host, lasts_s, past)
        finally:
            self._starter = None
        self._asked.drive(session.url, is_own=not host)
        say(f"run directory {session.path}")
        if self._tab:
            self._tab.begin(session.path, session.companion)
        return session

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
        return self._asked.keeps_rate

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
        session.begin_load(
            users,
            self._asked.run_time_s,
            is_of_others=not self.keeps_rate,
            generators=generators,
        )
        session.showing.begin(
            heartbeat_s=0 if self.web_ui else session.plan.options.heartbeat,
            lasts_s=self._asked.planned_s,
            has_panel=wants_panel(self.environment.parsed_options),
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
        self._aftermath.judge()

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
        self._asked.offer_again(session.url)
        if was_loaded:
            self._aftermath.take(session)

    def on_quit(self, **_: Any) -> None:
        """Locust exits now, and has printed its own tables."""
        self._aftermath.report()
        self._interruptions.ignore()
