"""Locust's web page, for whoever sits at this machine and for no page that his browser shows.

Any site that a browser has open can send requests to 127.0.0.1: a form, an image, a script, and
with a name of its own that it lets resolve to 127.0.0.1 it reads the answers too. So every request
has to name this machine (`Host`) and to come from this very page (`Origin`, `Sec-Fetch-Site`); and
what the form may set is less than what the command line may.

Sources: the Fetch standard (https://fetch.spec.whatwg.org/#origin-header), Fetch Metadata
(https://www.w3.org/TR/fetch-metadata/).
"""

import textwrap
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from flask import Response, g, jsonify, make_response, request
from locust.argument_parser import default_args_dict, get_parser
from locust.env import Environment
from locust.runners import STATE_INIT, STATE_RUNNING, STATE_SPAWNING, STATE_STOPPED, Runner
from locust.util.timespan import parse_timespan
from locust.web import WebUI

from tidemark.record import options as value
from tidemark.record.callers import authority, why_refused
from tidemark.record.endpoints import is_loopback, name_in, parse_endpoint
from tidemark.record.errors import OptionError, TidemarkError
from tidemark.record.options import Option
from tidemark.run.children import say
from tidemark.run.options import OPTIONS, RunOptions
from tidemark.targets.client_options import check_from_form
from tidemark.webform.form import StartForm, without_aliases
from tidemark.webform.page import FormPage
from tidemark.webform.services import OF_SERVICE

EMBEDDED_HOST = "embedded target"  # what the form shows as host when nobody gave one
RUNNING_STATES = (STATE_SPAWNING, STATE_RUNNING)
LONGEST_RUN_S = 366 * 24 * 3600

_OF_LOCUST = frozenset(
    ("host", "profile", "run_time", "shape_class", "spawn_rate", "user_classes", "user_count")
)
_MOST_USERS = 10_000
_LONGEST_REASON = 300


def _spawn_rate(given: Any) -> float:
    rate = value.number(0, exclusive=True)(given)
    if rate > _MOST_USERS:
        raise ValueError(f"must be at most {_MOST_USERS:,}, not {rate:,g}")
    return rate


_LOAD = (
    Option("user_count", value.integer(1, _MOST_USERS), value.REQUIRED, "users"),
    Option("spawn_rate", _spawn_rate, value.REQUIRED, "users per second"),
)


class Runs(Protocol):
    """The runs of a Locust process, as the page needs them."""

    @property
    def is_busy(self) -> bool:
        """Whether one is being started, goes on, or is being ended."""

    def expect_idle(self) -> None:
        """Raise a TidemarkError if one is."""

    def prepare(self) -> object:
        """Start what the next one needs; a TidemarkError says what is wrong."""

    def drop_unloaded(self) -> None:
        """End the one that was prepared, if its load has not begun."""

    @property
    def keeps_rate(self) -> bool:
        """Whether the users send at the rate of the options."""

    def restore_host(self) -> None:
        """Make the users that are yet to come drive what the run under way drives."""


class WebForm:
    """What the form says of the next run, checked.

    Args:
        environment: Locust's, whose options are what the command line gave.
    """

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._given = dict(vars(environment.parsed_options))
        self._given_host = environment.host
        shown = get_parser().args_included_in_web_ui
        self._allowed = _OF_LOCUST | shown.keys() - default_args_dict().keys()

    def check(self, form: Mapping[str, str]) -> dict[str, str]:
        """The options of a run in the form, once the whole form has been found good.

        Raises:
            TidemarkError: One line that says what is wrong.
        """
        for name in form:
            # Locust sets whatever it knows, the file of its own report included.
            if name in vars(self._environment.parsed_options) and name not in self._allowed:
                flag = "--" + name.replace("_", "-")
                message = f"{flag}: can be set on the command line only, not in the form"
                raise OptionError(message, about=[name])
        self._check_load(form)
        self._check_host(form.get("host", EMBEDDED_HOST))
        changed = {
            option.name: form[option.name]
            for option in OPTIONS
            if option.name in form and form[option.name] != self._shown(option.name)
        }
        options = RunOptions.parse({**vars(self._environment.parsed_options), **changed})
        self._check_brokers(options.bootstrap)
        check_from_form(changed.get("kafka_option", ""))
        return changed

    def show_given(self, extra_options: dict[str, dict[str, Any]]) -> None:
        """Let the page show what tidemark.toml says: Locust knows its own command line alone."""
        for option in OPTIONS:
            if option.name in extra_options:
                extra_options[option.name]["default_value"] = given = self._given[option.name]
                if option.suggested:
                    others = () if given in option.suggested else (given,)
                    extra_options[option.name]["choices"] = [*option.suggested, *others]
        without_aliases(extra_options)

    def start_form(self, page: dict[str, Any], *, keeps_rate: bool) -> StartForm:
        """The form that is shown, for what Locust renders its page with."""
        host = str(self._given_host or EMBEDDED_HOST)
        options = vars(self._environment.parsed_options)
        return StartForm(page, options, host, EMBEDDED_HOST, keeps_rate=keeps_rate)

    def fields_of(self, error: TidemarkError) -> list[str]:
        """The fields that an error is about, the one to mend first; none if it is about none."""
        return [name for name in error.about if name in self._allowed or name in OF_SERVICE]

    @contextmanager
    def taken(self, changed: Mapping[str, Any], host: str | None) -> Iterator[None]:
        """Take over what has been checked; not if the run cannot be started with it."""
        parsed = vars(self._environment.parsed_options)
        before = {name: parsed[name] for name in changed}, self._environment.host
        parsed.update(changed)
        self._environment.host = self._environment.host if host is None else host
        try:
            yield
        except BaseException:
            parsed.update(before[0])
            self._environment.host = before[1]
            raise

    def _shown(self, name: str) -> str:
        """An option as the form shows it, and hands it back when nobody touches it."""
        given = getattr(self._environment.parsed_options, name)
        return ",".join(given) if isinstance(given, list) else str(given or "")

    def _check_load(self, form: Mapping[str, str]) -> None:
        has_shape = form.get("shape_class", "Default") != "Default"
        for option in _LOAD:
            if option.name in form or not (has_shape or self._environment.shape_class):
                option.read(form.get(option.name, ""))
        if run_time := form.get("run_time"):
            try:
                is_good = 0 < parse_timespan(run_time) <= LONGEST_RUN_S
            except (ValueError, OverflowError):
                is_good = False
            if not is_good:
                raise OptionError(
                    "--run-time: must be 20, 20s, 3m, 2h, 1h20m, 72h or the like",
                    about=["run_time"],
                )

    def _check_host(self, host: str) -> None:
        """No form sends load to another machine than the command line did."""
        if host in {EMBEDDED_HOST, self._given_host, ""}:
            return
        is_http = host.isprintable() and host.startswith(("http://", "https://"))
        if not is_http or not is_loopback(name_in(authority(host))):
            raise OptionError(
                "--host: the form takes a service on this machine only, http://127.0.0.1:PORT; "
                "name another one on the command line",
                about=["host"],
            )

    def _check_brokers(self, brokers: Collection[str]) -> None:
        given = value.endpoints(self._given.get("bootstrap"))
        for broker in brokers:
            if broker not in given and not is_loopback(parse_endpoint(broker)[0]):
                raise OptionError(
                    f"--bootstrap: the form takes brokers on this machine only, not {broker}; "
                    "name others on the command line",
                    about=["bootstrap"],
                )


