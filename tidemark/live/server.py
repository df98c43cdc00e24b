"""The page of a run under way: for whoever sits at this machine, and for no page in his browser.

It needs no network: what it is drawn with lies beside it.
"""

import hmac
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

from flask import Flask, Response, abort, request
from werkzeug.serving import WSGIRequestHandler, make_server

from tidemark.live.exporting import metrics_page
from tidemark.live.pages import HEADERS, KINDS, PAGE, contents
from tidemark.live.watching import Watched
from tidemark.record.callers import why_refused
from tidemark.record.errors import OptionError
from tidemark.record.exposition import CONTENT_TYPE

ADDRESS = "127.0.0.1"
TOKEN_HEADER = "X-Tidemark-Token"  # noqa: S105 - its name


def make_app(watched: Watched, token: str = "") -> Flask:
    """The page of a run as a WSGI application.

    Args:
        watched: The run.
        token: What whoever asks must know (`TOKEN_HEADER`); empty: nothing.
    """
    app = Flask(__name__, static_folder=None)
    content = contents()

    @app.before_request
    def guard() -> Response | None:
        remedy = "open the page by the address that the command printed"
        is_page = request.path == "/"
        why = why_refused(request.method, dict(request.headers), (), is_page=is_page, remedy=remedy)
        if not why and not hmac.compare_digest(_given_token(), token.encode()):
            why = f"{TOKEN_HEADER} is missing, or is not the one that is asked for"
        return why and Response(f"{why}\n", 403, mimetype="text/plain")  # type: ignore[return-value]

    @app.after_request
    def protect(response: Response) -> Response:
        response.headers.update(HEADERS)
        return response

    @app.get("/")
    def page() -> Response:
        return Response(content[PAGE], content_type=KINDS[PAGE])

    @app.get("/page/<name>")
    def page_part(name: str) -> Response:
        if name not in KINDS:
            abort(404)
        return Response(content[name], content_type=KINDS[name])

    @app.get("/live.json")
    def live() -> Response:
        watched.demand.looked()
        answer = snapshot(watched, request.args.get("since", ""))
        text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return Response(text, content_type="application/json")

    @app.get("/metrics")
    def metrics() -> Response:
        watched.demand.looked()
        return Response(metrics_page(watched), content_type=CONTENT_TYPE)

    return app


def _given_token() -> bytes:
    return request.headers.get(TOKEN_HEADER, "").encode()


def snapshot(watched: Watched, since: str) -> dict[str, Any]:
    """What a reader lacks.

    Args:
        watched: The run.
        since: `KEY.REVISION` of what he has seen; anything else stands for nothing.
    """
    with watched.run.lock:
        run, facts = watched.run, watched.facts()
        key, _, seen = since.partition(".")
        is_known = key == run.key and seen.isascii() and seen.isdigit() and len(seen) < 16
        revision = int(seen) if is_known else 0
        answer = {
            "key": run.key,
            "revision": run.revision,
            "is_whole": not is_known,
            "facts": facts.to_json(),
            "targets": {name: one.changed_since(revision) for name, one in run.targets.items()},
            "requests": run.requests.changed_since(revision),
        }
        if run.happened.revision > revision or not is_known:
            answer["events"] = run.happened.to_json()
        return answer


class _Quiet(WSGIRequestHandler):
    """Says nothing of requests, and to them nothing of what it runs on."""

    server_version = "tidemark"
    sys_version = ""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - as werkzeug has it
        """Called by werkzeug."""

    def version_string(self) -> str:
        """Called by the standard library."""
        return self.server_version


@contextmanager
def serving(watched: Watched, port: int, token: str = "") -> Iterator[str]:
    """Serve the page of a run for as long as the context lasts.

    Args:
        watched: The run.
        port: Where, on 127.0.0.1; 0 is any free port.
        token: What whoever asks must know; empty: nothing.

    Yields:
        The page's URL.

    Raises:
        OptionError: The port cannot be had.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((ADDRESS, port))
            listening.listen(64)
        except OSError as error:
            what = f"--port: {port} cannot be had ({error.strerror}): name another one, or 0"
            raise OptionError(what) from error
        port = listening.getsockname()[1]
        app = make_app(watched, token)
        server = make_server(
            ADDRESS, port, app, threaded=True, request_handler=_Quiet, fd=listening.fileno()
        )
        thread = Thread(target=server.serve_forever, name="page", daemon=True)
        thread.start()
        try:
            yield f"http://{ADDRESS}:{port}/"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()
