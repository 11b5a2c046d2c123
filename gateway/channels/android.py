"""An Android phone as a modem: the app "SMS Gateway for Android" of capcom6, on the phone itself or behind a server of one's own.

    we send      POST <base_url>/messages, Basic authentication, JSON
                 {"id": our token, "textMessage": {"text"}, "phoneNumbers": [to], "withDeliveryReport": true, "ttl": seconds, "simNumber"}
                 -> 202 {"id", "state": "Pending", ...}
    it tells us  POST <callback_url>/inbound    event sms:received
                 POST <callback_url>/report     events sms:sent, sms:delivered, sms:failed; payload.messageId is our token
                 {"event", "id", "deviceId", "webhookId", "payload": {"messageId", "message", "sender", "recipient", "receivedAt", ...}}
                 signed: X-Signature: hex HMAC-SHA256(signing key, raw body + X-Timestamp)
    we answer    204; otherwise it tries again for two days

Fields: https://docs.sms-gate.app/features/sending-messages/ and /features/webhooks/. `phoneNumber` is what older versions of the app
say for sender and recipient. The list of messages has neither texts nor an order that is promised, so it is not asked: an attempt
without an answer is settled by its reports, which bear our token. An old timestamp is not refused: what was tried again for two days
keeps its own, and a replay meets the unique id.
"""

import hashlib
import hmac
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, Reason, State
from gateway.domain.told import N_

# settings
kind = "android"
fields: tuple[Field, ...] = (
    Field("base_url", N_("the phone, http://192.168.1.20:8080, or your own server, https://sms.example.org/api/3rdparty/v1")),
    Field("username", N_("what the app shows under Local Server or Cloud Server")),
    Field("password", N_("what the app shows beside it"), secret=True),
    Field("signing_key", N_("the app's Settings, Webhooks, Signing Key"), secret=True),
    Field("number", N_("the SIM's own number, that clients see and answer to")),
    Field("sim", N_("1, 2 or 3, where the phone has more than one SIM"), required=False),
    Field("public_cloud", N_("yes, to let the maker's public server read every text; else it is refused"), required=False),
)
capabilities = Capabilities(two_way=True, receipts="handset", charset="UCS-2", max_chars=1600, validity=True)
PUBLIC_CLOUD = "sms-gate.app"

# without
read_call, call_reply = without.calls
read_ussd, ussd_reply = without.ussd
own_numbers, list_request, inbound_list_request, read_list = without.lists  # what can be asked holds no texts; what came in is posted for two days
redact_request = without.redaction  # the app forgets by its own setting, Messages, Log lifetime
inbound_reply = without.content

# report table: an event is a state
_STATES: Mapping[str, State] = {"sms:sent": "sent", "sms:delivered": "delivered", "sms:failed": "failed"}
# Android's words for why a text did not leave; https://developer.android.com/reference/android/telephony/SmsManager
_REASONS: Mapping[str, Reason] = {
    "RESULT_ERROR_GENERIC_FAILURE": "unrecognised",  # often no credit on the SIM
    "RESULT_ERROR_LIMIT_EXCEEDED": "daily_limit",
    "RESULT_ERROR_NO_SERVICE": "unreachable",
    "RESULT_ERROR_RADIO_OFF": "unreachable",
    "RESULT_ERROR_FDN_CHECK_FAILURE": "bad_number",
    "RESULT_INVALID_SMSC_ADDRESS": "misconfigured",
    "RESULT_NO_DEFAULT_SMS_APP": "misconfigured",
}
_CODE = re.compile(r"RESULT_[A-Z_]{3,60}")
_STATUS_REASONS: Mapping[int, Reason] = {
    400: "unrecognised", 401: "bad_credentials", 403: "bad_credentials", 404: "misconfigured", 429: "rate_limited",
}  # fmt: skip


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings) + base.check_encrypted(settings)
    if settings.get("sim", "1") not in ("1", "2", "3"):
        faults.append(N_("sim is 1, 2 or 3"))
    host = base.host_of(settings.get("base_url", ""))
    if (host == PUBLIC_CLOUD or host.endswith(f".{PUBLIC_CLOUD}")) and settings.get("public_cloud") != "yes":
        faults.append(N_("base_url is the app's public server, which would read every text: use the phone or a server of your own, or say public_cloud = yes"))
    return faults


