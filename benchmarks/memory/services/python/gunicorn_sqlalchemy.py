"""Flask under gunicorn: the latest messages in SQLite, by way of SQLAlchemy and its pool."""

import json
import os
from pathlib import Path

from batch import checked
from flask import request
from flask_base import new_app
from leak import remember
from sqlalchemy import create_engine, delete, event, func, insert, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.schema import CreateTable

ROWS_KEPT = 5_000
WAIT_S = 30


class Base(DeclarativeBase):
    """What the tables have in common."""


class Message(Base):
    """A message as it came, numbered in the order of arrival."""

    __tablename__ = "messages"

    number: Mapped[int] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(index=True)
    name: Mapped[str]
    value: Mapped[float]
    tags: Mapped[str]


engine = create_engine(
    f"sqlite:///{Path(os.environ['SCRATCH']) / 'messages.db'}",
    pool_size=4,
    max_overflow=2,
    connect_args={"timeout": WAIT_S},
)
app = new_app(__name__)


@event.listens_for(engine, "connect")
def set_up(connection: object, _record: object) -> None:
    """Let readers and the writer of the other worker pass each other."""
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


with engine.begin() as first:  # each worker does, whichever comes first
    first.execute(CreateTable(Message.__table__, if_not_exists=True))


@app.post("/ingest")
def ingest() -> dict:
    """Store each message, and delete the oldest beyond those that are kept."""
    batch = checked(request.get_json())
    rows = [
        {
            "id": message["id"],
            "name": message["name"],
            "value": message["value"],
            "tags": json.dumps(message["tags"]),
        }
        for message in batch
    ]
    with Session(engine) as session, session.begin():
        session.execute(insert(Message), rows)
        last = session.scalar(select(func.max(Message.number)))
        session.execute(delete(Message).where(Message.number <= last - ROWS_KEPT))
    remember()
    return {"messages": len(batch)}


@app.get("/messages/<int:message_id>")
def read(message_id: int) -> tuple[dict, int]:
    """The latest message of that id, if it is still kept."""
    latest = select(Message).where(Message.id == message_id).order_by(Message.number.desc())
    with Session(engine) as session:
        message = session.scalars(latest.limit(1)).first()
        if message is None:
            return {"error": "no longer kept"}, 404
        return {"name": message.name, "value": message.value, "tags": json.loads(message.tags)}, 200
