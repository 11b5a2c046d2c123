"""A fake SMSC on the loopback, on the server of `smpp34`: SMPP spoken by code that is not ours.

It takes texts, refuses them as scripted, gives reports, and hands in what clients write.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

import smpp34

from gateway.channels import smpp as codes
from gateway.domain import gsm7

T = TypeVar("T")
HANG = -1
"""In place of a status: no answer at all."""


@dataclass(slots=True)
class Taken:
    """One submit_sm that came, and what was answered."""

    to: str
    sender: str
    octets: bytes
    data_coding: int
    esm_class: int
    registered: int
    status: int
    carrier_id: str
    session: str

    @property
    def text(self) -> str:
        """What it says, without its header."""
        octets = self.octets[self.octets[0] + 1 :] if self.esm_class & 0x40 else self.octets
        return octets.decode("utf-16-be") if self.data_coding == 8 else gsm7.decode(octets)


@dataclass(slots=True)
class FakeSmsc:
    """Start it, and stop it at the end. `next_statuses` are answered first, one to a submit; then all is taken."""

    port: int
    answered_id: Callable[[int], str] = str
    reported_id: Callable[[int], str] = str
    stat: str = ""
    """What every text that asks for a report is reported as at once; "": no reports."""
    taken: list[Taken] = field(default_factory=list)
    next_statuses: deque[int] = field(default_factory=deque)
    binds: list[str] = field(default_factory=list)
    bound: int = 0
    held: list[Any] = field(default_factory=list)
    _esmes: dict[str, Any] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    _server: Any = None
    _thread: threading.Thread | None = None
    _tasks: set[Any] = field(default_factory=set)

    def start(self) -> "FakeSmsc":
        """Listen."""
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.run(self._begin())
        return self

    def stop(self) -> None:
        """Cut every bind and end."""
        self.run(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)

    def text_in(self, sender: str, to: str, words: str, **changed: Any) -> int:
        """A client texts; the status with which it was acknowledged."""
        is_gsm = codes.segments.count(words).encoding == "GSM-7"
        octets = gsm7.encode(words) if is_gsm else words.encode("utf-16-be")
        return self.deliver(octets, source_addr=sender, destination_addr=to, source_addr_ton=1, data_coding=0 if is_gsm else 8, **changed)

    def report(self, carrier_id: str, stat: str = "DELIVRD", err: str = "000") -> int:
        """A report of one text; the status with which it was acknowledged."""
        said = f"id:{carrier_id} sub:001 dlvrd:001 submit date:2602101000 done date:2602101001 stat:{stat} err:{err} text:"
        return self.deliver(said.encode(), source_addr="84900", destination_addr="84900", esm_class=4)

    def deliver(self, octets: bytes, *, destination_addr: str, **fields: Any) -> int:
        """Any deliver_sm, by the bind that came last; the status with which it was acknowledged."""
        return self.run(self._deliver(destination_addr, octets, fields))

    @property
    def binds_made(self) -> int:
        """How often somebody logged in."""
        return len(self.binds)

    def release(self) -> None:
        """Answer what was left without an answer."""
        held, self.held = self.held, []
        for number, event in enumerate(held, 1_000_000):
            self._loop.call_soon_threadsafe(event.accept, str(number))

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        """What the server's own loop makes of it."""
        done: Future[T] = asyncio.run_coroutine_threadsafe(what, self._loop)
        return done.result(60)

    async def _deliver(self, to: str, octets: bytes, fields: dict[str, Any]) -> int:
        while not self.binds:  # the client knows of its bind before we have taken note of it
            await asyncio.sleep(0.01)
        answer = await self._esmes[self.binds[-1]].deliver_sm(to, octets, **fields)
        return int(answer.command_status)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self._server.stop()

    async def _begin(self) -> None:
        self._server = smpp34.Server(host="127.0.0.1", port=self.port, system_id="FAKE")
        await self._server.start()
        self._tasks.add(self._loop.create_task(self._serve()))

    async def _serve(self) -> None:
        number = 0
        while True:
            event = await self._server.next()
            if isinstance(event, smpp34.Esme):
                self._esmes[event.session_id] = event
                self.binds.append(event.session_id)
                self.bound += 1
            elif isinstance(event, smpp34.Unbound):
                self.bound -= 1
            elif isinstance(event, smpp34.SubmitSmEvent):
                number += 1
                self._answer(event, number)

    def _answer(self, event: Any, number: int) -> None:
        status = self.next_statuses.popleft() if self.next_statuses else 0
        self.taken.append(Taken(
            event.destination_addr, event.source_addr, bytes(event.short_message), event.data_coding, event.esm_class,
            event.registered_delivery, status, self.answered_id(number), event.session_id,
        ))  # fmt: skip
        if status == HANG:
            self.held.append(event)
        elif status:
            event.reject(status)
        else:
            event.accept(message_id=self.answered_id(number))
            if self.stat and event.registered_delivery:
                self._tasks.add(self._loop.create_task(self._report(event.session_id, number)))

    async def _report(self, session: str, number: int) -> None:
        said = f"id:{self.reported_id(number)} sub:001 dlvrd:001 submit date:2602101000 done date:2602101001 stat:{self.stat} err:000 text:"
        await self._esmes[session].deliver_sm("84900", said.encode(), source_addr="84900", esm_class=4)
