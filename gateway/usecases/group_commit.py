"""Many requests, one transaction: whoever comes while one is written shares the next."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gateway import log
from gateway.store import base as store

T = TypeVar("T")


class _Turn(Generic[T]):
    """What one request brought, and the lock it waits at."""

    __slots__ = ("error", "item", "leads", "wakes")

    def __init__(self, item: T) -> None:
        self.item = item
        self.leads = False
        self.error: BaseException | None = None
        self.wakes = threading.Lock()
        self.wakes.acquire()


class GroupCommit(Generic[T]):
    """Hands `write` what waits, up to `most` at a time, in one of the threads that wait for it.

    `write` is all or nothing. When it raises for several, each is written alone, so that one cannot spoil the others; with the
    database away all of them hear of it at once.
    """

    def __init__(self, write: Callable[[Sequence[T]], object], most: int = 100) -> None:
        self._write, self._most = write, most
        self._lock = threading.Lock()
        self._waiting: list[_Turn[T]] = []
        self._led = False  # somebody writes, and will hand on what waits by then

    def add(self, item: T) -> None:
        """Return when the item is written. Raises what writing it raised."""
        mine = _Turn(item)
        with self._lock:
            self._waiting.append(mine)
            mine.leads, self._led = not self._led, True
        if not mine.leads:
            mine.wakes.acquire()
        if mine.leads:
            self._lead()
        if mine.error is not None:
            raise mine.error

    def _lead(self) -> None:
        """Write what waits, one's own among it, and let the next of those that came meanwhile lead."""
        with self._lock:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        self._settle(batch)
        with self._lock:
            self._led = bool(self._waiting)
            if self._led:
                self._waiting[0].leads = True
                self._waiting[0].wakes.release()
        for turn in batch:
            if not turn.leads:
                turn.wakes.release()

    def _settle(self, batch: list[_Turn[T]], again: bool = True) -> None:
        try:
            self._write([turn.item for turn in batch])
        except BaseException as error:
            if again and store.is_deadlock(error):
                self._settle(batch, again=False)
            elif len(batch) == 1 or store.is_away(error):
                for turn in batch:
                    turn.error = error
            else:
                log.warning("written_one_by_one", error=type(error).__name__, waiting=len(batch))
                for turn in batch:
                    self._settle([turn])
