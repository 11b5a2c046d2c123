"""Twilio: the Messages API, and callbacks checked by Twilio's own validator.

Creating a message is not idempotent and has no key to make it so: an attempt without an answer is settled by
its report (it carries our token) or by asking for the messages to that number. Redaction at creation is not
asked for: it needs an account option and hides the body by which a lost message is found. The body is blanked
after a final status instead.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, quote, quote_plus, urlencode, urlsplit

from twilio.request_validator import RequestValidator

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, Reason, State
from gateway.domain.told import N_

# settings
kind = "twilio"
fields: tuple[Field, ...] = (
    Field("account_sid", N_("the account's SID, AC and 32 characters")),
    Field("auth_token", N_("the account's primary auth token"), secret=True),
    Field(
        "second_token",
        N_("another token accepted on callbacks: the secondary one while tokens are rotated"),
        secret=True,
        required=False,
    ),
    Field("sender", N_("the number or name texts come from (or give messaging_service_sid)"), required=False),
    Field("messaging_service_sid", N_("a messaging service that picks the sender (MG...)"), required=False),
    Field("numbers", N_("our numbers, comma-separated, if clients text to others than sender"), required=False),
    Field(
        "base_url",
        N_("the API's address, changed only for tests"),
        required=False,
        default="https://api.twilio.com",
    ),
)
capabilities = Capabilities(
    two_way=True, receipts="handset", senders=("number", "short code", "name"), charset="UCS-2", max_chars=1600, can_list=True,
    validity=True, calls=True, one_way=("+84",), no_handset=("+84",),
)

# without
read_ussd, ussd_reply = without.ussd
_ACCOUNT, _SERVICE, _NO_SID = re.compile(r"AC[0-9a-f]{32}"), re.compile(r"MG[0-9a-f]{32}"), "AC" + "0" * 32
_NUMBER, _NAME = re.compile(r"\+?[0-9]{3,15}"), re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +&_-]{1,11}")
_VALIDITY_S = (1, 36_000)
_PAGE_SIZE = 100
_API = "/2010-04-01/Accounts/"
_FORM = "application/x-www-form-urlencoded"

# inbound fields
_INBOUND = ("MessageSid", "From", "To")
_REPORT = ("MessageSid", "MessageStatus")
_CALL = ("CallSid",)
# What Twilio gives for a number that is withheld: RESTRICTED, BLOCKED, UNKNOWN, ANONYMOUS, UNAVAILABLE on a phone's keys.
_WITHHELD = frozenset({"+7378742833", "+2562533", "+8656696", "+266696687", "+86282452253"})
_OPT_OUT: Mapping[str, Any] = {"STOP": "stop", "START": "start", "HELP": "help"}

# report table: https://www.twilio.com/docs/messaging/api/message-resource#message-status-values
_STATES: Mapping[str, State] = {
    "accepted": "accepted",
    "scheduled": "accepted",
    "queued": "accepted",
    "sending": "accepted",
    "sent": "sent",
    "delivered": "delivered",
    "read": "delivered",
    "undelivered": "failed",
    "failed": "failed",
    "canceled": "cancelled",
}
# https://www.twilio.com/docs/api/errors
_REASONS: Mapping[str, Reason] = {
    "14107": "rate_limited",
    "20003": "bad_credentials",
    "20005": "suspended",
    "20429": "rate_limited",
    "20500": "server_error",
    "21211": "bad_number",
    "21212": "bad_sender",
    "21214": "bad_number",
    "21266": "bad_number",  # our own number
    "21408": "country_off",
    "21601": "bad_sender",
    "21602": "bad_text",
    "21603": "bad_sender",
    "21606": "bad_sender",
    "21608": "misconfigured",  # a trial account, or one without an approved profile
    "21609": "misconfigured",
    "21610": "opted_out",
    "21611": "queue_full",
    "21612": "bad_number",
    "21614": "landline",
    "21617": "bad_text",
    "21635": "landline",
    "21657": "bad_sender",
    "21659": "bad_sender",
    "21701": "misconfigured",  # no such messaging service
    "21703": "bad_sender",
    "21704": "bad_sender",
    "30001": "queue_full",
    "30002": "suspended",
    "30003": "unreachable",
    "30004": "filtered",
    "30005": "bad_number",
    "30006": "landline",
    "30007": "filtered",
    "30008": "unreachable",
    "30022": "rate_limited",
    "30023": "daily_limit",
    "30024": "bad_sender",
    "30029": "misconfigured",
    "30032": "bad_sender",
    "30034": "bad_sender",
    "30036": "expired",
    "30042": "bad_sender",
    "63017": "rate_limited",
    "63038": "daily_limit",
}
_STATUS_REASONS: Mapping[int, Reason] = {401: "bad_credentials", 403: "misconfigured", 404: "misconfigured"}


class _Form(dict[str, list[str]]):
    """Form fields in the shape the validator asks for repeated ones."""

    def getlist(self, name: str) -> list[str]:
        return self[name]


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings)
    sender, service = settings.get("sender", ""), settings.get("messaging_service_sid", "")
    if not _ACCOUNT.fullmatch(settings.get("account_sid", "") or _NO_SID):
        faults.append(N_("account_sid is AC and 32 figures and letters from a to f, as on the console's first page: an API key's SK… is not it"))
    if service and not _SERVICE.fullmatch(service):
        faults.append(N_("messaging_service_sid is MG and 32 figures and letters from a to f"))
    if not sender and not service:
        faults.append(N_("sender or messaging_service_sid is missing: texts need somewhere to come from"))
    if sender and not _NUMBER.fullmatch(sender) and not _NAME.fullmatch(sender):
        faults.append(N_("sender is +44… or a short code, or a name of at most 11 letters without accents, figures, spaces and + - _ &, with one letter at least"))
    return faults


# verify
def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify. The primary and the second token are both good, so that tokens can be rotated.

    A signature covers the form's fields, or the address alone with the body's hash in it. What is covered by
    neither is refused.
    """
    signature = request.header("x-twilio-signature")
    tokens = [token for token in (settings.get("auth_token"), settings.get("second_token")) if token]
    try:
        covered = _covered(request)
        good = [RequestValidator(token).validate(request.url, covered, signature) for token in tokens]
    except ValueError:  # an address that cannot be parsed, a body that is no text
        return False
    return bool(covered) and any(good)


