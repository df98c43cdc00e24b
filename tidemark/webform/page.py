"""Tidemark's start form in Locust's page: the two files that draw it, and what it says.

Locust's own form has one folded list for all options that are not its own: its page, a React
bundle, takes neither groups nor names from Python. So a script of ours puts a form of ours in its
place. Of Locust it needs the page's `</head>`, a form with the field for the number of users, and
`/swarm`, which all have been the same from Locust 2.43 on; where one of them is missing, Locust's
form is there as ever.
"""

from collections.abc import Callable
from importlib.resources import files
from typing import Any

from flask import Flask, Response, abort, jsonify, request
from locust.web import WebUI

from tidemark.webform.form import StartForm

KINDS = {"form.js": "text/javascript; charset=utf-8", "form.css": "text/css; charset=utf-8"}
"""The files that are served, and no others."""
TAGS = (
    '<link rel="stylesheet" href="./tidemark/form.css">'
    '<script src="./tidemark/form.js" defer></script></head>'
)


class FormPage:
    """The routes of the form, and its tags in Locust's page.

    Args:
        web_ui: Locust's page, whose login they ask for.
        form: Makes the form, given what Locust renders its page with.
    """

    def __init__(self, web_ui: WebUI, form: Callable[[dict[str, Any]], StartForm]) -> None:
        self._web_ui = web_ui
        self._form = form

    def install(self, app: Flask) -> None:
        """Add them; the guard of the page stands before all routes already."""
        base = app.blueprints["locust"].url_prefix or ""
        for path, view in (("form.json", self._described), ("<name>", self._part)):
            guarded = self._web_ui.auth_required_if_enabled(view)
            app.add_url_rule(f"{base}/tidemark/{path}", f"tidemark_{view.__name__}", guarded)
        app.after_request(self._add_tags)

    def _described(self) -> Response:
        self._web_ui.update_template_args()
        return _fresh(jsonify(self._form(self._web_ui.template_args).described()))

    def _part(self, name: str) -> Response:
        if name not in KINDS:
            abort(404)
        content = files("tidemark.webform").joinpath("page", name).read_bytes()
        return _fresh(Response(content, content_type=KINDS[name]))

    def _add_tags(self, response: Response) -> Response:
        if request.endpoint == "locust.index" and response.mimetype == "text/html":
            response.set_data(response.get_data(as_text=True).replace("</head>", TAGS, 1))
        return response


def _fresh(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response
