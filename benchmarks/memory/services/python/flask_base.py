"""What the Flask services share: the app with its health, and werkzeug's own threaded server."""

import logging
import os
import signal
import sys

from flask import Flask
from werkzeug.serving import make_server


def new_app(name: str) -> Flask:
    """An app that has /health, and answers 400 to what is no batch."""
    app = Flask(name)

    @app.get("/health")
    def health() -> dict:
        return {"status": "ok"}

    @app.errorhandler(ValueError)
    def refuse(error: ValueError) -> tuple[dict, int]:
        return {"error": str(error)}, 400

    return app


def serve(app: Flask) -> None:
    """Serve on PORT, a thread per connection, until SIGTERM."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with make_server("127.0.0.1", int(os.environ["PORT"]), app, threaded=True) as server:
        server.serve_forever()
