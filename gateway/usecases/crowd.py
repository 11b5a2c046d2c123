"""A flood from one phone takes no thread that another's text needs, and no more memory than what is being written just now."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache

from gateway.content import Content
from gateway.usecases import receive_message

AT_ONCE = 4
"""Texts of one phone that are written at a time, and as many again that say stop or cry for help. A person sends one after the other."""


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
