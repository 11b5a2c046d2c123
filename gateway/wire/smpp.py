"""One bind to an SMSC, held open: texts leave by it within its window, and what comes in by it is posted to our own callbacks.

    put in line -> first part written -> every part answered
         '- "not_sent", given back, after connect_s     '- "sent" (unknown) after read_s, or when the connection is lost

A part is written once at most, with one exception: one that the SMSC refused as too fast, while others of its text were taken, is
written again after a pause, since the refusal says that nothing was done with it. deliver_sm is answered only when our side has kept it.
"""

import asyncio
import json
import random
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from gateway import log
from gateway.channels.base import WireReply, WireRequest
from gateway.wire import pdu
from gateway.wire.connection import Job
from gateway.wire.incoming import Incoming
from gateway.wire.posting import Http, Poster
from gateway.wire.values import Error, Limits, WireResult, awake_s

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 60.0
"""Between one try to bind and the next, doubling."""
BIND_S = 10.0
ANSWER_S = 10.0
"""How long an SMSC that has been quiet is given to say that it is there; no longer than it may be quiet."""
SLOW_DOWN_S = 1.0
"""How long nothing is written after the SMSC said that it is too much."""


class _Text:
    """A text on its way: the parts still to be written, and what was answered for the others."""

    __slots__ = ("answers", "job", "message", "to_write", "until")

    def __init__(self, job: Job) -> None:
        self.job = job
        self.message: dict[str, Any] = json.loads(job.request.body)
        self.to_write = deque(range(len(self.message["parts"])))
        self.answers: list[list[Any] | None] = [None] * len(self.to_write)
        self.until = 0.0  # set when the first part is written


class Bind:
    """A bind as a `Road` of the wire. `hold` says where to and as whom; `outcomes_written` waits until what was answered is recorded."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, limits: Limits, hold: WireRequest, http: Http, outcomes_written: Callable[[], object]
    ) -> None:
        self.loop, self.limits = loop, limits
        self.finished = 0
        self._told: dict[str, Any] = json.loads(hold.body)
        parts = urlsplit(hold.url)
        self._host, self._port = parts.hostname or "", parts.port or 2775
        self._tls = ssl.create_default_context(cafile=self._told["ca_file"] or None) if parts.scheme == "smpps" else None
        self._window: int = self._told["window"]
        self.quiet_s: int = self._told["enquire_s"]
        self._incoming = Incoming(Poster(http, self._told["callback_url"], self._told["secret"]), self._told["report_ids"], outcomes_written)
        self._line: deque[_Text] = deque()
        self._open: dict[_Text, None] = {}  # every text without a result, in order
        self._waiting: dict[int, tuple[_Text, int]] = {}  # by sequence number: the part it is
        self._connection: Connection | None = None
        self._slow_until = 0.0
        self._keeper: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether we are bound."""
        return self._connection is not None and not self._connection.transport.is_closing()

    # --- requests

    def add(self, jobs: list[Job]) -> None:
        """See Road.add."""
        for job in jobs:
            text = _Text(job)
            self._open[text] = None
            if job.first:
                self._overtake(text)
            else:
                self._line.append(text)
        self.write()

    def _overtake(self, text: _Text) -> None:
        """Put a text ahead of all in line that do not go first."""
        self._line.insert(next((place for place, each in enumerate(self._line) if not each.job.first), len(self._line)), text)

    def unfinished(self) -> list[Job]:
        """See Road.unfinished."""
        return [text.job for text in self._open]

    def write(self) -> None:
        """Write parts while the window has room."""
        if self._connection is None or self._connection.transport.is_closing() or self.loop.time() < self._slow_until:
            return  # what is written to a connection that closes never leaves, and nobody says so
        written: list[bytes] = []
        while self._line and len(self._waiting) < self._window:
            text = self._line[0]
            if not text.until and awake_s() > text.job.leave_by:
                self._line.popleft()
                self._settle(text, WireResult(None, "not_sent", "too_late"))
                continue
            index = text.to_write.popleft()
            sequence, octets = pdu.submit(self._connection.numbers, text.message, index)
            text.until = text.until or self.loop.time() + self.limits.read_s
            self._waiting[sequence] = text, index
            written.append(octets)
            if not text.to_write:
                self._line.popleft()
        if written:
            self._connection.transport.write(b"".join(written))

    def answered(self, sequence: int, status: int, carrier_id: str) -> None:
        """A part was taken or refused."""
        text, index = self._waiting.pop(sequence, (None, 0))
        if text is None:
            return  # it was given up meanwhile
        if status in pdu.THROTTLED:
            self._slow_until = self.loop.time() + SLOW_DOWN_S
            if len(text.answers) > 1 and text.until - self.loop.time() > SLOW_DOWN_S:
                text.to_write.append(index)
                if text not in self._line:
                    self._overtake(text)
                return
        text.answers[index] = [status, carrier_id]
        if all(text.answers):
            body = json.dumps({"parts": text.answers}).encode()
            self._settle(text, WireResult(WireReply(200, {"report_ids": self._told["report_ids"]}, body), "answered"))

    def _settle(self, text: _Text, result: WireResult) -> None:
        if self._open.pop(text, text) is text:
            return  # it has its result
        try:
            text.job.callback(result)
        except Exception as cause:
            log.error("wire_callback_failed", cause)
        self.finished += 1

    def _give_up(self, text: _Text, error: Error) -> None:
        if text in self._line:
            self._line.remove(text)
        self._settle(text, WireResult(None, "sent" if text.until else "not_sent", error))

    # --- time

    def tick(self) -> None:
        """See Road.tick."""
        self.loop.call_later(self.limits.tick_s, self.tick)  # first: whatever fails below is tried again
        if self._keeper is None:
            self._keeper = self.loop.create_task(self._keep_bound())
        now, awake = self.loop.time(), awake_s()
        for text in [each for each in self._open if each.until and each.until < now]:
            self._give_up(text, "timeout")
        self._waiting = {number: (text, index) for number, (text, index) in self._waiting.items() if text in self._open}
        for text in [each for each in self._open if not each.until and each.job.leave_by < awake]:
            self._give_up(text, "too_late")
        self.write()
        if self._connection is not None:
            self._connection.look(now)

    async def _keep_bound(self) -> None:
        pause = FIRST_PAUSE_S
        while True:
            began = self.loop.time()
            await self._bind_once()
            pause = FIRST_PAUSE_S if self.loop.time() - began > LONGEST_PAUSE_S else pause
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - two processes are not to try in step
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _bind_once(self) -> None:
        """Connect, log in and stay until the connection ends."""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(BIND_S):
                _, connection = await self.loop.create_connection(
                    lambda: Connection(self), self._host, self._port, ssl=self._tls, server_hostname=self._host if self._tls else None
                )
                status = await connection.log_in(self._told)
            if status == pdu.OK:
                log.info("bound", host=self._host)
                await self._serve(connection)
                log.warning("bind_lost", host=self._host)
            else:
                log.error("bind_refused", host=self._host, status=f"0x{status:02X}")
        except Exception as error:  # a name that is none, too: whatever it is, another try follows
            log.warning("bind_failed", host=self._host, error=type(error).__name__)
        finally:
            if connection is not None:
                connection.transport.abort()

    async def _serve(self, connection: "Connection") -> None:
        self._connection, self._slow_until = connection, 0.0
        self.write()
        try:
            await connection.lost
        finally:
            self._connection = None
            self._incoming.lost()
            self._waiting = {}
            for text in [each for each in self._open if each.until]:
                self._give_up(text, "closed")

    # --- what the SMSC asks

    def heard(self, connection: "Connection", head: pdu.Head, octets: bytes) -> None:
        """One PDU of a bound connection."""
        if head.command == "submit_sm_resp":
            carrier_id = octets[pdu.HEADER.size :].partition(b"\0")[0].decode("latin-1")
            self.answered(head.sequence, head.status, carrier_id)
        elif head.command == "generic_nack":
            self.answered(head.sequence, head.status or 0xFF, "")
        elif head.command == "deliver_sm":
            self.loop.create_task(self._deliver(connection, head.sequence, octets))
        elif head.command == "enquire_link":
            connection.transport.write(pdu.answer("enquire_link_resp", head.sequence))
        elif head.command == "unbind":
            connection.transport.write(pdu.answer("unbind_resp", head.sequence))
            connection.transport.close()
        elif not head.command:
            connection.transport.write(pdu.answer("generic_nack", head.sequence, pdu.UNKNOWN_COMMAND))

    async def _deliver(self, connection: "Connection", sequence: int, octets: bytes) -> None:
        status = await self._incoming.take(octets)
        if not connection.transport.is_closing():
            connection.transport.write(pdu.answer("deliver_sm_resp", sequence, status))

    # --- the end

    def abandon(self) -> None:
        """See Road.abandon."""
        if self._keeper is not None:
            self._keeper.cancel()
        for text in list(self._open):
            self._give_up(text, "shutdown")
        if self._connection is not None:
            self._connection.transport.write(pdu.plain(self._connection.numbers, "unbind")[1])
            self._connection.transport.close()
            self._connection = None

    async def stopped(self) -> None:
        """See Road.stopped."""
        if self._keeper is not None:
            await asyncio.gather(self._keeper, return_exceptions=True)
        await asyncio.sleep(0)


