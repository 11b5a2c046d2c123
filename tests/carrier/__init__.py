"""A fake carrier that imitates Twilio's Messages API, well enough for twilio-python, and fails on demand.

In a test:        with FakeCarrier() as carrier: carrier.script("accept_500", next=3)
As a process:     python -m tests.carrier --latency-ms 100      (prints {"url": ..., "pid": ...})
                  POST /_control {"do": "script", "mode": "429", "retry_after": 30, "to": "+84900000001"}
"""

import asyncio
import ssl
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar

from tests.carrier import scripts
from tests.carrier.messages import Message
from tests.carrier.server import Carrier, Connection

T = TypeVar("T")
REPORTS = ("sent", "delivered")


class FakeCarrier:
    """The carrier in a thread of its own. Any account SID will do; `auth_token` signs and is checked.

    `inbound_url` is where clients' texts are posted. `reports=()` calls nothing back. `now_s` is the time on its books.
    """

    def __init__(
        self,
        auth_token: str = "token",
        latency_ms: float = 0,
        reports: tuple[str, ...] = REPORTS,
        inbound_url: str = "",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.carrier = Carrier(auth_token, latency_ms, reports, now_s)
        self.carrier.control = self.control
        self.inbound_url, self.port, self.tls = inbound_url, port, tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="fake-carrier", daemon=True)
        self._server: asyncio.Server | None = None

    def start(self) -> "FakeCarrier":
        """Listen on loopback; itself, for chaining."""
        self._thread.start()
        self._call(self._listen)
        return self

    def stop(self) -> None:
        """Cut every connection and end the thread."""
        self._call(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    __enter__ = start

    def __exit__(self, *error: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Its address; channels take it as base_url."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[Message]:
        """What it accepted and received, in order."""
        return self.carrier.messages.all

    @property
    def posts(self) -> int:
        """How many requests to create a message it read, accepted or not."""
        return self.carrier.posts

    @property
    def posted(self) -> list[tuple[str, dict[str, str], int]]:
        """What it called back: (url, form, status of the answer or 0)."""
        return self.carrier.callbacks.posted

    def accepted_count(self, token_or_to: str | None = None) -> int:
        """How many texts it accepted: in all, with this token, or to this number."""
        outbound = (m for m in self.messages if m.direction != "inbound")
        return sum(token_or_to is None or token_or_to in (m.token, m.to) for m in outbound)

    def script(
        self,
        mode: str = "ok",
        next: int | None = None,
        to: str | None = None,
        on: Literal["create", "list"] = "create",
        **changes: Any,
    ) -> None:
        """Behave as a mode of scripts.MODES: for one recipient, for the next requests, or from now on."""
        script, chosen = scripts.make(mode, **changes), self.carrier.scripts[on]
        if to is not None:
            chosen.by_recipient[to] = script
        elif next is not None:
            chosen.next.extend([script] * next)
        else:
            chosen.default = script

    def text_in(self, sender: str, to: str, body: str, **options: Any) -> tuple[str, int]:
        """A client texts: its SID and the status of our webhook. Options: see _text_in."""
        return self._call(lambda: self._text_in(sender, to, body, **options))

    async def _text_in(
        self,
        sender: str,
        to: str,
        body: str,
        withhold: bool = False,
        sid: str | None = None,
        opt_out: str | None = None,
        media: int = 0,
        url: str = "",
    ) -> tuple[str, int]:
        """`withhold`: only the list shows it. `sid`: that text once more. `opt_out`: STOP, START or HELP."""
        message = self.carrier.messages.by_sid.get(sid or "")
        if message is None:
            form = {"From": sender, "To": to, "Body": body, "NumMedia": str(media)}
            message = self.carrier.messages.add(Message("AC" + "0" * 32, form, "inbound", self.carrier.now_s))
        if withhold:
            return message.sid, 0
        return message.sid, await self.carrier.callbacks.text(message, url or self.inbound_url, opt_out)

    def report(self, to: str, *statuses: str, code: int | None = None) -> int:
        """Call statuses back for the latest text to a number; our answer to the last of them."""
        message = next(m for m in reversed(self.messages) if m.to == to and m.direction != "inbound")
        script = scripts.make("ok", report_ms=0, report_code=code)
        self._call(lambda: self.carrier.callbacks.report_all(message, script, statuses))
        return next(status for url, _, status in reversed(self.posted) if url == message.callback)

    def refuse(self, seconds: float) -> None:
        """Cut every connection and refuse new ones for a while."""
        self._call(lambda: self._refuse(seconds))

    async def _refuse(self, seconds: float) -> None:
        await self._unlisten()
        self._loop.call_later(seconds, lambda: self._loop.create_task(self._listen()))

    def control(self, order: dict[str, Any]) -> dict[str, Any]:
        """Do what a POST to /_control asks for: script, text_in, refuse, stats or messages."""
        do = order.pop("do")
        if do == "script":
            self.script(**order)
        elif do == "text_in":
            self._loop.create_task(self._text_in(**order))
        elif do == "refuse":
            self._loop.create_task(self._refuse(**order))
        elif do == "messages":
            names = ("sid", "token", "to", "sender", "body", "status", "direction", "validity_s")
            return {"messages": [{name: getattr(m, name) for name in names} for m in self.messages]}
        return {"posts": self.posts, "accepted": self.accepted_count(), "posted": len(self.posted)}

    async def _listen(self) -> None:
        self._server = await self._loop.create_server(
            lambda: Connection(self.carrier), "127.0.0.1", self.port, backlog=4096, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self.carrier.connections):
            connection.transport.abort()

    async def _stop(self) -> None:
        await self._unlisten()
        await self.carrier.callbacks.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        self._loop.close()

    def _call(self, work: Callable[[], Awaitable[T]]) -> T:
        async def run() -> T:
            return await work()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(60)
