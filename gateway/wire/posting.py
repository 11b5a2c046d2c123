"""What comes in by a line held open goes the way of every carrier's callback: posted to the channel's own address, signed with its secret."""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from gateway.channels.base import WireRequest, sign
from gateway.wire.values import WireResult

PATIENCE_S = 8.0
"""For so long a post that our own side does not take is tried again, before the carrier is asked to keep it."""
FIRST_PAUSE_S = 0.25


class Http(Protocol):
    """What carries the posts: a `Wire`."""

    def submit(self, request: WireRequest, callback: Callable[[WireResult], None]) -> None: ...


class Poster:
    """Posts to one channel's callbacks, from the loop it is used in."""

    def __init__(self, http: Http, callback_url: str, secret: str) -> None:
        self._http, self._url, self._secret = http, callback_url, secret

    async def post(self, what: str, body: bytes, patience_s: float = PATIENCE_S) -> int:
        """Post to /inbound or /report until it is kept (2xx) or will never be (400); the last status, 0 without an answer."""
        until, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
        while True:
            status = await self._once(what, body)
            if 200 <= status < 300 or status == 400 or time.monotonic() + pause > until:
                return status
            await asyncio.sleep(pause)
            pause *= 2

    async def _once(self, what: str, body: bytes) -> int:
        loop = asyncio.get_running_loop()
        answered: asyncio.Future[int] = loop.create_future()

        def heard(result: WireResult) -> None:
            loop.call_soon_threadsafe(_settle, answered, result.reply.status if result.reply else 0)

        timestamp = str(int(time.time()))
        headers = {"Content-Type": "application/json", "X-Timestamp": timestamp, "X-Signature": sign(self._secret, timestamp, body)}
        self._http.submit(WireRequest("POST", f"{self._url}/{what}", headers, body), heard)
        return await answered


def _settle(answered: asyncio.Future[int], status: int) -> None:
    if not answered.done():
        answered.set_result(status)
