"""Any carrier that speaks plain HTTP: its requests and answers are read off a description, see description.py and docs/generic-http.md.

A description is an administrator's own word for a carrier that nobody here tried. What it does not say is unknown: an answer with
a code that it does not list says nothing of the text, and a post without what it promises is refused.
"""

import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from gateway.channels import base, description, without
from gateway.channels.base import Capabilities, Field, Settings
from gateway.channels.description import PLACE, Callback, Description
from gateway.domain.told import N_

# settings
kind = "generic"
fields: tuple[Field, ...] = (
    Field("description", N_("the description of the carrier in TOML: docs/generic-http.md, examples/carriers"), long=True),
    Field("user", N_("what the description calls {user}"), required=False),
    Field("password", N_("what it calls {password}: a password or an API key"), secret=True, required=False),
    Field("sender", N_("what it calls {sender}: the number or name texts come from"), required=False),
    Field("secret", N_("for what the carrier posts: our own, 22 characters or more, ?key= in its address; with hmac the key that it signs with"),
          secret=True),
)  # fmt: skip
_NUMBERS = ("{validity_s}", "{validity_min}")
_WORDS = re.compile(r"[\s,:;|=]+")


def check(settings: Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings)
    if not settings.get("description"):
        return faults
    found, wrong = description.read(settings["description"])
    if found is None:
        return faults + list(wrong)
    places = {place for leaf in description.leaves([dict(found.send.headers), dict(found.send.body), found.send.address]) for place in PLACE.findall(leaf)}
    for name in ("user", "password"):
        if {name, "basic"} & places and not settings.get(name):
            faults.append(N_("the description asks for {name}, and it is empty").format(name=name))
    in_headers = {place for leaf in found.send.headers.values() for place in PLACE.findall(leaf)}
    if any(not settings.get(name, "").isascii() for name in ("user", "password") if name in in_headers):
        faults.append(N_("a header takes no letters beyond ASCII: have the user and the password sent as {basic}"))
    return faults + ([] if found.callback.by == "hmac" else base.check_secret(settings))


def of(settings: Settings) -> "Generic":
    """The carrier that a channel's settings describe; one that believes nobody and sends nothing where they describe none."""
    told, _ = description.read(settings.get("description", ""))
    return Generic(told, told.capabilities) if told else Generic()


def can(settings: Settings) -> Capabilities:
    """What the description says that it can."""
    return of(settings).capabilities


