"""Flask under werkzeug: JSON in, JSON out."""

from batch import checked
from flask import request
from flask_base import new_app, serve
from leak import remember

app = new_app(__name__)


@app.post("/ingest")
def ingest() -> dict:
    """Sum the values by tag, and answer with the count."""
    batch = checked(request.get_json())
    sums: dict[str, float] = {}
    for message in batch:
        for tag in message["tags"]:
            sums[str(tag)] = sums.get(str(tag), 0.0) + message["value"]
    app.logger.debug("sums by tag: %s", sums)
    remember()
    return {"messages": len(batch)}


if __name__ == "__main__":
    serve(app)
