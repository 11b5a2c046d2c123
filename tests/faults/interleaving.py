"""Code that uses the database, taken forward one statement at a time, in whatever order a test chooses.

Each lane runs real code in a thread of its own, on a connection of its own, and halts before every statement and every
commit until it is given a turn. One that waits for a lock is left alone until the others let it go on.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Engine, event

from gateway.store import base

PATIENCE_S = 30


class NoTurn(BaseException):
    """Nobody lets this lane go on. No error of the code it runs, which must not handle it."""


class Lane:
    """One connection and what runs on it."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.at = ""  # what it halts before: the first words of a statement, "commit", or what `halt` was told
        self.commits = False  # it was let go on to commit, and the commit is not seen to be done
        self.error: BaseException | None = None
        self._pid = 0
        self._turn, self._still = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self.ended = True
        self.engine = base.connect(url, pool_size=1, cursor_factory=self._cursor())
        event.listen(self.engine, "commit", lambda _connection: self.halt("commit"))

    def _cursor(self) -> type[psycopg.Cursor[Any]]:
        lane = self

        class Halting(psycopg.Cursor[Any]):
            def execute(self, query: Any, *values: Any, **options: Any) -> Any:
                lane._pid = self.connection.info.backend_pid
                lane.halt(" ".join(str(query).split()[:3]))
                return super().execute(query, *values, **options)

        return Halting

    def begin(self, run: Callable[[Engine], object]) -> None:
        """Start running; `play` takes it from there."""
        self.error, self.commits, self.ended = None, False, False
        self._turn.clear()
        self._still.clear()
        self._thread = threading.Thread(target=self._run, args=(run,), name=self.name, daemon=True)
        self._thread.start()

    def halt(self, what: str) -> None:
        """Wait here for a turn, when called from the lane's own code."""
        if threading.current_thread() is self._thread:
            self.at = what
            self._still.set()
            if not self._turn.wait(PATIENCE_S):
                raise NoTurn(f"{self.name} at {what}")
            self._turn.clear()

    @property
    def ready(self) -> bool:
        """Whether it halts, so that it can be given a turn."""
        return self._still.is_set() and not self.ended

    def step(self) -> None:
        """Give it a turn."""
        self.commits = self.at == "commit"
        self._still.clear()
        self._turn.set()

    def wait_still(self, admin: psycopg.Connection) -> None:
        """Wait until it halts, has ended, or waits for a lock."""
        until = time.monotonic() + PATIENCE_S
        while not self._still.wait(0.002):
            if self.ended or self._waits_for_lock(admin):
                return
            assert time.monotonic() < until, f"{self.name} does not come back from {self.at}"

    def _waits_for_lock(self, admin: psycopg.Connection) -> bool:
        sql = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'"
        return admin.execute(sql, [self._pid]).fetchone() == (1,)

    def _run(self, run: Callable[[Engine], object]) -> None:
        try:
            run(self.engine)
        except BaseException as error:
            self.error = error
        finally:
            self.ended = True
            self._still.set()


def play(lanes: Sequence[Lane], turns: Iterable[int], admin: psycopg.Connection) -> list[tuple[str, str]]:
    """Let every lane come to its end. The steps as they were made: (lane, what it did), a commit when it was done.

    Each turn chooses among the lanes that can move; when turns run out, the first of them moves. Raises what a lane raised.
    """
    steps: list[tuple[str, str]] = []
    order = iter(turns)
    while True:
        for lane in lanes:
            lane.wait_still(admin)
            if lane.commits and (lane.ready or lane.ended):
                steps.append((lane.name, "commit"))
                lane.commits = False
        able = [lane for lane in lanes if lane.ready]
        if able:
            lane = able[next(order, 0) % len(able)]
            if lane.at != "commit":
                steps.append((lane.name, lane.at))
            lane.step()
        elif all(lane.ended for lane in lanes):
            break
    for lane in lanes:
        if lane.error is not None:
            raise lane.error
    return steps
