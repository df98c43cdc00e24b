"""The service under load: a Flask app that writes what it is sent to Kafka."""

import logging

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from tidemark.record.endpoints import is_loopback, name_in
from tidemark.targets.batch import BatchError, body_too_large, parse_batch
from tidemark.targets.config import Settings
from tidemark.targets.errors import TargetError
from tidemark.targets.strategies import STRATEGIES, resolve
from tidemark.targets.strategies.base import Strategy
from tidemark.targets.thread_profile import take_profile

STRATEGY_EXTENSION = "tidemark_strategy"
"""Where `app.extensions` keeps the strategy, for the worker to close at exit."""

_log = logging.getLogger(__name__)


def create_app(strategy: str, settings: Settings) -> Flask:
    """Build the service around one strategy.

    * `POST /ingest`: a JSON array; each element becomes one Kafka message. The answer is
      the number of messages. A body that is refused is answered with 400 or 413 and a JSON
      object whose `error` says why; Kafka trouble with 503.
    * `GET /healthz`: whether the service answers, and with which strategy.
    * `GET /debug/threads`: what its threads are doing, for callers on the same host only.

    Args:
        strategy: A name or alias from `targets.strategies`.
        settings: Where to write to, and what to refuse.

    Raises:
        TargetError: There is no such strategy.
    """
    app = Flask("targets", static_folder=None)
    # One more than is allowed: a body of unknown length is cut off there, not refused, and
    # must not look as if it had ended in time.
    app.config["MAX_CONTENT_LENGTH"] = settings.limits.max_body_bytes + 1
    writer = STRATEGIES[resolve(strategy)](settings)
    app.extensions[STRATEGY_EXTENSION] = writer
    _add_ingest(app, writer, settings)
    app.add_url_rule("/healthz", view_func=lambda: jsonify(status="ok", strategy=writer.name))
    app.add_url_rule("/debug/threads", view_func=_debug_threads)
    app.register_error_handler(HTTPException, _http_error)
    return app


def _add_ingest(app: Flask, writer: Strategy, settings: Settings) -> None:
    @app.post("/ingest")
    def ingest() -> ResponseReturnValue:
        messages = parse_batch(_read_body(), settings.limits)
        try:
            return jsonify(writer.ingest(messages))
        except TargetError as error:
            _log.warning("503: %s", error)
            return _error(503, str(error))

    @app.errorhandler(BatchError)
    def refuse(error: BatchError) -> ResponseReturnValue:
        return _error(error.status, str(error))

    @app.errorhandler(RequestEntityTooLarge)
    def refuse_unread(_error: RequestEntityTooLarge) -> ResponseReturnValue:
        return refuse(body_too_large(settings.limits))


def _read_body() -> bytes:
    try:
        return request.get_data(cache=False)
    except ParseException as error:  # what gunicorn says of chunks
        _log.warning("400: %s", str(error)[:200])
        raise BatchError(400, "the body is not what Transfer-Encoding: chunked says") from error


def _debug_threads() -> ResponseReturnValue:
    # The peer's own address, whatever X-Forwarded-For claims; and by which name it came, for a
    # page in a browser on this host may have had its own name resolved to us.
    if not all(map(is_loopback, (request.remote_addr or "", name_in(request.host)))):
        return _error(403, "only callers on the same host, by its loopback name, see the threads")
    profile = take_profile()
    if request.args.get("format") == "json":
        return jsonify(profile.to_json())
    return Response(profile.to_text(), mimetype="text/plain")


def _http_error(error: HTTPException) -> ResponseReturnValue:
    """Flask's own refusals (404, 405, ...), as JSON like ours."""
    return _error(error.code or 500, error.description or error.name)


def _error(status: int, message: str) -> tuple[Response, int]:
    return jsonify(error=message), status
