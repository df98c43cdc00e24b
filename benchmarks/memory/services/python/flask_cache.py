"""Flask under werkzeug: the latest batches are kept parsed, in an LRU cache, to be read again."""

import threading
import uuid

from batch import checked
from cachetools import LRUCache
from flask import Response, jsonify, request
from flask_base import new_app, serve
from leak import remember

MOST_BATCHES = 2_000  # some 16 MiB

app = new_app(__name__)
batches: LRUCache[str, list[dict]] = LRUCache(maxsize=MOST_BATCHES)
batches_lock = threading.Lock()


@app.post("/ingest")
def ingest() -> Response:
    """Keep the batch under an id that the answer's Location names."""
    batch = checked(request.get_json())
    batch_id = uuid.uuid4().hex
    with batches_lock:
        batches[batch_id] = batch
    remember()
    response = jsonify(messages=len(batch))
    response.headers["Location"] = f"/batches/{batch_id}"
    return response


@app.get("/batches/<batch_id>")
def read(batch_id: str) -> Response | tuple[dict, int]:
    """A batch, if it is still in the cache."""
    with batches_lock:
        batch = batches.get(batch_id)
    if batch is None:
        return {"error": "no longer kept"}, 404
    return jsonify(batch)


if __name__ == "__main__":
    serve(app)
