"""Starlette under uvicorn: aiokafka, one producer from start to end."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaProducer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette_base import new_app
from uvicorn_base import serve


@asynccontextmanager
async def produced(_app: Starlette) -> AsyncIterator[dict]:
    """The producer, as part of each request's state."""
    async with AIOKafkaProducer(bootstrap_servers=os.environ["BOOTSTRAP"].split(",")) as producer:
        yield {"producer": producer}


async def take(request: Request, batch: list[dict]) -> None:
    """Produce each message, and wait until all are delivered."""
    producer = request.state.producer
    sent = [await producer.send("tidemark", json.dumps(message).encode()) for message in batch]
    await asyncio.gather(*sent)


if __name__ == "__main__":
    serve(new_app(take, lifespan=produced))
