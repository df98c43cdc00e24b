"""Takes batches of messages by HTTP and writes them to Kafka with aiokafka.

python service.py broken --port 8080 --bootstrap 127.0.0.1:9092
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

Write = Callable[[list[str]], Awaitable[None]]
WRITE = web.AppKey("write", object)


async def send(producer: AIOKafkaProducer, topic: str, batch: list[str]) -> None:
    """One message for each element; returns when the brokers have all of them."""
    sent = [await producer.send(topic, text.encode()) for text in batch]
    await asyncio.gather(*sent)


def broken(bootstrap: str, topic: str) -> Write:
    """A producer for each request, which nobody stops: the event loop runs its tasks on."""

    async def write(batch: list[str]) -> None:
        producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
        await producer.start()  # the bug: nobody stops it
        await send(producer, topic, batch)

    return write


def fixed(bootstrap: str, topic: str) -> Write:
    """A producer for each request, stopped."""

    async def write(batch: list[str]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:  # the fix
            await send(producer, topic, batch)

    return write


def shared(producer: AIOKafkaProducer, topic: str) -> Write:
    """One producer for the life of the process."""

    async def write(batch: list[str]) -> None:
        await send(producer, topic, batch)

    return write


async def ingest(request: web.Request) -> web.Response:
    """Write a JSON array of strings, and answer with their number."""
    batch = await request.json()
    try:
        await request.app[WRITE](batch)
    except (KafkaError, OSError) as error:
        request.app.logger.warning("not written: %s", error)
        return web.Response(status=503, text="not written\n")
    return web.Response(text=f"{len(batch)}\n")


async def healthz(_: web.Request) -> web.Response:
    """Say that it is up."""
    return web.Response(text="ok\n")


def application(strategy: str, bootstrap: str, topic: str) -> web.Application:
    """The service with one of its strategies."""

    async def prepared(app: web.Application) -> AsyncIterator[None]:
        if strategy != "shared":
            app[WRITE] = {"broken": broken, "fixed": fixed}[strategy](bootstrap, topic)
            yield
            return
        async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
            app[WRITE] = shared(producer, topic)
            yield

    app = web.Application(client_max_size=16 * 2**20)
    app.cleanup_ctx.append(prepared)
    app.add_routes([web.post("/ingest", ingest), web.get("/healthz", healthz)])
    return app


def main() -> None:
    """Serve in the foreground."""
    parser = argparse.ArgumentParser(description="Writes batches to Kafka.")
    parser.add_argument("strategy", choices=["broken", "fixed", "shared"])
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--topic", default="tidemark")
    given = parser.parse_args()
    app = application(given.strategy, given.bootstrap, given.topic)
    web.run_app(app, host="127.0.0.1", port=given.port, access_log=None, print=None)


if __name__ == "__main__":
    main()
