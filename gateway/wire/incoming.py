"""What an SMSC hands to us by a bind: posted to our own callbacks, and acknowledged only when it is kept there."""

import asyncio
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from uuid import uuid4

from gateway import log
from gateway.wire import pdu
from gateway.wire.posting import Poster

_TYPE, _RECEIPT, _ON_THE_WAY = 0x3C, 0x04, 0x20
AFTER_ANSWERS_S = 0.2
"""A report may overtake the answer that bears its id: so long it waits, and then until that answer is recorded."""
REMEMBERED, REMEMBERED_S = 10_000, 86_400.0
DOUBTFUL_S = 10.0
"""What we acknowledged so shortly before a connection was lost, the SMSC may not know, and give again."""


class Incoming:
    """Takes deliver_sm of one bind. Texts from one number are posted one after the other, reports side by side."""

    def __init__(self, poster: Poster, report_ids: str, outcomes_written: Callable[[], object]) -> None:
        self._poster, self._report_ids, self._outcomes_written = poster, report_ids, outcomes_written
        self._last: dict[bytes, asyncio.Task[int]] = {}  # the post under way, by who texted
        self._ids = _Ids()
        self._flush: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "answers")

    async def take(self, octets: bytes) -> int:
        """Post a deliver_sm; the command_status that the SMSC is to hear."""
        try:
            given = pdu.read(octets)
            is_report = given.esm_class & _TYPE in (_RECEIPT, _ON_THE_WAY) or given.receipted_message_id is not None
            digest = sha256(octets[pdu.HEADER.size :]).digest()
            carrier_id = self._ids.of(digest)
            body = json.dumps(self._told(given, carrier_id)).encode()
        except (pdu.Broken, TypeError, AttributeError) as error:
            log.error("deliver_sm_unreadable", error=type(error).__name__)
            return pdu.NEVER
        if is_report:
            await self._after_answers()
            status = await self._poster.post("report", body)
        else:
            status = await self._in_turn(bytes(given.source_addr), body)
        if 200 <= status < 300:
            self._ids.kept(digest)
            return pdu.OK
        log.warning("deliver_sm_not_kept", status=status)
        return pdu.NEVER if status == 400 else pdu.TRY_AGAIN

    def lost(self) -> None:
        """The connection was lost: what is given again by the next may be old."""
        self._ids.lost()

    async def _in_turn(self, sender: bytes, body: bytes) -> int:
        before = self._last.get(sender)

        async def post() -> int:
            if before is not None:
                await asyncio.wait([before])
            return await self._poster.post("inbound", body)

        task = self._last[sender] = asyncio.create_task(post())
        try:
            return await task
        finally:
            if self._last.get(sender) is task:
                del self._last[sender]

    async def _after_answers(self) -> None:
        """Wait until the answers to submits that came before now are recorded; one wait for many reports."""
        await asyncio.sleep(AFTER_ANSWERS_S)
        if self._flush is None:
            self._flush = asyncio.create_task(self._record())
        await asyncio.shield(self._flush)

    async def _record(self) -> None:
        await asyncio.sleep(AFTER_ANSWERS_S / 10)
        self._flush = None  # who comes from here on waits for the next
        await asyncio.get_running_loop().run_in_executor(self._thread, self._outcomes_written)

    def _told(self, given: Any, carrier_id: str) -> dict[str, Any]:
        text: bytes = given.short_message or getattr(given, "message_payload", None) or b""
        sar = [getattr(given, f"sar_{name}", None) for name in ("msg_ref_num", "segment_seqnum", "total_segments")]
        receipted = given.receipted_message_id
        return {
            "id": carrier_id, "from": given.source_addr.decode("latin-1"), "from_ton": given.source_addr_ton,
            "to": given.destination_addr.decode("latin-1"), "to_ton": given.dest_addr_ton, "esm_class": given.esm_class,
            "data_coding": given.data_coding, "octets": text.hex(), "sar": None if None in sar else sar, "report_ids": self._report_ids,
            "receipted_message_id": receipted.decode("latin-1") if receipted else None,
            "message_state": getattr(given, "message_state", None),
        }  # fmt: skip


class _Ids:
    """Ids of our own making: a deliver_sm has none. One that is given again because our answer did not arrive keeps its id."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[str, float, bool]] = {}  # digest: id, when it was given or acknowledged, whether acknowledged

    def of(self, digest: bytes) -> str:
        """The id of what was given: the same as before if that may be unknown to be kept, else a new one."""
        known = self._known.pop(digest, None)
        if known is None or known[2] or time.monotonic() - known[1] > REMEMBERED_S:
            known = str(uuid4()), time.monotonic(), False
        self._known[digest] = known
        while len(self._known) > REMEMBERED:
            del self._known[next(iter(self._known))]
        return known[0]

    def kept(self, digest: bytes) -> None:
        """It is kept, and the SMSC hears so now."""
        if digest in self._known:
            self._known[digest] = (self._known[digest][0], time.monotonic(), True)

    def lost(self) -> None:
        """The SMSC may not have heard the last of it."""
        since = time.monotonic() - DOUBTFUL_S
        self._known = {digest: (each, at, kept and at < since) for digest, (each, at, kept) in self._known.items()}