class WebPage:
    """Guards Locust's web UI, and lets each start in it be a run.

    Args:
        environment: Locust's.
        web_ui: Its page.
        runs: The runs that the form starts.
    """

    def __init__(self, environment: Environment, web_ui: WebUI, runs: Runs) -> None:
        self._runner: Runner | None = environment.runner
        self._web_ui = web_ui
        self._runs = runs
        self._environment = environment
        self._form = WebForm(environment)
        options = vars(environment.parsed_options)
        self._names = {
            name.strip("[]").lower() for name in (web_ui.host, *(options["web_allow_host"] or ()))
        }

    def install(self) -> None:
        """Put the guard before every route, and the rest where it belongs."""
        app = self._web_ui.app
        if app is None:
            return
        app.before_request(self._guard)
        app.before_request(self._before_swarm)
        app.after_request(self._after_request)
        FormPage(self._web_ui, self._start_form).install(app)
        render = self._web_ui.update_template_args

        def update_template_args() -> None:
            render()  # type: ignore[no-untyped-call]
            self._web_ui.template_args["state"] = self.state
            self._form.show_given(self._web_ui.template_args["extra_options"])

        self._web_ui.update_template_args = update_template_args  # type: ignore[method-assign]

    @property
    def state(self) -> str:
        """What the page is told that Locust does.

        The page asks only as long as it hears `running` or `spawning`; so that is what it hears
        until a run has been started or ended whole.
        """
        state = self._runner.state if self._runner else STATE_INIT
        if state in RUNNING_STATES:
            return str(state)
        if self._runs.is_busy:
            return STATE_RUNNING
        return STATE_INIT if state == STATE_INIT else STATE_STOPPED

    def _start_form(self, page: dict[str, Any]) -> StartForm:
        return self._form.start_form(page, keeps_rate=self._runs.keeps_rate)

    def _guard(self) -> Response | None:
        is_page = request.endpoint in ("locust.index", "tidemark.page")
        reason = why_refused(request.method, dict(request.headers), self._names, is_page=is_page)
        if reason is None:
            return None
        refusal = make_response(f"{reason}\n", 403)
        refusal.mimetype = "text/plain"
        return refusal

    def _before_swarm(self) -> Response | None:
        """Check the form and start the run, so that what is wrong shows in the form."""
        if request.endpoint != "locust.swarm" or request.method != "POST":
            return None
        form = request.form.to_dict()
        try:
            changed = self._form.check(form)
            if self._runner and self._runner.state in RUNNING_STATES:
                return None  # only the number of users is being changed
            self._runs.expect_idle()
            # Locust reads it after us, and does not forget a former one where there is none.
            run_time = parse_timespan(form["run_time"]) if form.get("run_time") else None
            with self._form.taken({**changed, "run_time": run_time}, form.get("host")):
                self._runs.prepare()
            g.has_prepared = True
        except TidemarkError as error:
            reason = textwrap.shorten(str(error), _LONGEST_REASON)
            say(reason)
            fields = self._form.fields_of(error)
            host = self._environment.host
            return jsonify(success=False, message=reason, fields=fields, host=host)
        return None

    def _after_request(self, response: Response) -> Response:
        response.headers["X-Frame-Options"] = "SAMEORIGIN"
        if request.endpoint == "locust.swarm":
            self._after_swarm(response)
        elif request.endpoint == "locust.stop" and response.status_code < 400:
            self._runs.drop_unloaded()
        elif request.endpoint == "locust.request_stats" and response.is_json:
            # Locust may answer with what it has answered a moment ago.
            response.set_data(jsonify({**response.get_json(), "state": self.state}).get_data())
        return response

    def _after_swarm(self, response: Response) -> None:
        answer: Any = response.get_json(silent=True)
        if g.get("has_prepared") and not (answer and answer.get("success")):
            self._runs.drop_unloaded()
        else:
            self._runs.restore_host()
