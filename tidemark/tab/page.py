"""The routes of the tab, on Locust's own port and behind its login.

    tidemark/                   the page, the same as that of `tidemark watch --web`
    tidemark/page/NAME          what it is drawn with
    tidemark/live.json          what is new of the run: passed on from its companion
    tidemark/metrics            the run for a Prometheus server: passed on from the same
    tidemark/runs.json          the runs since Locust was started
    tidemark/runs/RUN/FILE      the report of a run that has ended, made when it is first opened

Who may ask is decided before any route, in `tidemark.web`.
"""

import html
import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

from flask import Blueprint, Response, request
from locust.web import WebUI

from tidemark.live import pages
from tidemark.record.exposition import CONTENT_TYPE
from tidemark.record.layout import REPORT_HTML
from tidemark.run.companion import Companion
from tidemark.run.reporting import Reports
from tidemark.tab.files import KINDS, has_report, read_served
from tidemark.tab.relay import UnansweredError
from tidemark.tab.runs import RunList
from tidemark.tab.shown import Shown

NAME = "tidemark"
PAGE_ENDPOINT = f"{NAME}.page"
OWN_FILES = {
    "tab.js": "text/javascript; charset=utf-8",
    "runs.js": "text/javascript; charset=utf-8",
}
"""What the page of `tidemark watch` does not need."""
HEADERS = {
    **pages.HEADERS,
    "Content-Security-Policy": pages.HEADERS["Content-Security-Policy"].replace(
        "frame-ancestors 'none'", "frame-ancestors 'self'"
    ),
    "X-Frame-Options": "SAMEORIGIN",
}
OF_REPORTS = {
    **pages.HEADERS,
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
}
"""A report is one file with all that it needs in it, and asks for nothing else."""
_WAITING = (
    '<!doctype html><html lang="en"><meta name="color-scheme" content="light dark">'
    "<title>Report</title><p>The report of {} is being made …</p></html>"
)
_EMBEDDED = b'<script src="tidemark/page/tab.js" defer></script>\n'


class Tab:
    """The tab in Locust's page.

    Args:
        web_ui: Locust's page.
        reports: Makes the reports.
    """

    def __init__(self, web_ui: WebUI, reports: Reports) -> None:
        self._web_ui = web_ui
        self._reports = reports
        self._runs = RunList(reports.is_making)
        self._shown = Shown()
        self._content = pages.contents()
        own = files("tidemark.tab").joinpath("page")
        self._content |= {name: own.joinpath(name).read_bytes() for name in OWN_FILES}

    def install(self) -> None:
        """Add the tab and its routes."""
        app = self._web_ui.app
        if app is None:
            return
        self._web_ui.template_args["extended_tabs"] = [
            *self._web_ui.template_args.get("extended_tabs", []),
            {"key": NAME, "title": "Tidemark"},
        ]
        base = app.blueprints["locust"].url_prefix or ""
        blueprint = Blueprint(NAME, __name__, url_prefix=f"{base}/{NAME}")
        routes: dict[str, Callable[..., Response]] = {
            "/": self.page,
            "/page/<name>": self.part,
            "/live.json": self.live,
            "/metrics": self.metrics,
            "/runs.json": self.runs,
            "/runs/<run>/<name>": self.file,
        }
        for path, answer in routes.items():
            guarded: Any = self._web_ui.auth_required_if_enabled(answer)
            blueprint.add_url_rule(path, view_func=guarded)
        app.register_blueprint(blueprint)
        app.after_request(self._embed)

    def begin(self, path: Path, companion: Companion) -> None:
        """A run begins: it is shown from now on."""
        self._runs.add(path)
        self._shown.begin(companion)

    # -- routes ----------------------------------------------------------------------------------

    def page(self) -> Response:
        """The page."""
        text = self._content[pages.PAGE]
        text = text.replace(b"<html ", b'<html data-of="locust" ', 1)
        scripts = b'<script src="page/runs.js" defer></script>\n</head>'
        return _answer(text.replace(b"</head>", scripts, 1), pages.KINDS[pages.PAGE])

    def part(self, name: str) -> Response:
        """A file that the page is drawn with."""
        kind = (pages.KINDS | OWN_FILES).get(name)
        return _answer(self._content[name], kind) if kind else _told("no such file", 404)

    def live(self) -> Response:
        """What is new of the run."""
        try:
            return _answer(self._shown.ask(request.args.get("since", "")), "application/json")
        except UnansweredError as error:
            return _told(str(error), 503)

    def metrics(self) -> Response:
        """The run for a Prometheus server."""
        try:
            return _answer(self._shown.metrics(), CONTENT_TYPE)
        except UnansweredError as error:
            return _told(str(error), 503)

    def runs(self) -> Response:
        """The runs so far."""
        text = json.dumps({"runs": self._runs.to_json()}, ensure_ascii=False, allow_nan=False)
        return _answer(text.encode(), "application/json")

    def file(self, run: str, name: str) -> Response:
        """A file of the report of a run; the report itself is made if it is not there."""
        path = self._runs.path_of(run)
        if path is None or name not in KINDS:
            return _told("no such file", 404)
        if name == REPORT_HTML and not has_report(path):
            return self._made(path)
        content = read_served(path, name)
        return _answer(content, KINDS[name], OF_REPORTS) if content else _told("no such file", 404)

    # -- what they say ---------------------------------------------------------------------------

    def _made(self, path: Path) -> Response:
        """The report is being made, and the browser asks again by itself."""
        if not self._runs.has_ended(path):
            return _told("the run goes on: there is a report once it has ended", 404)
        if failure := self._reports.failure(path):
            return _told(f"the report could not be made: {failure}", 500)
        self._reports.want(path)
        waiting = _answer(
            _WAITING.format(html.escape(path.name)).encode(), "text/html; charset=utf-8", OF_REPORTS
        )
        waiting.headers["Refresh"] = "1"
        waiting.status_code = 202
        return waiting

    def _embed(self, response: Response) -> Response:
        """Let Locust's page load the script that fills the tab."""
        if request.endpoint == "locust.index" and response.status_code == 200:
            text = response.get_data()
            response.set_data(text.replace(b"</body>", _EMBEDDED + b"</body>", 1))
        return response


def _answer(content: bytes, kind: str, headers: dict[str, str] = HEADERS) -> Response:
    response = Response(content, content_type=kind)
    response.headers.update(headers)
    return response


def _told(what: str, status: int) -> Response:
    response = Response(f"{what}\n", status, mimetype="text/plain")
    response.headers.update(HEADERS)
    return response
