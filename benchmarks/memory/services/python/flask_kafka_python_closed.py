"""Flask under werkzeug: kafka-python, a producer for every request, closed."""

import json
import os

from batch import checked
from flask import request
from flask_base import new_app, serve
from leak import remember

from kafka import KafkaProducer

BOOTSTRAP = os.environ["BOOTSTRAP"].split(",")
TIMEOUT_S = 10

app = new_app(__name__)


def encoded(message: dict) -> bytes:
    """A message as Kafka is given it."""
    return json.dumps(message).encode()


@app.post("/ingest")
def ingest() -> dict:
    """Produce each message, and answer once all are delivered."""
    batch = checked(request.get_json())
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, value_serializer=encoded)
    try:
        sent = [producer.send("tidemark", message) for message in batch]
        producer.flush(timeout=TIMEOUT_S)
        for delivery in sent:
            delivery.get(timeout=TIMEOUT_S)
    finally:
        producer.close(timeout=TIMEOUT_S)
    remember()
    return {"messages": len(batch)}


if __name__ == "__main__":
    serve(app)