# verify
def sign(signing_key: str, timestamp: str, body: bytes) -> str:
    """The X-Signature of a callback."""
    return hmac.new(signing_key.encode(), body + timestamp.encode(), hashlib.sha256).hexdigest()


def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify."""
    timestamp, given = request.header("x-timestamp"), request.header("x-signature").lower()
    if not (timestamp.isascii() and timestamp.isdigit() and given.isascii() and settings.get("signing_key")):
        return False
    return hmac.compare_digest(sign(settings["signing_key"], timestamp, request.body), given)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound.

    The app's messageId is made from the text and comes again with an equal one, and the event's id is another when
    the phone's inbox is exported anew: with the moment it is the same for the same text alone.
    """
    event, told = _read(request)
    text, sender = told.get("message"), told.get("sender") or told.get("phoneNumber")
    carrier_id = base.opaque(f"{told.get('messageId') or event.get('id') or ''} {told.get('receivedAt') or ''}".strip())
    if event["event"] != "sms:received" or not isinstance(text, str) or not isinstance(sender, str) or not sender or carrier_id is None:
        raise base.BadCallback("The callback is no text that came in: have sms:received alone posted to this address.")
    return base.Inbound(carrier_id, sender, str(told.get("recipient") or ""), base.well_formed(text), base.instant(told.get("receivedAt")))


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report. A long text brings one for each of its parts."""
    event, told = _read(request)
    token = base.opaque(told.get("messageId"))
    if token is None:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="messageId")
    state = _STATES.get(event["event"])
    code = found[0] if state == "failed" and (found := _CODE.search(str(told.get("reason")))) else None
    return base.Report(token, token, state, code, _REASONS.get(code or "", "unrecognised") if state == "failed" else None)


def _read(request: base.CallbackRequest) -> tuple[dict[str, Any], dict[str, Any]]:
    event = base.read_object(request.body)
    told = event.get("payload")
    if not isinstance(event.get("event"), str) or not isinstance(told, dict):
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="event, payload")
    return event, told


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request."""
    message: dict[str, Any] = {
        "id": outgoing.token, "textMessage": {"text": outgoing.body}, "phoneNumbers": [outgoing.to], "withDeliveryReport": True,
    }  # fmt: skip
    if outgoing.validity_s is not None:
        message["ttl"] = outgoing.validity_s
    if settings.get("sim"):
        message["simNumber"] = int(settings["sim"])
    login = b64encode(f"{settings['username']}:{settings['password']}".encode()).decode()
    headers = {"Content-Type": "application/json", "Authorization": f"Basic {login}"}
    return base.WireRequest("POST", f"{settings['base_url'].rstrip('/')}/messages", headers, json.dumps(message).encode())


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer."""
    answer = base.read_object(reply.body)
    if reply.status in (200, 201, 202):
        carrier_id = base.opaque(answer.get("id"))
        return base.SendResult("accepted", carrier_id) if carrier_id else base.refused("unreadable")
    if reply.status == 503 and answer.get("error") == "QueueLimitExceeded":
        return base.refused("queue_full", "QueueLimitExceeded", base.retry_after(reply))
    said_why = reply.status != 400 or isinstance(answer.get("message"), str)
    if said_why and (reason := _STATUS_REASONS.get(reply.status)) is not None:
        return base.refused(reason, str(reply.status), base.retry_after(reply) if reply.status == 429 else None)
    return base.refused("server_error" if reply.status >= 500 else "unreadable", str(reply.status))
