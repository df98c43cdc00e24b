"""What comes after a run: the exit code, the verdict if it is asked for, and the report."""

import gevent
from locust.env import Environment

from tidemark.record.metadata import COMPLETED
from tidemark.run.children import NURSERY, run_to_terminal, say
from tidemark.run.gate import graver, judge
from tidemark.run.journal import Ending
from tidemark.run.reporting import REPORTS
from tidemark.run.session import Session

EXIT_FAILED, EXIT_UNUSABLE, EXIT_CANNOT_TELL = 1, 2, 3


def exit_code(ended: Ending) -> int | None:
    """What Locust exits with; None leaves it to Locust, which counts failed requests."""
    if ended.cannot_tell:
        return EXIT_CANNOT_TELL
    is_bad = ended.outcome != COMPLETED or ended.has_lost_targets or ended.is_stopped
    return EXIT_FAILED if is_bad else None


class Aftermath:
    """The run that has ended last, as far as it is not judged and reported yet.

    Args:
        environment: Locust's, whose exit code is set.
        has_page: Whether Locust's page stays, so that the report is for its tab.
    """

    def __init__(self, environment: Environment, *, has_page: bool) -> None:
        self._environment = environment
        self._has_page = has_page
        self._unreported: Session | None = None
        self._unjudged: Session | None = None

    def take(self, session: Session) -> None:
        """A run has ended that had its load."""
        self._unjudged = session
        if not session.plan.is_watched or not session.plan.options.no_report:
            self._unreported = session
            if self._has_page:
                gevent.spawn(self.report)

    def judge(self) -> None:
        """Let the verdict on the last run decide the exit code, if that was asked for."""
        session, self._unjudged = self._unjudged, None
        asked = session.plan.options.fail_on if session else ""
        if session and asked and not NURSERY.is_closed:
            found = judge(session.path)
            say(f"--fail-on {asked}: {found.line}")
            code = graver(self._environment.process_exit_code, found.exit_code(asked))
            self._environment.process_exit_code = code

    def report(self) -> None:
        """Write the report of the run that has just ended."""
        session, self._unreported = self._unreported, None
        if session and not session.plan.is_watched:
            say(f"{session.record.told()}; no process was watched, so there is no verdict")
        elif session and not NURSERY.is_closed:
            if self._has_page:
                REPORTS.make(session.path)
            else:
                run_to_terminal("tidemark", "report", str(session.path))
