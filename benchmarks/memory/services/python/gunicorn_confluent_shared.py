"""Flask under gunicorn: confluent-kafka, one producer for the life of each worker."""

import atexit
import json
import os

from batch import checked
from confluent_kafka import KafkaError, Message, Producer
from flask import request
from flask_base import new_app
from leak import remember

TIMEOUT_S = 10

app = new_app(__name__)
producer = Producer({"bootstrap.servers": os.environ["BOOTSTRAP"], "linger.ms": 5})
atexit.register(producer.flush, TIMEOUT_S)


def report(error: KafkaError | None, _message: Message) -> None:
    """Called by poll for each message, once its fate is known."""
    if error is not None:
        app.logger.error("not delivered: %s", error)


def produce(value: bytes) -> None:
    """Queue a message; while the queue is full, wait for it to empty."""
    while True:
        try:
            producer.produce("tidemark", value, on_delivery=report)
        except BufferError:
            producer.poll(0.1)
        else:
            return


@app.post("/ingest")
def ingest() -> dict:
    """Queue each message, and answer without waiting for delivery."""
    batch = checked(request.get_json())
    for message in batch:
        produce(json.dumps(message).encode())
    producer.poll(0)
    remember()
    return {"messages": len(batch)}
