"""The simulator: a carrier of our own, so that everything can be tried without an account.

It travels the same path as a real one. Its protocol, all JSON in UTF-8:

    we send      POST <base_url>/simulator/carrier/messages
                 {"token", "to", "body", "validity_s": int or null, "sender", "callback_url"}
                 -> 201 {"id"}, 429 (Retry-After), or 400 {"error": a reason of base.OUTCOMES}
    it tells us  POST <callback_url>/inbound
                 {"id", "from", "to", "text", "sent_at": ISO 8601 with zone, or null}
                 POST <callback_url>/report
                 {"token", "id", "state": "accepted" | "sent" | "delivered" | "failed" | "expired"}
                 signed: X-Timestamp: <unix seconds>,
                         X-Signature: hex HMAC-SHA256(secret, X-Timestamp + "." + raw body)
                 POST <callback_url>/call
                 {"id", "from", "to"}, a call that was not taken
    we answer    204
    it dials     POST <callback_url>/ussd
                 {"session", "from", "code", "text": all that was typed since, joined by *}
    we answer    200 {"screen", "ends": true or false}

`callback_url` is <public address>/c/<channel public id>. An old timestamp is not refused: a replay meets the
unique id.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, State
from gateway.domain.told import N_

# settings
kind = "simulator"
fields: tuple[Field, ...] = (
    Field("secret", N_("what its callbacks are signed with"), secret=True),
    Field("sender", N_("the number clients see and answer to")),
    Field("base_url", N_("where the simulator runs, if not at this gateway's own address"), required=False),
)
capabilities = Capabilities(two_way=True, receipts="handset", charset="UCS-2", max_chars=1600, validity=True, calls=True, ussd=True)

# without
own_numbers, list_request, inbound_list_request, read_list = without.lists
redact_request = without.redaction  # its messages are synthetic
inbound_reply = call_reply = without.content

# inbound fields
_INBOUND = ("id", "from", "to", "text")
_REPORT = ("id", "state")
_CALL = ("id", "from", "to")

# report table
_STATES: Mapping[str, State] = {
    "accepted": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "failed": "failed",
    "expired": "expired",
}


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    return base.check_fields(fields, settings)


# verify
def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The X-Signature of a callback; the simulator signs with it too."""
    return hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify."""
    timestamp, given = request.header("x-timestamp"), request.header("x-signature")
    if not (timestamp.isascii() and timestamp.isdigit() and given.isascii() and settings.get("secret")):
        return False
    return hmac.compare_digest(sign(settings["secret"], timestamp, request.body), given)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound."""
    sent = _read(request, _INBOUND)
    return base.Inbound(
        carrier_id=sent["id"],
        sender_phone=sent["from"],
        to_phone=sent["to"],
        text=base.well_formed(sent["text"]),
        sent_at=base.instant(sent.get("sent_at")),
    )


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report."""
    sent = _read(request, _REPORT)
    return base.Report(base.opaque(sent.get("token")), sent["id"], _STATES.get(sent["state"]))


def read_call(request: base.CallbackRequest) -> base.Inbound | None:
    """See Channel.read_call."""
    sent = _read(request, _CALL)
    return base.call(sent["id"], sent["from"], sent["to"])


def _read(request: base.CallbackRequest, needed: tuple[str, ...]) -> dict[str, Any]:
    sent = base.read_object(request.body)
    missing = [name for name in needed if not isinstance(sent.get(name), str)]
    if missing or base.opaque(sent["id"]) is None:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing=", ".join(missing) or "a readable id")
    return sent


def read_ussd(request: base.CallbackRequest) -> base.Dialled:
    """See Channel.read_ussd."""
    sent = base.read_object(request.body)
    return base.dialled(sent.get("session"), sent.get("from"), sent.get("text"))


def ussd_reply(screen: str, goes_on: bool) -> base.WireReply:
    """See Channel.ussd_reply."""
    answer = {"screen": screen, "ends": not goes_on}
    return base.WireReply(200, {"Content-Type": "application/json"}, json.dumps(answer).encode())


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request."""
    message = {
        "token": outgoing.token,
        "to": outgoing.to,
        "body": outgoing.body,
        "validity_s": outgoing.validity_s,
        "sender": outgoing.sender or settings["sender"],
        "callback_url": settings["callback_url"],
    }
    own_address = settings["callback_url"].rpartition("/c/")[0]
    url = (settings.get("base_url") or own_address).rstrip("/") + "/simulator/carrier/messages"
    return base.WireRequest("POST", url, {"Content-Type": "application/json"}, json.dumps(message).encode())


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer."""
    answer = base.read_object(reply.body)
    if reply.status == 429:
        return base.refused("rate_limited", "429", base.retry_after(reply))
    if reply.status == 201:
        carrier_id = base.opaque(answer.get("id"))
        return base.SendResult("accepted", carrier_id) if carrier_id else base.refused("unreadable")
    if 400 <= reply.status < 500 and "error" in answer:
        reasons = [reason for reason in base.OUTCOMES if reason == answer["error"]]
        return base.refused(reasons[0] if reasons else "unrecognised", base.opaque(answer["error"]))
    return base.refused("server_error" if reply.status >= 500 else "unreadable", str(reply.status))
