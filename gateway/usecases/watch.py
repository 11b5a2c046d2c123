"""Whether the others still live: a process that has been silent too long is told of by the second way, by whoever notices."""

import time
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway import log
from gateway.content import Content
from gateway.store import health
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import second_way
from gateway.usecases.second_way import Alarm, SecondWay

AGAIN = timedelta(minutes=30)
DATABASE = "PostgreSQL"


class Watch:
    """Looks after one other process, and after the database, which says of itself that it is there."""

    def __init__(self, engine: Engine, content: Content, second: SecondWay, other: str, silent_after: timedelta) -> None:
        self._engine, self._content, self._second, self._other, self._after = engine, content, second, other, silent_after
        self._database_seen = time.monotonic()
        self._database_told: float | None = None

    def look(self, now: datetime | None = None) -> str | None:
        """Tell people if something has been silent too long, and again each half hour; what was told of."""
        try:
            with unit_of_work(self._engine, SYSTEM, now) as work:
                silent_s = health.silent(work, self._other, self._after, AGAIN)
        except SQLAlchemyError:
            return self._look_at_the_database()
        self._database_seen, self._database_told = time.monotonic(), None
        if silent_s is None:
            return None
        if not self._tell(self._other, silent_s):
            with unit_of_work(self._engine, SYSTEM, now) as work:
                health.not_told(work, self._other)  # tried again at the next look
        return self._other

    def _look_at_the_database(self) -> str | None:
        at = time.monotonic()
        lately = self._database_told is not None and at - self._database_told < AGAIN.total_seconds()
        if at - self._database_seen < self._after.total_seconds() or lately:
            return None
        if self._tell(DATABASE, at - self._database_seen):
            self._database_told = at
        return DATABASE

    def _tell(self, process: str, silent_s: float) -> bool:
        log.error("silent", process_name=process, seconds=round(silent_s))
        said = second_way.words(self._content, "silence", process=process, minutes=max(round(silent_s / 60), 1))
        return self._second.tell(Alarm(uuid4(), "silence", said)) is not None
