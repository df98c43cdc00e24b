"""FastAPI under uvicorn: pydantic models in and out, and Prometheus metrics."""

from typing import Annotated

from fastapi import Body, FastAPI, Response
from leak import remember
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from pydantic import BaseModel, Field
from uvicorn_base import serve

app = FastAPI(title="Ingest")
ingested = Counter("ingested_messages", "Messages taken in")
batch_sizes = Histogram("batch_size_messages", "Messages in a batch", buckets=(1, 2, 5, 10, 20))


class Message(BaseModel):
    """A message as it is sent."""

    id: int
    name: str = Field(max_length=4096)
    value: float
    tags: list[str]


class Receipt(BaseModel):
    """What the sender is told."""

    messages: int


@app.get("/health")
async def health() -> dict[str, str]:
    """Ready."""
    return {"status": "ok"}


@app.get("/metrics")
async def metrics() -> Response:
    """In Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@app.post("/ingest")
async def ingest(batch: Annotated[list[Message], Body(min_length=1, max_length=20)]) -> Receipt:
    """Count the messages."""
    ingested.inc(len(batch))
    batch_sizes.observe(len(batch))
    remember()
    return Receipt(messages=len(batch))


if __name__ == "__main__":
    serve(app)
