"""Who leads among several clocks, and who holds a channel's line: the holder of an advisory lock, as long as its connection lives."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from sqlalchemy import Connection, Engine, text

LOCK = 7_203_411


@contextmanager
def candidate(engine: Engine) -> Iterator[Connection]:
    """A connection of its own to stand with; closed for good afterwards, since a pooled one would keep the lock."""
    with engine.connect() as connection:
        try:
            yield connection
        finally:
            connection.invalidate()


def try_to_lead(connection: Connection) -> bool:
    """Whether we lead now. Raises when the database is away."""
    leads = bool(connection.execute(text("SELECT pg_try_advisory_lock(:n)"), {"n": LOCK}).scalar())
    connection.commit()
    return leads


_HOLD = "SELECT pg_{}advisory_{}lock(hashtextextended(:channel, :n))"


def try_to_hold(connection: Connection, channel_id: UUID) -> bool:
    """Whether the channel's line is ours to hold now. Ask once: a second lock needs a second release. Raises when the database is away."""
    holds = bool(connection.execute(text(_HOLD.format("try_", "")), {"channel": str(channel_id), "n": LOCK}).scalar())
    connection.commit()
    return holds


def release(connection: Connection, channel_id: UUID) -> None:
    """Let another process hold the channel's line."""
    connection.execute(text(_HOLD.format("", "un")), {"channel": str(channel_id), "n": LOCK})
    connection.commit()


def still_there(connection: Connection) -> None:
    """Raises when the connection, and with it the lock, is gone."""
    connection.execute(text("SELECT 1"))
    connection.commit()