def _covered(request: base.CallbackRequest) -> str | _Form | None:
    if _is_hashed(request):
        return request.body.decode("utf-8")
    if request.header("content-type").partition(";")[0].strip().lower() != _FORM:
        return None
    return _Form(base.read_form(request.body, errors="replace"))


def _is_hashed(request: base.CallbackRequest) -> bool:
    """Whether the address carries the body's hash, looked for exactly as the validator does."""
    return "bodySHA256" in parse_qs(urlsplit(request.url).query)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound. Twilio does not say when the text was sent."""
    form = _read(request, _INBOUND)
    return base.Inbound(
        carrier_id=base.first(form, "MessageSid"),
        sender_phone=base.first(form, "From"),
        to_phone=base.first(form, "To"),
        text=base.first(form, "Body"),
        opt_out=_OPT_OUT.get(base.first(form, "OptOutType").upper()),
        media=base.first(form, "NumMedia") not in ("", "0"),
    )


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report."""
    form = _read(request, _REPORT)
    code = base.opaque(base.first(form, "ErrorCode"))
    state = _state(base.first(form, "MessageStatus"), code)
    reason = _reason(code) if state in ("failed", "expired") else None
    return base.Report(base.token_of(request), base.first(form, "MessageSid"), state, code, reason)


def read_call(request: base.CallbackRequest) -> base.Inbound | None:
    """See Channel.read_call."""
    form = _read(request, _CALL)
    caller = base.first(form, "From")
    return None if caller in _WITHHELD else base.call(base.first(form, "CallSid"), caller, base.first(form, "To"))


def _read(request: base.CallbackRequest, needed: tuple[str, ...]) -> dict[str, list[str]]:
    """The fields of a callback, form or JSON; the first of those needed is its id."""
    if _is_hashed(request):
        sent = base.read_object(request.body)
        form = {name: [base.well_formed(str(value))] for name, value in sent.items() if value is not None}
    else:
        form = base.read_form(request.body)
    missing = [name for name in needed if not base.first(form, name)]
    if base.opaque(base.first(form, needed[0])) is None and needed[0] not in missing:
        missing.append(f"a readable {needed[0]}")
    if missing:
        raise base.BadCallback("The callback lacks {missing}: no message, call or report of Twilio's.", missing=', '.join(missing))
    return form


def inbound_reply() -> base.WireReply:
    """See Channel.inbound_reply. An empty TwiML document: anything else would be texted to the client."""
    return base.WireReply(200, {"content-type": "text/xml"}, b"<Response/>")


