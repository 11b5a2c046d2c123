"""Kannel, one's own gateway to a network's SMPP, UCP or modem: its smsbox speaks HTTP on both sides.

    we send      POST <base_url>/cgi-bin/sendsms, text/plain; charset=UTF-8: the text. All else in headers, so that no number stands in an address
                 X-Kannel-Username, -Password, -From, -To, -SMSC, -Coding (0 GSM-7, 2 UCS-2), -Validity (minutes), -DLR-Mask, -DLR-URL
                 -> 202 "0: Accepted for delivery" | "3: Queued for later delivery" | "Sent.", else 4xx or 503 and a sentence
    it tells us  POST <callback_url>/inbound?key=<secret>&id=%I: the text, in the charset of its Content-Type
                 X-Kannel-From, X-Kannel-To, X-Kannel-Time
                 GET <callback_url>/report?t=<our token>&key=<secret>&status=%d
    we answer    200 and nothing: Kannel texts anything else to the client, and takes 204 for a failure

The `post-url` of its sms-service is in docs/kannel.md, with a whole kannel.conf. What the headers mean: Kannel's user guide, "Kannel POST". It signs
nothing: the secret says that it is Kannel. No list of messages can be asked for: an attempt without an answer is settled by its reports.
"""

import codecs
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, Reason, State
from gateway.domain import segments
from gateway.domain.told import N_

# settings
kind = "kannel"
fields: tuple[Field, ...] = (
    Field("base_url", N_("Kannel's smsbox, http://127.0.0.1:13013")),
    Field("username", N_("of the group sendsms-user in kannel.conf")),
    Field("password", N_("of the same group"), secret=True),
    Field("sender", N_("the number or name that clients see and answer to")),
    Field("secret", N_("our own, 22 characters or more, as in post-url in kannel.conf"), secret=True),
    Field("smsc", N_("the smsc-id texts leave by, where Kannel has several"), required=False),
)
capabilities = Capabilities(two_way=True, receipts="handset", charset="UCS-2", max_chars=1600, validity=True)
_EVERY_REPORT = 31

# without
read_call, call_reply = without.calls
read_ussd, ussd_reply = without.ussd
own_numbers, list_request, inbound_list_request, read_list = without.lists
redact_request = without.redaction  # its store forgets a text that has left

# report table: a bit of dlr-mask
_STATES: Mapping[str, State] = {"1": "delivered", "2": "failed", "4": "accepted", "8": "sent", "16": "failed"}
_FAILED: Mapping[str, Reason] = {"2": "unreachable", "16": "unrecognised"}
# What smsbox says, word for word: whole sentences are its own, anything else is somebody else's.
_TAKEN = re.compile(rb"0: Accepted for delivery|3: Queued for later delivery|Sent\.( Message splits: \d+)?")
_REASONS: Mapping[tuple[int, bytes], Reason] = {
    (400, b"Charset or body misformed, rejected"): "bad_text",
    (400, b"Number(s) has/have been denied by white- and/or black-lists."): "filtered",
    (400, b"Sender missing and no global set, rejected"): "bad_sender",
    (400, b"Empty receiver number not allowed, rejected"): "bad_number",
    (400, b"Missing receiver(s) number(s), rejected"): "bad_number",
    (400, b"DLR-URL field misformed, rejected"): "misconfigured",
    (400, b"Invalid content-type"): "misconfigured",
    (403, b"Authorization failed for sendsms"): "bad_credentials",
    (403, b"Not routable. Do not try again."): "unreachable",  # no SMSC of its takes this number
    (404, b"Unknown request."): "misconfigured",
    (503, b"Temporal failure, try again later."): "queue_full",  # refused whole, as long as it joins long texts (concatenation)
}


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings) + base.check_secret(settings) + base.check_encrypted(settings)
    foreign = [name for name in ("username", "password", "sender", "smsc") if not settings.get(name, "").isascii()]
    return faults + [N_("{name} can have letters without accents alone").format(name=name) for name in foreign]


# verify
def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify."""
    return base.bears_secret(settings, request)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound. Kannel keeps the id of a text that it tries again, after a crash too."""
    query = base.read_form(request.raw_query.encode("latin-1", "replace"))
    carrier_id, sender = base.opaque(base.first(query, "id")), request.header("x-kannel-from").strip()
    if carrier_id is None or not sender:
        lacking = "X-Kannel-From: send-sender" if carrier_id else "id: post-url"
        raise base.BadCallback("The callback lacks {missing} in kannel.conf.", missing=lacking)
    return base.Inbound(carrier_id, sender, request.header("x-kannel-to").strip(), _text(request), _instant(request.header("x-kannel-time")))


def _text(request: base.CallbackRequest) -> str:
    """The text in the charset that the request names, UTF-8 without one."""
    named = re.search(r'charset="?([\w.:-]+)', request.header("content-type"), re.IGNORECASE)
    try:
        codec = codecs.lookup(named[1] if named else "utf-8").name
        return base.well_formed(request.body.decode(codec, "backslashreplace"))
    except (LookupError, UnicodeError):  # no charset, or one of Python's that is none of texts
        return request.body.decode("utf-8", "backslashreplace")


def _instant(stamp: str) -> datetime | None:
    try:
        return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report. Kannel gives a text no id: our token is its id too."""
    query = base.read_form(request.raw_query.encode("latin-1", "replace"))
    token, status = base.token_of(request), base.opaque(base.first(query, "status"))
    if token is None or status is None:
        raise base.BadCallback("The callback lacks {missing}: no delivery report of Kannel's.", missing="t, status")
    return base.Report(token, token, _STATES.get(status), status, _FAILED.get(status))


def inbound_reply() -> base.WireReply:
    """See Channel.inbound_reply."""
    return base.WireReply(200, {"content-type": "text/plain"})


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request. Kannel cuts a long text into parts; validity is in whole minutes, and none is not a minute."""
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "X-Kannel-Username": settings["username"],
        "X-Kannel-Password": settings["password"],
        "X-Kannel-From": outgoing.sender or settings["sender"],
        "X-Kannel-To": outgoing.to,
        "X-Kannel-Coding": "0" if segments.count(outgoing.body).encoding == "GSM-7" else "2",
        "X-Kannel-DLR-Mask": str(_EVERY_REPORT),
        "X-Kannel-DLR-URL": f"{base.report_url(settings, outgoing.token)}&key={settings['secret']}&status=%d",
    }
    if outgoing.validity_s is not None:
        headers["X-Kannel-Validity"] = str(max(outgoing.validity_s // 60, 1))
    if settings.get("smsc"):
        headers["X-Kannel-SMSC"] = settings["smsc"]
    return base.WireRequest("POST", settings["base_url"].rstrip("/") + "/cgi-bin/sendsms", headers, outgoing.body.encode("utf-8", "replace"))


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer."""
    said, code = reply.body.strip(), str(reply.status)
    if reply.status == 202 and _TAKEN.fullmatch(said):
        return base.SendResult("accepted")
    if reply.status == 429:  # a proxy before it
        return base.refused("rate_limited", code, base.retry_after(reply))
    return base.refused(_REASONS.get((reply.status, said)) or ("server_error" if reply.status >= 500 else "unreadable"), code)
