"""Flask under gunicorn: confluent-kafka, a producer for every request, flushed and dropped."""

import json
import os

from batch import checked
from confluent_kafka import Producer
from flask import request
from flask_base import new_app
from leak import remember

TIMEOUT_S = 10

app = new_app(__name__)


def deliver(batch: list[dict]) -> int:
    """Produce each message with a producer of its own; how many are not delivered."""
    producer = Producer({"bootstrap.servers": os.environ["BOOTSTRAP"]})
    for message in batch:
        producer.produce("tidemark", json.dumps(message).encode())
    return producer.flush(TIMEOUT_S)


@app.post("/ingest")
def ingest() -> tuple[dict, int]:
    """Answer once all messages are delivered."""
    batch = checked(request.get_json())
    undelivered = deliver(batch)
    if undelivered:
        return {"error": f"{undelivered} messages are not delivered"}, 503
    remember()
    return {"messages": len(batch)}, 200
