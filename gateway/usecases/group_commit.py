"""Many requests, one transaction: whoever comes while one is written shares the next."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
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
    """Hands `together` what waits, up to `most` at a time, in one of the threads that wait for it, or in one of `threads`.

    When `together` raises, each is handed to `alone` in a thread of its own: none pays for another's fault, or waits behind it.
    So `together` should give up soon where it would have to wait, and may have written some of them: `alone` writes nothing twice.
    """

    def __init__(
        self, together: Callable[[Sequence[T]], object], alone: Callable[[T], object], most: int = 64, threads: Executor | None = None
    ) -> None:  # fmt: skip
        self._together, self._alone, self._most, self._threads = together, alone, most, threads
        self._lock = threading.Lock()
        self._waiting: list[_Turn[T]] = []
        self._led = False  # somebody writes, and will hand on by then

    def add(self, item: T, wait_s: float | None = None) -> None:
        """Return when the item is written. Raises what writing it alone raised.

        With `threads` nobody waits longer than `wait_s`: then TimeoutError, and the item is written later or not at all.
        """
        mine, until = _Turn(item), time.monotonic() + (wait_s or 0)
        with self._lock:
            self._waiting.append(mine)
            if not self._led:
                self._hand_on()
        if not mine.wakes.acquire(timeout=-1 if wait_s is None else wait_s):
            raise TimeoutError
        if mine.told == LEAD:
            self._lead()
        if mine.told == ALONE:
            self._write_alone(item, None if wait_s is None else max(0.0, until - time.monotonic()))

    def _write_alone(self, item: T, wait_s: float | None) -> None:
        if self._threads is None:
            self._alone(item)
            return
        writes = self._threads.submit(self._alone, item)
        try:
            writes.result(wait_s)
        finally:
            writes.cancel()  # if it has not begun

    def _hand_on(self) -> None:
        """Have the first who waits lead, if any does. Under the lock."""
        self._led = bool(self._waiting)
        if self._led and self._threads is not None:
            self._threads.submit(self._lead)
        elif self._led:
            self._waiting[0].told = LEAD
            self._waiting[0].wakes.release()

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
                self._hand_on()
            for turn in batch:
                turn.told = told
                turn.wakes.release()
