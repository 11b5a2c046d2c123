"""Africa's Talking: texts and USSD by forms, https://developers.africastalking.com/docs/sms/overview and .../ussd/overview.

    we send      POST <base_url>/version1/messaging, header apiKey, form username, to, message, from, enqueue
                 -> 201 {"SMSMessageData": {"Message", "Recipients": [{"statusCode", "number", "status", "messageId", "cost"}]}}
    it posts     a text      id, from, to, text, date, linkId
                 a report    id, status, phoneNumber, networkCode, failureReason
                 an opt-out  senderId, phoneNumber: no id and no moment
                 a step      sessionId, serviceCode, phoneNumber, networkCode, text (all that was typed, joined by *)
    we answer    204; to a step 200 text/plain: "CON " and a screen, or "END " and the last one

It signs nothing: a secret of our own in the callback address, ?key=…, or in the header X-Gateway-Key, says that it is the carrier.
Addresses are set in its dashboard, one for all texts, so a report bears its id alone and none of ours: an attempt without an answer
is for a person to settle. Its list of texts that came in goes by its own ids, oldest first, and cannot be asked by time.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field, Reason, State
from gateway.domain.told import N_

# settings
kind = "africastalking"
fields: tuple[Field, ...] = (
    Field("secret", N_("our own, 22 characters or more: the callback address ends in ?key= and it"), secret=True),
    Field("username", N_("the application's username; left out, the channel has menus alone and carries no texts"), required=False),
    Field("api_key", N_("the application's API key"), secret=True, required=False),
    Field("sender", N_("the short code or name that texts come from, as registered"), required=False),
    Field("base_url", N_("the API's address: https://api.sandbox.africastalking.com for its sandbox"), required=False,
          default="https://api.africastalking.com"),
)  # fmt: skip
capabilities = Capabilities(two_way=True, receipts="handset", senders=("short code", "name"), charset="UCS-2", max_chars=1600, ussd=True)

# without
read_call, call_reply = without.calls
own_numbers, list_request, inbound_list_request, read_list = without.lists
redact_request = without.redaction
inbound_reply = without.content

# report table
_STATES: Mapping[str, State] = {
    "Buffered": "accepted", "Submitted": "sent", "Sent": "sent", "Success": "delivered", "Failed": "failed", "Rejected": "failed",
    "AbsentSubscriber": "failed", "Expired": "expired",
}  # fmt: skip
_FAILURES: Mapping[str, Reason] = {
    "AbsentSubscriber": "unreachable",
    "DeliveryFailure": "unreachable",
    "DoNotDisturbRejection": "filtered",  # the network's own list of who wants no advertising
    "NotNetworkSubscriber": "bad_number",
    "UserAccountSuspended": "unreachable",
    "UserDoesNotExist": "bad_number",
    "UserInBlackList": "opted_out",
    "UserInBlacklist": "opted_out",
    "UserIsInactive": "unreachable",
}
# Of one recipient in the answer; a code of 500 and more does not say that nothing went out.
_ACCEPTED = ("100", "101", "102")
_REASONS: Mapping[str, Reason] = {
    "401": "filtered",  # held as risky
    "402": "bad_sender",
    "403": "bad_number",
    "404": "bad_number",
    "405": "suspended",  # no balance
    "406": "opted_out",
    "407": "unreachable",
    "409": "filtered",
    "500": "server_error",
    "501": "server_error",
    "502": "server_error",
}


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    faults = base.check_fields(fields, settings) + base.check_secret(settings)
    if bool(settings.get("username")) != bool(settings.get("api_key")):
        faults.append(N_("username and api_key go together: both to carry texts, neither for menus alone"))
    return faults


def can(settings: base.Settings) -> Capabilities:
    """Without an account for texts it has menus alone."""
    return capabilities if settings.get("username") else replace(capabilities, two_way=False, receipts="none", texts=False)


# verify
def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify."""
    return base.bears_secret(settings, request)


