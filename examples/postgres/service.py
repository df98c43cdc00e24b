"""Takes batches of messages by HTTP and stores them in PostgreSQL with SQLAlchemy.

    python service.py broken --port 8080

DATABASE_URL says where the database is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

from aiohttp import web
from sqlalchemy import ARRAY, Text, func
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.pool import NullPool

DRIVER = "postgresql+psycopg://"


class Base(DeclarativeBase):
    """Where the tables are declared."""


class Batch(Base):
    """A row for each batch."""

    __tablename__ = "batches"

    id: Mapped[int] = mapped_column(primary_key=True)
    messages: Mapped[list[str]] = mapped_column(ARRAY(Text))
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


Store = Callable[[list[str]], Awaitable[Batch]]
STORE = web.AppKey("store", object)


async def stored(session: AsyncSession | async_scoped_session, messages: list[str]) -> Batch:
    """The row that was written, with what the database has put into it."""
    batch = Batch(messages=messages)
    session.add(batch)
    await session.commit()
    await session.refresh(batch)  # a transaction of its own, and nothing ends it but the session
    return batch


def sessions_of_tasks(engine: AsyncEngine) -> async_scoped_session:
    """The session of the task that asks, and each request is a task of its own."""
    return async_scoped_session(async_sessionmaker(engine), scopefunc=asyncio.current_task)


def broken(engine: AsyncEngine) -> Store:
    """A session for each request, which stays in the registry of sessions when the task ends."""
    session = sessions_of_tasks(engine)

    async def store(messages: list[str]) -> Batch:
        return await stored(session, messages)  # the bug: nobody calls session.remove()

    return store


def fixed(engine: AsyncEngine) -> Store:
    """A session for each request, taken out of the registry, and closed by that."""
    session = sessions_of_tasks(engine)

    async def store(messages: list[str]) -> Batch:
        try:
            return await stored(session, messages)
        finally:
            await session.remove()  # the fix

    return store


def shared(engine: AsyncEngine) -> Store:
    """A session for each request, closed, and four connections for the life of the process."""

    async def store(messages: list[str]) -> Batch:
        async with AsyncSession(engine) as session:
            return await stored(session, messages)

    return store


STRATEGIES = {"broken": broken, "fixed": fixed, "shared": shared}


def new_engine(strategy: str) -> AsyncEngine:
    """Connections on demand, as one has them in front of PgBouncer, or a pool of four."""
    url = os.environ["DATABASE_URL"].replace("postgresql://", DRIVER, 1)
    if strategy == "shared":
        return create_async_engine(url, pool_size=4, max_overflow=0)
    return create_async_engine(url, poolclass=NullPool)


async def ingest(request: web.Request) -> web.Response:
    """Store a JSON array of strings, and answer with their number."""
    messages = await request.json()
    try:
        batch = await request.app[STORE](messages)
    except (SQLAlchemyError, OSError) as error:
        request.app.logger.warning("not stored: %s", error)
        return web.Response(status=503, text="not stored\n")
    return web.Response(text=f"{len(batch.messages)}\n")


async def healthz(_: web.Request) -> web.Response:
    """Say that it is up."""
    return web.Response(text="ok\n")


def application(strategy: str) -> web.Application:
    """The service with one of its strategies."""

    async def prepared(app: web.Application) -> AsyncIterator[None]:
        engine = new_engine(strategy)
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        app[STORE] = STRATEGIES[strategy](engine)
        yield
        await engine.dispose()

    app = web.Application(client_max_size=16 * 2**20)
    app.cleanup_ctx.append(prepared)
    app.add_routes([web.post("/ingest", ingest), web.get("/healthz", healthz)])
    return app


def main() -> None:
    """Serve in the foreground."""
    parser = argparse.ArgumentParser(description="Stores batches in PostgreSQL.")
    parser.add_argument("strategy", choices=STRATEGIES)
    parser.add_argument("--port", type=int, default=8080)
    given = parser.parse_args()
    web.run_app(
        application(given.strategy), host="127.0.0.1", port=given.port, access_log=None, print=None
    )


if __name__ == "__main__":
    main()
