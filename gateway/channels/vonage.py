"""Vonage (Nexmo before): its SMS API and signed webhooks, https://developer.vonage.com/en/api/sms and .../concepts/signing-messages.

    we send      POST <base_url>/sms/json, form api_key, api_secret, from, to, text, type, ttl (ms), status-report-req, callback, client-ref
                 -> 200 {"message-count", "messages": [{"status", "message-id", "to", ...}]}, one for each part of a long text
    it posts     a text    msisdn, to, messageId, text, type, message-timestamp; of a long one concat, concat-ref, -part and -total
                 a report  msisdn, to, messageId, status, err-code, client-ref (our token), message-timestamp
                 by GET, form or JSON, as the account is set; with timestamp, nonce and sig
    we answer    204; otherwise it tries again for a day

`sig` is an HMAC by the account's signature secret over all other fields in the order of their names, & and = in their values made _.
An old timestamp is not refused: what is tried again for a day keeps its own, and a replay meets the unique id. Vonage keeps no list
that could be asked: an attempt without an answer is settled by its reports, which bear our token.
"""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, Reason, State
from gateway.domain import segments
from gateway.domain.told import N_

# settings
kind = "vonage"
fields: tuple[Field, ...] = (
    Field("api_key", N_("the account's API key, 8 letters and figures")),
    Field("api_secret", N_("the account's API secret"), secret=True),
    Field("signature_secret", N_("the dashboard's API Settings, Signed webhooks: the signature secret"), secret=True),
    Field("signature", N_("its algorithm: sha256, or sha512; others are too weak"), required=False, default="sha256"),
    Field("sender", N_("the number or name that texts come from")),
    Field("base_url", N_("the API's address, changed only for tests"), required=False, default="https://rest.nexmo.com"),
)
capabilities = Capabilities(
    two_way=True, receipts="handset", senders=("number", "short code", "name"), charset="UCS-2", max_chars=1600, validity=True, one_way=("+84",),
    no_handset=("+84",),
)  # fmt: skip
_ALGORITHMS = ("sha256", "sha512")
_VALIDITY_S = (20, 604_800)

# without
read_call, call_reply = without.calls
read_ussd, ussd_reply = without.ussd
own_numbers, list_request, inbound_list_request, read_list = without.lists
redact_request = without.redaction  # an account may have its texts redacted by Vonage itself
inbound_reply = without.content

# report table: https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts
_STATES: Mapping[str, State] = {
    "buffered": "accepted", "submitted": "accepted", "accepted": "sent", "delivered": "delivered", "failed": "failed", "rejected": "failed",
    "expired": "expired",
}  # fmt: skip
_FAILURES: Mapping[str, Reason] = {
    "2": "unreachable",
    "3": "bad_number",
    "4": "unreachable",  # barred by the user, for every sender
    "5": "unreachable",
    "6": "filtered",
    "7": "unreachable",
    "8": "unreachable",
    "9": "opted_out",
    "10": "bad_text",
    "11": "bad_number",
    "12": "bad_number",
    "13": "filtered",
    "14": "filtered",
    "15": "unreachable",
    "39": "bad_sender",
    "50": "filtered",
    "51": "filtered",
    "52": "filtered",
    "53": "filtered",
    "54": "filtered",
}
# https://developer.vonage.com/en/api-errors/sms; of 3 nothing says which field is wrong
_REASONS: Mapping[str, Reason] = {
    "1": "rate_limited",
    "2": "misconfigured",
    "4": "bad_credentials",
    "5": "server_error",
    "6": "bad_number",
    "7": "filtered",  # barred at Vonage, which does not say by whom
    "8": "suspended",
    "9": "suspended",  # no credit
    "10": "rate_limited",
    "11": "misconfigured",
    "12": "bad_text",
    "14": "bad_credentials",
    "15": "bad_sender",
    "22": "misconfigured",
    "23": "misconfigured",
    "29": "misconfigured",  # a demo account, which texts its own test numbers alone
    "32": "bad_credentials",
    "33": "bad_number",
}


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings)
    if settings.get("signature", "sha256") not in ("", *_ALGORITHMS):
        faults.append(N_("signature is sha256 or sha512: set one of them in the dashboard too"))
    return faults


# verify
def sign(secret: str, algorithm: str, told: Mapping[str, str]) -> str:
    """The `sig` of a callback with these fields."""
    covered = "".join(f"&{name}={value.translate(_HARMLESS)}" for name, value in sorted(told.items()) if name != "sig")
    return hmac.new(secret.encode(), covered.encode("utf-8", "replace"), algorithm).hexdigest()


