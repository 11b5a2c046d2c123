"""The way that needs no carrier and no staff phone: e-mail and a signed webhook. It tells a flag's number and nothing of a person."""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from gateway import log
from gateway.channels.base import WireRequest
from gateway.content import Content
from gateway.domain.told import N_
from gateway.wire import Wire
from gateway.wire.mail import Mailbox, NotMailed

WORDS = {
    "flag": N_("Urgent: flag {number} needs a person now. Open it and take it."),
    "silence": N_("The gateway's process {process} has said nothing for {minutes} minutes: texts may not go out. Please look."),
    "away": N_("Urgent: somebody may be in danger, and PostgreSQL is away, so that no flag can be opened. Please bring it back now."),
    "full": N_("Incoming texts cannot be kept: PostgreSQL is away and the spool is full or cannot be written. Please look now."),
    "test": N_("A test of the second way of alerts: it works."),
}
NONE = "no second way is set up"


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is to be told, once for each language. The same id twice is the same alarm."""

    id: UUID
    kind: str  # a key of WORDS
    lines: Sequence[str]
    number: int | None = None  # of the flag


@dataclass(frozen=True, slots=True)
class Hook:
    """Whom the webhook posts to, and what it is signed with. `wire` refuses addresses that the settings do not allow."""

    url: str = field(repr=False)
    key: str = field(repr=False)
    wire: Wire


@dataclass(frozen=True, slots=True)
class SecondWay:
    """E-mail, webhook, both or neither."""

    mailbox: Mailbox | None = None
    hook: Hook | None = None

    def tell(self, alarm: Alarm) -> str | None:
        """Tell everybody there is; by which ways, None when each of them failed. Takes up to half a minute."""
        ways: list[tuple[str, Callable[[Alarm], None]]] = []
        if self.mailbox is not None:
            ways.append(("mailed", self._mail))
        if self.hook is not None:
            ways.append(("posted", self._post))
        told = [said for said, way in ways if _worked(way, alarm)]
        return NONE if not ways else ", ".join(told) or None

    def _mail(self, alarm: Alarm) -> None:
        assert self.mailbox is not None
        self.mailbox.send(str(alarm.id), alarm.lines[0], "\n".join(alarm.lines) + "\n")

    def _post(self, alarm: Alarm) -> None:
        assert self.hook is not None
        result = self.hook.wire.call(request(self.hook.url, self.hook.key, alarm, datetime.now(UTC)))
        if result.reply is None or not 200 <= result.reply.status < 300:
            raise NotPosted(result.error or (result.reply and result.reply.status))


class NotPosted(Exception):
    """The webhook did not answer 2xx."""


def _worked(way: Callable[[Alarm], None], alarm: Alarm) -> bool:
    try:
        way(alarm)
    except (NotMailed, NotPosted) as error:
        log.error("second_way_failed", error, alarm=alarm.id, why=str(error))
        return False
    return True


def request(url: str, key: str, alarm: Alarm, at: datetime) -> WireRequest:
    """The signed post: X-Signature is the hex HMAC-SHA256, by the key, of X-Timestamp (unix seconds), a dot and the body."""
    body = json.dumps({"id": str(alarm.id), "kind": alarm.kind, "flag": alarm.number, "text": list(alarm.lines)}).encode()
    stamp = str(int(at.timestamp()))
    signature = hmac.new(key.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return WireRequest("POST", url, {"Content-Type": "application/json", "X-Timestamp": stamp, "X-Signature": signature}, body)


def words(content: Content, kind: str, **values: object) -> list[str]:
    """What is told, in every language there is, English first: nobody knows who reads it."""
    languages = sorted(content.languages, key=lambda code: (code != "en", code))
    return [content.gettext(code)(WORDS[kind]).format(**values) for code in languages]