@dataclass
class Generic:
    """A carrier by its description."""

    told: Description | None = None
    capabilities: Capabilities = Capabilities(two_way=False, receipts="none", charset="GSM-7", max_chars=160, texts=False)

    kind = kind
    fields = fields
    check = staticmethod(check)

    # without
    read_call, call_reply = staticmethod(without.calls[0]), staticmethod(without.calls[1])
    read_ussd, ussd_reply = staticmethod(without.ussd[0]), staticmethod(without.ussd[1])
    own_numbers, list_request = staticmethod(without.lists[0]), staticmethod(without.lists[1])
    inbound_list_request, read_list = staticmethod(without.lists[2]), staticmethod(without.lists[3])
    redact_request = staticmethod(without.redaction)

    # verify
    def verify(self, settings: Settings, request: base.CallbackRequest) -> bool:
        """See Channel.verify."""
        if self.told is None:
            return False
        callback = self.told.callback
        if callback.by == "key":
            return base.bears_secret(settings, request)
        given = request.header(callback.header)
        if callback.by == "header":
            return base.is_secret(settings.get("secret"), given)
        wanted = _sign(callback, settings.get("secret", ""), request.body)
        if callback.written == "hex":
            wanted, given = wanted.lower(), given.lower()
        return bool(settings.get("secret")) and base.is_secret(wanted, given)

    # read
    def read_inbound(self, request: base.CallbackRequest) -> base.Inbound:
        """See Channel.read_inbound. A text without an id bears the moment the carrier tells, else the minute in which it came."""
        if self.told is None or (told := self.told.inbound) is None:
            raise base.BadCallback("This channel takes no texts and no calls.")
        post = _opened(told.format, request)
        sender, text, moment = _said(post, told.sender), _said(post, told.text), _said(post, told.time)
        if not sender or text is None:
            raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="from, text")
        came = request.received_at.strftime("%Y-%m-%dT%H:%M") if request.received_at else ""
        carrier_id = base.opaque(_said(post, told.id) if told.id else moment or came)
        if carrier_id is None:
            raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="id")
        if told.is_international and sender.isascii() and sender.isdigit():
            sender = f"+{sender.removeprefix('00')}"
        return base.Inbound(carrier_id, sender, _said(post, told.to) or "", base.well_formed(text), _instant(moment))

    def read_report(self, request: base.CallbackRequest) -> base.Report:
        """See Channel.read_report. Our token in the address counts where no signature of the body says more."""
        if self.told is None or (told := self.told.report) is None:
            raise base.BadCallback("This channel takes no texts and no calls.")
        post = _opened(told.format, request)
        in_address = None if self.told.callback.by == "hmac" else base.token_of(request)
        token = base.opaque(_said(post, told.token)) or in_address
        carrier_id, word = base.opaque(_said(post, told.id)) or token, _said(post, told.state)
        if carrier_id is None or not word:
            raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="id, state")
        state = told.states.get(word)
        code = base.opaque(_said(post, told.code)) or (base.opaque(word) if state in (None, "failed") else None)
        reason = told.reasons.get(code or "", "unrecognised") if state == "failed" else "expired" if state == "expired" else None
        return base.Report(token, carrier_id, state, code, reason)

    def inbound_reply(self) -> base.WireReply:
        """See Channel.inbound_reply."""
        if self.told is None or not self.told.callback.answer:
            return base.WireReply(204, {})
        return base.WireReply(200, {"Content-Type": "text/plain; charset=utf-8"}, self.told.callback.answer.encode())

    # request
    def send_request(self, settings: Settings, outgoing: base.Outgoing) -> base.WireRequest:
        """See Channel.send_request. The address is an administrator's, so the wire looks where it leads."""
        if self.told is None:
            raise base.BadCallback("This channel carries no texts.")
        send, values = self.told.send, _values(settings, outgoing, self.told.callback.by == "key")
        headers = {name: filled for name, value in send.headers.items() if (filled := _filled(value, values)) is not None}
        address, body = _filled(send.address, {**values, "user": quote(str(values["user"] or ""), safe="")}) or "", b""
        if send.encoding == "json":
            headers["Content-Type"], body = "application/json", json.dumps(_filled_in(send.body, values)).encode()
        else:
            form = urlencode(_filled_in(send.body, values), errors="replace")
            if send.encoding == "query":
                address += ("&" if "?" in address else "?") + form
            else:
                headers["Content-Type"], body = "application/x-www-form-urlencoded", form.encode()
        return base.WireRequest(send.method, address, headers, body, guarded=True)

    # read_answer
    def read_answer(self, reply: base.WireReply) -> base.SendResult:
        """See Channel.read_answer."""
        if self.told is None or reply.status >= 500:
            return base.refused("server_error", str(reply.status))
        told = self.told.answer
        answer = _answered(told.format, reply.body)
        code, status = base.opaque(_said(answer, told.code)), str(reply.status)
        reason = told.reasons.get(code or "") or told.statuses.get(status)
        if reply.status == 429 and (reason is None or base.OUTCOMES[reason] != "throttled"):
            reason = "rate_limited"
        if reason is not None:
            wait_s = base.retry_after(reply) if base.OUTCOMES[reason] == "throttled" else None
            return base.refused(reason, code if code in told.reasons else status, wait_s)
        carrier_id = base.opaque(_said(answer, told.id))
        if 200 <= reply.status < 300 and carrier_id is not None and (not told.code or code in told.accepted):
            return base.SendResult("accepted", carrier_id)
        return base.refused("unreadable", code or status)