_HARMLESS = str.maketrans("&=", "__")


def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify. A field that comes twice is refused: the signature would say nothing of the second."""
    told, secret = _fields(request), settings.get("signature_secret", "")
    if not secret or not told or not told.get("timestamp", "").isdigit():
        return False
    return base.is_secret(sign(secret, settings.get("signature") or "sha256", told), told.get("sig", "").lower())


def _fields(request: base.CallbackRequest) -> dict[str, str]:
    """What a callback says, in its body or, by GET, in its address; {} when it says something twice or in no readable way."""
    if request.header("content-type").partition(";")[0].strip().lower() == "application/json":
        sent = base.read_object(request.body)
        return {name: base.well_formed(str(value)) for name, value in sent.items()} if all(isinstance(v, str | int) for v in sent.values()) else {}
    form = base.read_form(request.body or request.raw_query.encode("latin-1", "replace"))
    return {name: values[0] for name, values in form.items()} if all(len(values) == 1 for values in form.values()) else {}


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound. Of a binary message only that it came is kept."""
    told = _fields(request)
    carrier_id, sender, is_binary = base.opaque(told.get("messageId")), told.get("msisdn", ""), told.get("type") == "binary"
    if carrier_id is None or not sender or ("text" not in told and not is_binary):
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="messageId, msisdn, text")
    return base.Inbound(
        carrier_id, _phone(sender), _phone(told.get("to", "")), told.get("text", ""), _instant(told.get("message-timestamp")), media=is_binary,
        part=_part(told),
    )  # fmt: skip


def _part(told: Mapping[str, str]) -> base.Part | None:
    given = [told.get(f"concat-{name}", "") for name in ("part", "total")]
    reference = base.opaque(told.get("concat-ref"))
    if told.get("concat") != "true" or reference is None or not all(each.isascii() and each.isdigit() and len(each) < 4 for each in given):
        return None
    number, total = map(int, given)
    return base.Part(reference, number, total) if 1 <= number <= total else None


def _phone(number: str) -> str:
    return f"+{number}" if number.isascii() and number.isdigit() and len(number) > 6 else number


def _instant(told: str | None) -> datetime | None:
    """Its moments are UTC without saying so."""
    try:
        return datetime.strptime(told or "", "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report. A long text brings one for each of its parts."""
    told = _fields(request)
    carrier_id, word, code = base.opaque(told.get("messageId")), told.get("status", ""), base.opaque(told.get("err-code"))
    if carrier_id is None or not word:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="messageId, status")
    state = _STATES.get(word)
    reason: Reason | None = "expired" if state == "expired" else _FAILURES.get(code or "", "unrecognised") if state == "failed" else None
    return base.Report(base.opaque(told.get("client-ref")), carrier_id, state, code if code != "0" else None, reason)


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request."""
    form = {
        "api_key": settings["api_key"], "api_secret": settings["api_secret"], "from": (outgoing.sender or settings["sender"]).removeprefix("+"),
        "to": outgoing.to.removeprefix("+"), "text": outgoing.body, "type": "text" if segments.GSM.issuperset(outgoing.body) else "unicode",
        "status-report-req": "1", "callback": f"{settings['callback_url']}/report", "client-ref": outgoing.token,
    }  # fmt: skip
    if outgoing.validity_s is not None:
        form["ttl"] = str(min(max(outgoing.validity_s, _VALIDITY_S[0]), _VALIDITY_S[1]) * 1000)
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    host = settings.get("base_url") or "https://rest.nexmo.com"
    return base.WireRequest("POST", f"{host.rstrip('/')}/sms/json", headers, urlencode(form, errors="replace").encode())


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer. Parts of which some were taken and some refused are unknown: the rest must not go out again."""
    if reply.status == 429:
        return base.refused("rate_limited", "429", base.retry_after(reply))
    if reply.status >= 500:
        return base.refused("server_error", str(reply.status))
    messages = base.read_object(reply.body).get("messages")
    parts: list[Any] = messages if isinstance(messages, list) else []
    codes = {base.opaque(part.get("status")) if isinstance(part, dict) else None for part in parts}
    if len(codes) != 1 or (code := codes.pop()) is None:
        known: Reason = "bad_credentials" if reply.status == 401 else "unreadable"
        return base.refused(known, str(reply.status))
    if code == "0":
        carrier_id = base.opaque(parts[0].get("message-id"))
        is_taken = 200 <= reply.status < 300 and carrier_id is not None
        return base.SendResult("accepted", carrier_id) if is_taken else base.refused("unreadable", code)
    return base.refused(_REASONS.get(code, "unrecognised"), code)