def call_reply() -> base.WireReply:
    """See Channel.call_reply. The caller hears the busy tone; a call that is rejected costs nobody anything."""
    return base.WireReply(200, {"content-type": "text/xml"}, b"<Response><Reject reason=\"busy\"/></Response>")


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request."""
    form = {"To": outgoing.to, "Body": outgoing.body}
    form["StatusCallback"] = base.report_url(settings, outgoing.token)
    service = settings.get("messaging_service_sid")
    sender = outgoing.sender or ("" if service else settings["sender"])
    if service:
        form["MessagingServiceSid"] = service
    if sender:
        form["From"] = sender
    if outgoing.validity_s is not None:
        form["ValidityPeriod"] = str(min(max(outgoing.validity_s, _VALIDITY_S[0]), _VALIDITY_S[1]))
    return _request(settings, "POST", _messages(settings), form)


def list_request(settings: base.Settings, to: str, page: str | None = None) -> base.WireRequest:
    """See Channel.list_request. By number only: a queued message has no date by which it could be found."""
    return inbound_list_request(settings, to, page=page)


def inbound_list_request(
    settings: base.Settings, number: str, since_at: datetime | None = None, page: str | None = None
) -> base.WireRequest:
    """See Channel.inbound_list_request. Twilio filters by whole days of GMT."""
    query: dict[str, object] = {"To": number, "PageSize": _PAGE_SIZE}
    if since_at is not None:
        query["DateSent>"] = since_at.astimezone(UTC).date().isoformat()
    return _request(settings, "GET", page or f"{_messages(settings)}?{urlencode(query)}")


def own_numbers(settings: base.Settings) -> tuple[str, ...]:
    """See Channel.own_numbers."""
    listed = settings.get("numbers") or settings.get("sender") or ""
    return tuple(number.strip() for number in listed.split(",") if number.strip().removeprefix("+").isdigit())


def redact_request(settings: base.Settings, carrier_id: str) -> base.WireRequest:
    """See Channel.redact_request."""
    return _request(settings, "POST", _messages(settings, "/" + quote(carrier_id, safe="")), {"Body": ""})


def _messages(settings: base.Settings, suffix: str = "") -> str:
    return f"{_API}{quote(settings['account_sid'], safe='')}/Messages{suffix}.json"


@lru_cache(maxsize=256)  # a campaign's texts, sender and validity are the same again and again
def _quoted(value: str) -> str:
    return quote_plus(value, errors="replace")


def _request(
    settings: base.Settings, method: str, path: str, form: Mapping[str, str] | None = None
) -> base.WireRequest:
    credentials = f"{settings['account_sid']}:{settings['auth_token']}".encode()
    headers = {"Authorization": "Basic " + b64encode(credentials).decode(), "Accept": "application/json"}
    body = b""
    if form is not None:
        headers["Content-Type"] = _FORM
        body = "&".join(f"{name}={_quoted(value)}" for name, value in form.items()).encode()
    host = settings.get("base_url") or "https://api.twilio.com"
    return base.WireRequest(method, host.rstrip("/") + path, headers, body)


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer. Only an answer that is fully understood says what became of the text."""
    answer = base.read_object(reply.body)
    if reply.status == 429:
        reason = _reason(base.opaque(answer.get("code")))
        throttle: Reason = reason if base.OUTCOMES[reason] == "throttled" else "rate_limited"
        return base.refused(throttle, base.opaque(answer.get("code")) or "429", base.retry_after(reply))
    if 200 <= reply.status < 300:
        return _created(answer)
    if reply.status >= 500:
        return base.refused("server_error", base.opaque(answer.get("code")) or str(reply.status))
    code = base.opaque(answer.get("code"))
    if code is None or reply.status < 400:  # a proxy's page, not Twilio's word
        return base.refused("unreadable", str(reply.status))
    known = _REASONS.get(code) or _STATUS_REASONS.get(reply.status)
    return base.refused(known or "unrecognised", code, base.retry_after(reply))


def _created(answer: Mapping[str, Any]) -> base.SendResult:
    sid, code = base.opaque(answer.get("sid")), base.opaque(answer.get("error_code"))
    if sid is None:
        return base.refused("unreadable")
    if code and answer.get("status") in ("failed", "undelivered"):  # no report follows a first status
        reason = _reason(code)
        return base.SendResult(base.OUTCOMES[reason], sid, code, reason)
    return base.SendResult("accepted", sid)


def read_list(reply: base.WireReply) -> base.Page:
    """See Channel.read_list."""
    answer = base.read_object(reply.body)
    messages, following = answer.get("messages"), answer.get("next_page_uri")
    if (
        reply.status != 200
        or not isinstance(messages, list)
        or not all(isinstance(m, dict) for m in messages)
    ):
        raise base.BadList("Twilio's list of messages could not be read (HTTP {status}): ask again later.", status=reply.status)
    if following and not str(following).startswith(_API):  # our credentials go along
        raise base.BadList("Twilio's list of messages names a next page outside its API: ask again later.")
    return base.Page(tuple(_found(message) for message in messages), following or None)


def _found(message: Mapping[str, Any]) -> base.Found:
    code = base.opaque(message.get("error_code"))
    return base.Found(
        carrier_id=str(message.get("sid") or ""),
        to=str(message.get("to") or ""),
        sender=str(message.get("from") or ""),
        body=str(message.get("body") or ""),
        created_at=_instant(message.get("date_created")),
        state=_state(str(message.get("status")), code),
        code=code,
        direction="inbound" if message.get("direction") == "inbound" else "outbound",
    )


def _instant(value: object) -> datetime | None:
    try:
        return parsedate_to_datetime(str(value)).astimezone(UTC)
    except ValueError:
        return None


def _state(word: str, code: str | None) -> State | None:
    state = _STATES.get(word.lower())
    return "expired" if state == "failed" and code == "30036" else state


def _reason(code: str | None) -> Reason:
    return _REASONS.get(code or "", "unrecognised")
