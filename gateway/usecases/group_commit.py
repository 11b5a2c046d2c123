"""Many requests, one transaction: whoever comes while one is written shares the next."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from gateway import log

T = TypeVar("T")
LEAD, ALONE, WRITTEN = "lead", "alone", "written"


class _Turn(Generic[T]):
    """What one request brought, the lock it waits at, and what it is told when it wakes."""

    __slots__ = ("item", "told", "wakes")

    def __init__(self, item: T) -> None:
        self.item = item
        self.told = ""
        self.wakes = threading.Lock()
        self.wakes.acquire()


class GroupCommit(Generic[T]):
    """Hands `together` what waits, up to `most` at a time, in one of the threads that wait for it.

    When `together` raises, each of them calls `alone` in its own thread: none pays for another's fault, or waits behind it.
    So `together` should give up soon where it would have to wait, and may have written some of them: `alone` writes nothing twice.
    """

    def __init__(self, together: Callable[[Sequence[T]], object], alone: Callable[[T], object], most: int = 64) -> None:
        self._together, self._alone, self._most = together, alone, most
        self._lock = threading.Lock()
        self._waiting: list[_Turn[T]] = []
        self._led = False  # somebody writes, and will hand on to the first who waits by then

    def add(self, item: T) -> None:
        """Return when the item is written. Raises what writing it alone raised."""
        mine = _Turn(item)
        with self._lock:
            self._waiting.append(mine)
            if not self._led:
                self._led, mine.told = True, LEAD
                mine.wakes.release()
        mine.wakes.acquire()
        if mine.told == LEAD:
            self._lead()
        if mine.told == ALONE:
            self._alone(item)

    def _lead(self) -> None:
        """Write what waits, one's own first among it; whatever happens, the next leads and all hear what became of theirs."""
        with self._lock:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        told = ALONE
        try:
            self._together([turn.item for turn in batch])
            told = WRITTEN
        except Exception as error:
            log.warning("written_one_by_one", error=type(error).__name__, waiting=len(batch))
        finally:
            with self._lock:
                self._led = bool(self._waiting)
                if self._led:
                    self._waiting[0].told = LEAD
                    self._waiting[0].wakes.release()
            for turn in batch:
                turn.told = told
                turn.wakes.release()
