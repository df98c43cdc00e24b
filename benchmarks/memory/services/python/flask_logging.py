"""Flask under werkzeug: a line of JSON per message in a rotated log, with the request's id."""

import json
import logging
import os
import uuid
from contextvars import ContextVar
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from batch import checked
from flask import Response, request
from flask_base import new_app, serve
from leak import remember

LOG_BYTES = 1 << 20
LOGS_KEPT = 3

request_id: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger("ingest")
app = new_app(__name__)


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's time, level, text, request and message."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "thread": record.threadName,
            "text": record.getMessage(),
            "request": request_id.get(),
            "message": getattr(record, "ingested", None),
        }
        return json.dumps(line)


def start_log(folder: Path) -> None:
    """Write what is logged to a file that is rotated."""
    handler = RotatingFileHandler(
        folder / "service.log", maxBytes=LOG_BYTES, backupCount=LOGS_KEPT, encoding="utf-8"
    )
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


@app.before_request
def name_request() -> None:
    """Take the request's id from its header, or give it one."""
    request_id.set(request.headers.get("X-Request-ID") or uuid.uuid4().hex)


@app.after_request
def tell_name(response: Response) -> Response:
    """Send the request's id back."""
    response.headers["X-Request-ID"] = request_id.get()
    return response


@app.post("/ingest")
def ingest() -> dict:
    """Log each message."""
    batch = checked(request.get_json())
    for message in batch:
        log.info("message %d of %s", message["id"], message["name"], extra={"ingested": message})
    remember()
    return {"messages": len(batch)}


if __name__ == "__main__":
    start_log(Path(os.environ["SCRATCH"]))
    serve(app)
