"""Africa's Talking, USSD alone: its form protocol, https://developers.africastalking.com/docs/ussd/overview.

    it posts     sessionId, serviceCode, phoneNumber, networkCode, text (all that was typed, joined by *), form-encoded
    we answer    200 text/plain: "CON " and a screen, or "END " and the last one

It signs nothing: a secret of our own in the callback address, ?key=…, or in the header X-Gateway-Key, says that it is the carrier.
"""

from gateway.channels import base, without
from gateway.channels.base import Capabilities, Field
from gateway.domain.told import N_

# settings
kind = "africastalking"
fields: tuple[Field, ...] = (
    Field("secret", N_("our own, 22 characters or more: the callback address ends in ?key= and it"), secret=True),
)
capabilities = Capabilities(two_way=False, receipts="none", charset="UCS-2", max_chars=160, ussd=True, texts=False)

# without
read_call, call_reply = without.calls
list_request, inbound_list_request, read_list = without.lists
redact_request = without.redaction
inbound_reply = without.content


def check(settings: base.Settings) -> list[str]:
    """See Channel.check."""
    return base.check_fields(fields, settings) + base.check_secret(settings)


# verify
def verify(settings: base.Settings, request: base.CallbackRequest) -> bool:
    """See Channel.verify."""
    return base.bears_secret(settings, request)


# read
def read_ussd(request: base.CallbackRequest) -> base.Dialled:
    """See Channel.read_ussd."""
    form = base.read_form(request.body)
    given = [base.first(form, name) if name in form else None for name in ("sessionId", "phoneNumber", "text")]
    return base.dialled(*given)


def ussd_reply(screen: str, goes_on: bool) -> base.WireReply:
    """See Channel.ussd_reply."""
    said = f"{'CON' if goes_on else 'END'} {screen}"
    return base.WireReply(200, {"Content-Type": "text/plain; charset=utf-8"}, said.encode())


def read_inbound(request: base.CallbackRequest) -> base.Inbound:
    """See Channel.read_inbound."""
    raise _no_texts()


def read_report(request: base.CallbackRequest) -> base.Report:
    """See Channel.read_report."""
    raise _no_texts()


def _no_texts() -> base.BadCallback:
    return base.BadCallback("This channel takes no texts and no calls.")


# request
def send_request(settings: base.Settings, outgoing: base.Outgoing) -> base.WireRequest:
    """See Channel.send_request. Never asked: no text is planned on a channel that carries none."""
    raise base.BadCallback("This channel carries no texts.")


def own_numbers(settings: base.Settings) -> tuple[str, ...]:
    """See Channel.own_numbers."""
    return ()


# read_answer
def read_answer(reply: base.WireReply) -> base.SendResult:
    """See Channel.read_answer."""
    return base.refused("misconfigured")