# read
def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound. An opt-out has no id: each is a new one, since one that comes again stops nobody twice."""
    form = base.read_form(request.body)
    if base.first(form, "senderId") and base.first(form, "phoneNumber") and "text" not in form:
        moment = request.received_at.isoformat() if request.received_at else ""
        return base.Inbound(f"opt-out {moment}".strip(), base.first(form, "phoneNumber"), base.first(form, "senderId"), "", opt_out="stop")
    carrier_id = base.opaque(base.first(form, "id"))
    if carrier_id is None or not base.first(form, "from") or "text" not in form:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="id, from, text")
    sent_at = base.instant(base.first(form, "date"))
    return base.Inbound(carrier_id, base.first(form, "from"), base.first(form, "to"), base.first(form, "text"), sent_at)


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report."""
    form = base.read_form(request.body)
    carrier_id, word = base.opaque(base.first(form, "id")), base.first(form, "status")
    if carrier_id is None or not word:
        raise base.BadCallback("The callback lacks {missing}: see the protocol.", missing="id, status")
    state = _STATES.get(word)
    code = base.opaque(base.first(form, "failureReason")) or base.opaque(word)
    if state not in ("failed", "expired"):
        return base.Report(None, carrier_id, state, None if state else code)
    return base.Report(None, carrier_id, state, code, "expired" if state == "expired" else _FAILURES.get(code or "", "unrecognised"))


def read_ussd(request: base.CallbackRequest) -> base.Dialled:
    """See Channel.read_ussd."""
    form = base.read_form(request.body)
    given = [base.first(form, name) if name in form else None for name in ("sessionId", "phoneNumber", "text")]
    return base.dialled(*given)


def ussd_reply(screen: str, goes_on: bool) -> base.WireReply:
    """See Channel.ussd_reply."""
    said = f"{'CON' if goes_on else 'END'} {screen}"
    return base.WireReply(200, {"Content-Type": "text/plain; charset=utf-8"}, said.encode())


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request. enqueue: it answers before the networks do. No text is planned on a channel of menus alone."""
    if not settings.get("username"):
        raise base.BadCallback("This channel carries no texts.")
    form = {"username": settings["username"], "to": outgoing.to, "message": outgoing.body, "enqueue": "1"}
    if sender := outgoing.sender or settings.get("sender"):
        form["from"] = sender
    headers = {"apiKey": settings["api_key"], "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    host = settings.get("base_url") or "https://api.africastalking.com"
    return base.WireRequest("POST", f"{host.rstrip('/')}/version1/messaging", headers, urlencode(form, errors="replace").encode())


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer. Only an answer about one recipient says what became of the text."""
    if reply.status == 429:
        return base.refused("rate_limited", "429", base.retry_after(reply))
    if reply.status == 401:
        return base.refused("bad_credentials", "401")
    if reply.status not in (200, 201):
        return base.refused("server_error" if reply.status >= 500 else "unreadable", str(reply.status))
    said = base.read_object(reply.body).get("SMSMessageData")
    recipients = said.get("Recipients") if isinstance(said, dict) else None
    if recipients == [] and isinstance(said, dict) and said.get("Message") == "InvalidSenderId":
        return base.refused("bad_sender", "InvalidSenderId")
    if not isinstance(recipients, list) or len(recipients) != 1 or not isinstance(recipients[0], dict):
        return base.refused("unreadable", str(reply.status))
    return _recipient(recipients[0])


def _recipient(told: Mapping[str, Any]) -> base.SendResult:
    code, carrier_id = base.opaque(told.get("statusCode")), base.opaque(told.get("messageId"))
    if code in _ACCEPTED:
        return base.SendResult("accepted", carrier_id) if carrier_id not in (None, "None") else base.refused("unreadable", code)
    return base.refused(_REASONS.get(code, "unrecognised"), code) if code else base.refused("unreadable")
