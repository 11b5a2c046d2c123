"""A flood from one phone takes no thread that another's text needs, and no more memory than what is being written just now."""

import threading
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from functools import lru_cache

from gateway.content import Content
from gateway.usecases import receive_message

AT_ONCE = 4
"""Texts of one phone that are written at a time, and as many again that say stop or cry for help. A person sends one after the other."""

COPIES_WAITING = 64
"""Copies of what is being written that wait for its outcome at a time."""
COPY_SECONDS = 14.0
"""How long a copy waits: carriers hang up after 15."""


class Crowded(Exception):
    """Enough texts of this phone are being written: the carrier is to try again, or the back-fill brings it."""


class Crowd:
    """Who is in just now."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self._in: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._is_urgent = lru_cache(64)(self._says_urgent)  # a flood mostly says the same

    @contextmanager
    def one_more(self, phone: str, text: str) -> Iterator[None]:
        """A text of a phone, while it is written. Raises Crowded."""
        if not self._enter(phone, AT_ONCE) and not (self._is_urgent(text) and self._enter(phone, 2 * AT_ONCE)):
            raise Crowded
        try:
            yield
        finally:
            with self._lock:
                self._in[phone] -= 1
                if not self._in[phone]:
                    del self._in[phone]

    def _enter(self, phone: str, most: int) -> bool:
        with self._lock:
            if self._in[phone] >= most:
                return False
            self._in[phone] += 1
            return True

    def _says_urgent(self, text: str) -> bool:
        return bool(receive_message.wants(self._content, text, self._content.lexicons))


class Copies:
    """What is being written just now; the same once more, while that lasts, is not written but shares its outcome."""

    def __init__(self) -> None:
        self._writing: dict[Hashable, Future[None]] = {}
        self._waiting = threading.Semaphore(COPIES_WAITING)
        self._lock = threading.Lock()

    def once(self, what: Hashable, write: Callable[[], None], leave: Callable[[], None]) -> None:
        """Written when it returns, by this call or by that of its copy; raises what the writing raised.

        A copy calls `leave` before it waits. Raises Crowded when too many do, TimeoutError when it takes too long.
        """
        with self._lock:
            others = self._writing.get(what)
            mine: Future[None] = self._writing.setdefault(what, Future())
        if others is not None:
            self._wait(others, leave)
            return
        try:
            write()
            mine.set_result(None)
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._lock:
                del self._writing[what]

    def _wait(self, outcome: Future[None], leave: Callable[[], None]) -> None:
        if not self._waiting.acquire(blocking=False):
            raise Crowded
        try:
            leave()
            outcome.result(COPY_SECONDS)
        finally:
            self._waiting.release()