class Connection(asyncio.Protocol):
    """One connection to the SMSC, from its login to its end."""

    transport: asyncio.Transport

    def __init__(self, bind: Bind) -> None:
        self._bind = bind
        self.numbers = pdu.Numbers()
        loop = bind.loop
        self.lost: asyncio.Future[None] = loop.create_future()
        self._logged_in: asyncio.Future[int] = loop.create_future()
        self._buffer = bytearray()
        self._heard_at = loop.time()
        self._asked_at = 0.0
        self._quiet_s = bind.quiet_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]

    async def log_in(self, told: dict[str, Any]) -> int:
        """The command_status of the login. Raises OSError when the connection ends instead."""
        self.transport.write(pdu.bind(self.numbers, told)[1])
        return await self._logged_in

    def look(self, now: float) -> None:
        """Ask an SMSC that has been quiet whether it is there; cut the connection to one that does not say so."""
        if self._asked_at and now - self._asked_at > min(ANSWER_S, self._quiet_s):
            log.warning("smsc_does_not_answer")
            self.transport.abort()
        elif not self._asked_at and now - self._heard_at > self._quiet_s:
            self._asked_at = now
            self.transport.write(pdu.plain(self.numbers, "enquire_link")[1])

    def data_received(self, data: bytes) -> None:
        self._heard_at, self._asked_at = self._bind.loop.time(), 0.0
        self._buffer += data
        try:
            for head, octets in pdu.cut(self._buffer):
                if self._logged_in.done():
                    self._bind.heard(self, head, octets)
                elif head.command in ("bind_transceiver_resp", "generic_nack"):
                    self._logged_in.set_result(head.status if head.command != "generic_nack" else head.status or 0xFF)
        except pdu.Broken:
            log.error("smsc_speaks_no_smpp")
            self.transport.abort()
        self._bind.write()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._logged_in.done():
            self._logged_in.set_exception(ConnectionError("closed before the login was answered"))
        if not self.lost.done():
            self.lost.set_result(None)
