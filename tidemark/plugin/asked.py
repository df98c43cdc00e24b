"""What Locust was asked for: its options, its users and its host, as a run takes them."""

from pathlib import Path
from typing import Any

from locust.env import Environment
from locust.user.task import filter_tasks_by_tags

from tidemark.record.errors import TidemarkError
from tidemark.record.options import Option, integer
from tidemark.routes import Route, parse_route, read_headers, with_headers
from tidemark.run.configuration import completed, running_service
from tidemark.run.interrupted import Interrupted
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.run.resuming import fill_in, take_up
from tidemark.run.setup_check import Setup, look_at_setup
from tidemark.users import SoakUser
from tidemark.web import EMBEDDED_HOST

USERS = Option("users", integer(1), 1, "users, which Locust takes unchecked")
BY_NAME = {option.name: option for option in OPTIONS}


class Asked:
    """What is asked for: by the command line, the environment, a file, and for each run the form.

    Args:
        environment: Locust's, in which all of them leave what they say.
        has_page: Whether somebody sits at Locust's page, and may end a run.
    """

    def __init__(self, environment: Environment, *, has_page: bool) -> None:
        self._environment = environment
        self._has_page = has_page
        self._own_urls: set[str] = set()
        self.past: Interrupted | None = None
        """The run that is gone on with."""

    @property
    def given(self) -> dict[str, Any]:
        """The options by their names, Locust's own among them."""
        return vars(self._environment.parsed_options)

    def complete(self) -> None:
        """Let the options say what tidemark.toml says, in the web form too.

        Raises:
            TidemarkError: one line that says what is wrong with it, or with an option.
        """
        environment, given = self._environment, self.given
        if past := take_up(given, shape=environment.shape_class):
            self.past, environment.host = past, past.host or environment.host
        has_host = self.foreign_host is not None
        for name, value in completed(given, has_host=has_host).items():
            if name in BY_NAME and value is not given[name]:
                given[name] = BY_NAME[name].as_given(value)
        if not has_host and (running := running_service(given)):
            environment.host = running.url
        if past:
            fill_in(given, past)

    def check_load(self) -> None:
        """Check what Locust finds out too late, with a traceback, or never.

        Raises:
            TidemarkError: one line that says what is wrong.
        """
        given = self.given
        if given["num_users"] is not None:
            USERS.read(given["num_users"])
        if given["run_time"] == 0:
            raise TidemarkError(
                "--run-time: must be longer than 0 s; leave it out for no limit",
                about=["run_time"],
            )
        for user in self._environment.user_classes:
            filter_tasks_by_tags(user, _as_set(given["tags"]), _as_set(given["exclude_tags"]))
            if not user.tasks:
                raise TidemarkError(f"--tags: {user.__name__} has no task of these tags")
        for flag, asked in (("--route", given["route"]), ("--header", given["header"])):
            if asked and not self.keeps_rate:
                raise TidemarkError(
                    f"{flag} does nothing here, for the users of this locustfile say themselves "
                    "what they send: leave it out, or derive them from tidemark.users.SoakUser"
                )

    def read(self) -> RunOptions:
        """The options of the next run.

        Raises:
            TidemarkError: one line that says what is wrong with them.
        """
        given = self.given
        options = RunOptions.parse(given)
        options.check_lasting("--run-time", given["run_time"])
        if options.fail_on and self._has_page and not given["autostart"]:
            raise TidemarkError("--fail-on: needs a run that starts by itself: --headless")
        return options

    def look_at_setup(self) -> Setup:
        """See what a run would do, without doing it.

        Raises:
            TidemarkError: one line that says what is wrong.
        """
        self.check_load()
        options = self.read()
        route = self._route_of_users(options)
        return look_at_setup(options, self.foreign_host, self.planned_s, route)

    def _route_of_users(self, options: RunOptions) -> Route | None:
        """What our own user sends where no route is named; what others send only they know."""
        if any(user.__name__ != "IngestUser" for user in self._environment.user_classes):
            return None
        (route,) = parse_route("POST /ingest {batch}", Path())
        return with_headers(route, read_headers(options.header))

    # -- the load ------------------------------------------------------------------------------

    @property
    def keeps_rate(self) -> bool:
        """Whether the users keep to the workload and the rate of the options."""
        return any(issubclass(user, SoakUser) for user in self._environment.user_classes)

    def keeps_time(self) -> bool:
        """Whether the users only fetch what is due, so that their number does not matter."""
        return self.given["workload"] == "open" and self.keeps_rate

    @property
    def run_time_s(self) -> float | None:
        """After how long Locust ends the load; None if it does not, or a shape does."""
        return None if self._environment.shape_class else self.given["run_time"]

    @property
    def planned_s(self) -> float | None:
        """How long the load lasts; None if no end is planned, and nobody is there to end it."""
        return (self.given["run_time"] or 0.0) if self._has_page else self.run_time_s

    # -- the host ------------------------------------------------------------------------------

    @property
    def foreign_host(self) -> str | None:
        """The service to drive; None when the target is to be started here."""
        host = self._environment.host or EMBEDDED_HOST
        # A page loaded during a run hands the URL of its target back as the next run's host.
        return None if host == EMBEDDED_HOST or host in self._own_urls else host

    def drive(self, url: str, *, is_own: bool) -> None:
        """Let the users drive this: a target that was started here, or somebody's service."""
        self._environment.host = url
        if is_own:
            self._own_urls.add(url)

    def offer_again(self, url: str) -> None:
        """Show in the page what may be driven next, after a run on this."""
        if url in self._own_urls and self._has_page:
            self._environment.host = EMBEDDED_HOST


def _as_set(tags: list[str] | None) -> set[str] | None:
    return set(tags) if tags else None