def _sign(callback: Callback, secret: str, body: bytes) -> str:
    """What the header holds that signs a body."""
    signed = hmac.new(secret.encode(), body, callback.hash)
    return callback.prefix + (signed.hexdigest() if callback.written == "hex" else b64encode(signed.digest()).decode())


def _instant(told: str | None) -> datetime | None:
    """ISO 8601 with a zone, or seconds or milliseconds of Unix."""
    if told and told.isascii() and told.isdigit() and len(told) in (10, 13):
        return datetime.fromtimestamp(int(told[:10]), UTC)
    return base.instant(told)


def _opened(written: str, request: base.CallbackRequest) -> Any:
    """What a callback holds: an object of JSON, or the fields of a form, the first of each name."""
    if written == "json":
        return base.read_object(request.body)
    raw = request.body if written == "form" else request.raw_query.encode("latin-1", "replace")
    return {name: values[0] for name, values in base.read_form(raw).items()}


def _answered(written: str, body: bytes) -> Any:
    """The same of an answer; of plain text its first words, counted from 0."""
    if written == "json":
        return base.read_object(body)
    if written == "form":
        return {name: values[0] for name, values in base.read_form(body.strip()).items()}
    return [word for word in _WORDS.split(body[:2000].decode("utf-8", "replace")) if word][:50]


def _said(found: Any, path: str) -> str | None:
    """The text or whole number at a path such as messages.0.id; None where there is none.

    A list is entered when it has one member alone: of several, the others would be lost.
    """
    if not path:
        return None
    if isinstance(found, dict) and path in found:  # a form's field may have dots in its name
        found, steps = found[path], []
    else:
        steps = path.split(".")
    words = isinstance(found, list)
    for step in steps:
        if isinstance(found, dict):
            found = found.get(step)
        elif isinstance(found, list) and step.isascii() and step.isdigit() and (words or len(found) == 1) and int(step[:4]) < len(found):
            found = found[int(step[:4])]
        else:
            return None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) if isinstance(found, str | int) else None


def _values(settings: Settings, outgoing: base.Outgoing, by_key: bool) -> Mapping[str, str | None]:
    """What each {place} stands for; None: there is nothing to say, and its field is left out."""
    report_url = base.report_url(settings, outgoing.token) + (f"&key={quote(settings['secret'], safe='')}" if by_key else "")
    user, password, seconds = settings.get("user", ""), settings.get("password", ""), outgoing.validity_s
    return {
        "to": outgoing.to, "to_digits": outgoing.to.removeprefix("+"), "text": outgoing.body, "token": outgoing.token,
        "sender": outgoing.sender or settings.get("sender") or None, "report_url": report_url,
        "validity_s": None if seconds is None else str(seconds), "validity_min": None if seconds is None else str(max(seconds // 60, 1)),
        "user": user, "password": password, "basic": b64encode(f"{user}:{password}".encode()).decode(),
    }  # fmt: skip


def _filled(template: str, values: Mapping[str, str | None]) -> str | None:
    """The template with each place filled once, so that a text with braces in it stays as it is."""
    if any(values[place] is None for place in PLACE.findall(template)):
        return None
    return PLACE.sub(lambda place: str(values[place[1]]), template)


def _filled_in(told: Any, values: Mapping[str, str | None]) -> Any:
    """The same in every text of a table; a length of time that stands alone is a number."""
    if isinstance(told, str):
        filled = _filled(told, values)
        return int(filled) if filled is not None and told in _NUMBERS else filled
    if isinstance(told, dict):
        return {name: filled for name, value in told.items() if (filled := _filled_in(value, values)) is not None}
    return [_filled_in(value, values) for value in told] if isinstance(told, list) else told
