"""Message resources, as Twilio's API shows them: create, fetch, blank, list by pages."""

import re
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from email.utils import formatdate
from functools import lru_cache
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlencode
from uuid import uuid4

_RUN = uuid4().hex[:12]  # SIDs of two runs differ
_NUMBERS = count()
_FINAL = {"delivered", "undelivered", "failed"}


class Message:
    """One text, ours or a client's."""

    __slots__ = (
        "account", "body", "callback", "code", "created_s", "direction", "media", "now_s", "posted_body", "sender", "sent_s",
        "service", "sid", "status", "to", "validity_s",
    )  # fmt: skip

    def __init__(
        self, account: str, form: Mapping[str, str], direction: str = "outbound-api", now_s: Callable[[], float] = time.time
    ) -> None:
        self.sid = f"SM{_RUN}{next(_NUMBERS):020x}"
        self.account, self.direction = account, direction
        self.to, self.body = form.get("To", ""), form.get("Body", "")
        self.posted_body = self.body  # stays when the body is blanked
        self.sender, self.service = form.get("From", ""), form.get("MessagingServiceSid")
        self.callback = form.get("StatusCallback", "")
        self.validity_s = int(form.get("ValidityPeriod", "36000"))
        self.media = form.get("NumMedia", "0")
        self.status = "received" if direction == "inbound" else "queued"
        self.code: int | None = None
        self.now_s = now_s
        self.created_s = now_s()
        self.sent_s = self.created_s if direction == "inbound" else None

    @property
    def token(self) -> str:
        """The token in its callback's address."""
        return parse_qs(self.callback.partition("?")[2]).get("t", [""])[0]

    def report(self, status: str, code: int | None) -> None:
        """Reach a status; a final one stays, whatever is called back after it."""
        if self.status not in _FINAL:
            self.status = status
            self.code = code if status in ("undelivered", "failed") else None
            self.sent_s = self.sent_s or self.now_s()

    def resource(self) -> dict[str, Any]:
        """The JSON of the resource."""
        path = f"/2010-04-01/Accounts/{self.account}/Messages/{self.sid}"
        return {
            "account_sid": self.account,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": _date(int(self.created_s)),
            "date_sent": _date(int(self.sent_s)) if self.sent_s else None,
            "date_updated": _date(int(self.sent_s or self.created_s)),
            "direction": self.direction,
            "error_code": self.code,
            "error_message": "see error_code" if self.code else None,
            "from": self.sender or None,
            "messaging_service_sid": self.service,
            "num_media": self.media,
            "num_segments": "1",
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": path + "/Media.json"},
            "to": self.to,
            "uri": path + ".json",
        }


class Messages:
    """All accepted and received messages, in the order in which they came."""

    def __init__(self) -> None:
        self.all: list[Message] = []
        self.by_sid: dict[str, Message] = {}
        self.by_to: dict[str, list[Message]] = defaultdict(list)

    def add(self, message: Message) -> Message:
        """Keep a message; one more to the same number is one more."""
        self.all.append(message)
        self.by_sid[message.sid] = message
        self.by_to[message.to].append(message)
        return message

    def page(self, account: str, query: dict[str, str]) -> dict[str, Any]:
        """A page of the list, newest first. A page begins after a SID: new messages do not shift it."""
        found = [
            m for m in reversed(self.by_to[query["To"]] if "To" in query else self.all) if _fits(m, query)
        ]
        size, number = int(query.get("PageSize", "50")), int(query.get("Page", "0"))
        sids = [m.sid for m in found]
        after = query.get("PageToken", "").removeprefix("PA")
        start = sids.index(after) + 1 if after in sids else 0
        shown = found[start : start + size]
        path = f"/2010-04-01/Accounts/{account}/Messages.json"
        following = None
        if start + size < len(found):
            turned = {**query, "PageSize": size, "Page": number + 1, "PageToken": "PA" + shown[-1].sid}
            following = f"{path}?{urlencode(turned)}"
        return {
            "messages": [m.resource() for m in shown],
            "page": number,
            "page_size": size,
            "start": start,
            "end": start + len(shown) - 1,
            "uri": f"{path}?{urlencode(query)}",
            "first_page_uri": f"{path}?PageSize={size}&Page=0",
            "next_page_uri": following,
            "previous_page_uri": None,
        }


@lru_cache(1000)
def _date(second: int) -> str:
    return formatdate(second)


@lru_cache(1000)
def _day(number: int) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(number * 86_400))


def _fits(message: Message, query: dict[str, str]) -> bool:
    sent_on = _day(int(message.sent_s) // 86_400) if message.sent_s else ""
    return (
        query.get("From", message.sender) == message.sender
        and query.get("DateSent", sent_on)[:10] == sent_on
        and ("DateSent>" not in query or sent_on >= query["DateSent>"][:10])
        and ("DateSent<" not in query or "" < sent_on <= query["DateSent<"][:10])
    )


def fault(form: Mapping[str, str]) -> int | None:
    """The error code with which Twilio refuses a new message, None when it is in order."""
    if not form.get("To"):
        return 21604
    if not re.fullmatch(r"\+[1-9]\d{6,14}", form["To"]):
        return 21211
    if not form.get("From") and not form.get("MessagingServiceSid"):
        return 21603
    if not form.get("Body"):
        return 21602
    return 21617 if len(form["Body"]) > 1600 else None
