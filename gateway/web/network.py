"""The simulator's network: what lies between our channel and the handsets. It speaks channels/simulator.py's protocol.

It knows of the gateway what a carrier knows: texts come in by HTTP, and reports and replies go to the callback address
by HTTP, signed.
"""

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from queue import SimpleQueue
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener
from uuid import UUID, uuid4, uuid5

from gateway import log
from gateway.channels import base, simulator
from gateway.domain.errors import NotFound, Refused
from gateway.parts import Gateway
from gateway.store import channels, handset
from gateway.store.base import unit_of_work

LONGEST = simulator.capabilities.max_chars
CALLED = "\N{BLACK TELEPHONE}"  # how a handset shows that it rang us
CODE = "*123#"  # what handsets dial for the menu
WAITING_REPORTS = 1_000
REPORTERS = 4
TRIES = 3
TIMEOUT_SECONDS = 10.0

_DIALLED = re.compile(re.escape(CODE.removesuffix("#")) + r"(?:\*([^#]*))?#")
_E164 = re.compile(r"\+[1-9]\d{5,14}", re.ASCII)
_DIRECT = build_opener(ProxyHandler({}))  # the callback address is on this machine, whatever proxy is set


class Rejected(Exception):
    """The network takes no such text."""

    def __init__(self, reason: base.Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class Busy(Exception):
    """Too much at once: try again in a second."""


@dataclass(frozen=True, slots=True)
class _Message:
    """A text as our channel hands it over."""

    channel_id: UUID
    callback_url: str
    token: str
    to: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the gateway answered to a reply; status 0: nothing."""

    text_id: UUID
    status: int

    @property
    def arrived(self) -> bool:
        """Whether the gateway has it for sure."""
        return 200 <= self.status < 300


class Network:
    """One per web process."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._reporter = _Reporter()
        # A reply waits for a second request that this same process answers: never let replies take all its threads.
        self._replies = threading.Semaphore(gateway.settings.web_threads - 1)

    def carry(self, sent: Mapping[str, Any]) -> UUID:
        """Bring a text to its handset; the carrier's id. Reports "sent" and "delivered" follow, in this order.

        Raises Rejected, or Busy while too many reports wait; then nothing was kept.
        """
        message, text_id = _read(sent, self._gateway.settings.public_url), uuid4()
        self._reporter.reserve()
        try:
            channel = self._keep(message, text_id)
        except BaseException:
            self._reporter.release()
            raise
        self._reporter.report(_Delivery(message.callback_url, channel.settings["secret"], message.token, str(text_id)))
        return text_id

    def _keep(self, message: _Message, text_id: UUID) -> channels.Channel:
        with unit_of_work(self._gateway.engine) as work:
            try:
                channel = channels.get(work, self._gateway.vault, message.channel_id)
            except NotFound:
                raise Rejected("misconfigured") from None
            if channel.kind != simulator.kind:
                raise Rejected("misconfigured")
            handset.add(
                work, self._gateway.vault, text_id=text_id, channel_id=channel.id, unit_id=channel.unit_id, phone=message.to,
                incoming=True, body=message.body, token=message.token,
            )  # fmt: skip
        return channel

    def reply(self, phone: str, text: str, draft_id: UUID) -> Answer:
        """Send a text from the handset to the gateway's webhook.

        Its id follows from draft and text: the same again is a repeat to the gateway, an edited text is another one.
        Raises Refused (nothing to send, too long), NotFound without a simulator channel, and Busy.
        """
        text = base.well_formed(text)
        if not text.strip():
            raise Refused("There is no text to send: type one first.")
        if len(text) > LONGEST:
            raise Refused(
                "The text has {count} characters: the network takes {most} at most.", count=len(text), most=LONGEST
            )
        return self._post_from(phone, "inbound", text, uuid5(draft_id, text))

    def call(self, phone: str) -> Answer:
        """Ring the gateway's number from the handset; nobody takes it. Raises NotFound without a simulator channel, and Busy."""
        return self._post_from(phone, "call", CALLED, uuid4())

    def dial(self, phone: str, session: str, text: str) -> dict[str, Any]:
        """A step of a dialogue by USSD: the gateway's screen, and whether it ends. Raises Refused, NotFound, and Busy."""
        if not self._replies.acquire(blocking=False):
            raise Busy
        try:
            with unit_of_work(self._gateway.engine) as work:
                channel_id = handset.channel_of(work, self._gateway.vault.hash_phone(phone))
                if channel_id is None:
                    raise no_channel()
                channel = channels.get(work, self._gateway.vault, channel_id)
            dialled = {"session": session, "from": phone, "code": CODE, "text": base.well_formed(text)}
            status, body = _exchange(f"{self._gateway.settings.public_url}/c/{channel.id}/ussd", dialled, channel.settings["secret"])
            if status != 200:
                raise Refused("The gateway answered {status}: dial again.", status=status)
            return base.read_object(body)
        finally:
            self._replies.release()

    def zone_of(self, phone: str = "") -> str:
        """The zone that the handset's clock shows; without a phone the channel's. Raises NotFound without a simulator channel."""
        phone_hash = self._gateway.vault.hash_phone(phone)
        with unit_of_work(self._gateway.engine) as work:
            channel_id = handset.channel_of(work, phone_hash)
            if channel_id is None:
                raise no_channel()
            return handset.zone_of(work, phone_hash, channel_id)

    def _post_from(self, phone: str, what: str, text: str, text_id: UUID) -> Answer:
        if not self._replies.acquire(blocking=False):
            raise Busy
        try:
            return self._keep_and_post(phone, what, text, text_id)
        finally:
            self._replies.release()

    def _keep_and_post(self, phone: str, what: str, text: str, text_id: UUID) -> Answer:
        vault = self._gateway.vault
        with unit_of_work(self._gateway.engine) as work:
            channel_id = handset.channel_of(work, vault.hash_phone(phone))
            if channel_id is None:
                raise no_channel()
            channel = channels.get(work, vault, channel_id)
            handset.add(
                work, vault, text_id=text_id, channel_id=channel.id, unit_id=channel.unit_id, phone=phone, incoming=False, body=text
            )
            sent_at = work.now
        callback = {"id": str(text_id), "from": phone, "to": channel.settings["sender"]}
        if what == "inbound":
            callback |= {"text": text, "sent_at": sent_at.isoformat()}
        url = f"{self._gateway.settings.public_url}/c/{channel.id}/{what}"
        return Answer(text_id, _post(url, callback, channel.settings["secret"]))


def dialled_behind(text: str) -> str | None:
    """What was dialled together with the code of the menu, with stars between: "1*2" of "*123*1*2#". None when it is a text."""
    found = _DIALLED.fullmatch(text.strip())
    return None if found is None else found[1] or ""


def no_channel() -> NotFound:
    """What to say when nothing can be simulated."""
    return NotFound("There is no simulator channel: add one with `python -m gateway channel add`.")


def _read(sent: Mapping[str, Any], public_url: str) -> _Message:
    """The message. Raises Rejected. Calls back to this gateway only, so that nobody is posted to on another's behalf."""
    token, to, body, callback = (sent.get(name) for name in ("token", "to", "body", "callback_url"))
    if not isinstance(to, str) or not _E164.fullmatch(to):
        raise Rejected("bad_number")
    if not isinstance(body, str) or not 0 < len(body) <= LONGEST:
        raise Rejected("bad_text")
    address, _, channel_id = str(callback).rpartition("/c/")
    token = base.opaque(token)
    try:
        if address != public_url or token is None:
            raise Rejected("misconfigured")
        return _Message(UUID(channel_id), f"{address}/c/{UUID(channel_id)}", token, to, base.well_formed(body))
    except ValueError:
        raise Rejected("misconfigured") from None


@dataclass(frozen=True, slots=True)
class _Delivery:
    """A text that reached its handset, to be reported."""

    callback_url: str
    secret: str
    token: str
    text_id: str


class _Reporter:
    """Posts reports from a few threads; the two of one text in their order. They are lost when the process ends."""

    def __init__(self) -> None:
        self._room = threading.Semaphore(WAITING_REPORTS)
        self._waiting: SimpleQueue[_Delivery] = SimpleQueue()
        for number in range(REPORTERS):
            threading.Thread(target=self._run, name=f"reporter-{number}", daemon=True).start()

    def reserve(self) -> None:
        """Keep a place for a report. Raises Busy."""
        if not self._room.acquire(blocking=False):
            raise Busy

    def release(self) -> None:
        """Give the place back."""
        self._room.release()

    def report(self, delivery: _Delivery) -> None:
        """Report it soon; a place must have been reserved."""
        self._waiting.put(delivery)

    def _run(self) -> None:
        while True:
            delivery = self._waiting.get()
            try:
                for state in ("sent", "delivered"):
                    _tell(delivery, state)
            except Exception as error:
                log.error("simulated_report_failed", error, text=delivery.text_id)
            finally:
                self.release()


def _tell(delivery: _Delivery, state: str) -> None:
    report = {"token": delivery.token, "id": delivery.text_id, "state": state}
    for pause_seconds in range(1, TRIES + 1):
        status = _post(f"{delivery.callback_url}/report", report, delivery.secret)
        if 0 < status < 500:
            return
        time.sleep(pause_seconds)
    log.warning("simulated_report_lost", text=delivery.text_id, state=state)


def _post(url: str, callback: Mapping[str, Any], secret: str) -> int:
    """The status of a signed post, 0 when there was no answer."""
    return _exchange(url, callback, secret)[0]


def _exchange(url: str, callback: Mapping[str, Any], secret: str) -> tuple[int, bytes]:
    """Status and body of the answer to a signed post; 0 when there was none."""
    body, stamp = json.dumps(callback).encode(), str(int(time.time()))
    headers = {"Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": simulator.sign(secret, stamp, body)}
    try:
        with _DIRECT.open(Request(url, body, headers), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 (our own address)
            return int(answer.status), answer.read()
    except HTTPError as refused:
        refused.close()
        return refused.code, b""
    except (OSError, HTTPException):
        return 0, b""
