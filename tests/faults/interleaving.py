"""Code that uses the database, taken forward one statement at a time, in whatever order a test chooses.

Each lane runs real code in a thread of its own, on a connection of its own, and halts before every statement and every
commit until it is given a turn. One that waits for a lock is left alone until the others let it go on.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence

import psycopg
from sqlalchemy import Engine, event

from gateway.store import base

PATIENCE_S = 30


class Lane:
    """One connection and what runs on it."""

    def __init__(self, name: str, url: str) -> None:
        self.name, self.engine = name, base.connect(url, pool_size=1)
        self.at = ""  # what it halts before: the first words of a statement, "commit", or what `halt` was told
        self.error: BaseException | None = None
        self._pid = 0
        self._turn, self._still = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        event.listen(self.engine, "before_cursor_execute", self._before_statement)
        event.listen(self.engine, "commit", lambda _connection: self.halt("commit"))

    def begin(self, run: Callable[[Engine], object]) -> None:
        """Run until the first halt."""
        self.error = None
        self._turn.clear()
        self._still.clear()
        self._thread = threading.Thread(target=self._run, args=(run,), name=self.name, daemon=True)
        self._thread.start()
        assert self._still.wait(PATIENCE_S), f"{self.name} never reached the database"

    def halt(self, what: str) -> None:
        """Wait here for a turn, when called from the lane's own code."""
        if threading.current_thread() is self._thread:
            self.at = what
            self._still.set()
            assert self._turn.wait(PATIENCE_S), f"{self.name} got no turn"
            self._turn.clear()

    @property
    def ended(self) -> bool:
        return self._thread is None or not self._thread.is_alive()

    @property
    def ready(self) -> bool:
        """Whether it halts, so that it can be given a turn."""
        return self._still.is_set() and not self.ended

    def step(self, admin: psycopg.Connection) -> None:
        """Give it a turn; back when it halts again, has ended, or waits for a lock."""
        self._still.clear()
        self._turn.set()
        self.wait_still(admin)

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

    def _before_statement(self, connection: object, cursor: psycopg.Cursor, statement: str, *rest: object) -> None:
        self._pid = cursor.connection.info.backend_pid
        self.halt(" ".join(statement.split()[:4]))

    def _run(self, run: Callable[[Engine], object]) -> None:
        try:
            run(self.engine)
        except BaseException as error:
            self.error = error
        finally:
            self._still.set()


def play(lanes: Sequence[Lane], turns: Iterable[int], admin: psycopg.Connection) -> list[tuple[str, str]]:
    """Let every lane come to its end; the steps in the order they were made, as (lane, what it stood before).

    Each turn chooses among the lanes that can move; when turns run out, the first of them moves. Raises what a lane raised.
    """
    steps: list[tuple[str, str]] = []
    order = iter(turns)
    while not all(lane.ended for lane in lanes):
        for lane in lanes:
            lane.wait_still(admin)
        able = [lane for lane in lanes if lane.ready]
        if able:
            lane = able[next(order, 0) % len(able)]
            steps.append((lane.name, lane.at))
            lane.step(admin)
    for lane in lanes:
        if lane.error is not None:
            raise lane.error
    return steps
