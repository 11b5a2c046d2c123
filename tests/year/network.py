"""The fake carrier on the virtual clock. What it posts, it posts many at a time, to the gateway's real webhook."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tests.carrier import FakeCarrier, scripts
from tests.carrier.messages import Message
from tests.carrier.scripts import Script
from tests.carrier.server import Connection

T = TypeVar("T")
AT_ONCE = 48
"""Posts that are open at a time: more than the web process has threads."""
ACCOUNT = "AC" + "0" * 32


@dataclass(frozen=True, slots=True)
class TextIn:
    """A client's text. `sid`: that text once more."""

    phone: str
    words: str
    sid: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What the carrier says of a text, word by word in this order."""

    message: Message
    words: tuple[str, ...]
    code: int | None = None


class Network(FakeCarrier):
    """Twilio's wire format over HTTP. Reports only when told to, so that they come at a moment of the virtual clock."""

    def __init__(self, number: str, now_s: Callable[[], float]) -> None:
        super().__init__(reports=(), now_s=now_s)
        self.number = number
        self._taken = 0

    def take(self) -> list[Message]:
        """What was accepted since the last look."""
        fresh = self.messages[self._taken :]
        self._taken += len(fresh)
        return [message for message in fresh if message.direction != "inbound"]

    def bring_in(self, texts: Sequence[TextIn]) -> list[tuple[str, int]]:
        """Post clients' texts; the SID of each and the status of the answer."""

        async def post(text: TextIn) -> tuple[str, int]:
            return await self._text_in(text.phone, self.number, text.words, sid=text.sid)

        return self._many(post(text) for text in texts)

    def report_all(self, reports: Sequence[Report]) -> None:
        """Post reports; each message's in their order."""

        async def post(report: Report) -> None:
            script = scripts.make("ok", report_first=True, report_code=report.code)  # report_first: without a pause
            await self.carrier.callbacks.report_all(report.message, script, report.words)

        self._many(post(report) for report in reports)

    def behave(self, script: Script, upcoming: Iterable[Script] = ()) -> None:
        """From now on, and before that for so many requests."""
        self.carrier.scripts["create"].default = script
        self.carrier.scripts["create"].next = deque(upcoming)

    def forget(self, before_s: float) -> None:
        """The carrier keeps no text for ever, nor do we keep what was posted."""
        books = self.carrier.messages
        kept = [message for message in books.all if message.created_s >= before_s]
        assert self._taken == len(books.all), "what was accepted was not taken yet"
        books.all, books.by_sid = [], {}
        books.by_to.clear()
        for message in kept:
            books.all.append(message)
            books.by_sid[message.sid] = message
            books.by_to[message.to].append(message)
        self._taken = len(kept)
        self.posted.clear()

    def cut(self) -> None:
        """Every connection at once, without a byte."""

        async def cut() -> None:
            for connection in list[Connection](self.carrier.connections):
                connection.transport.abort()

        self._call(cut)

    def _many(self, posts: Iterable[Awaitable[T]]) -> list[T]:
        async def run() -> list[T]:
            room = asyncio.Semaphore(AT_ONCE)

            async def one(post: Awaitable[T]) -> T:
                async with room:
                    return await post

            return list(await asyncio.gather(*(one(post) for post in posts)))

        return self._call(run)
