"""What a carrier does not have, ready-made, so that its file says in one line each what is missing and else only what it has:

    read_call, call_reply = without.calls
    read_ussd, ussd_reply = without.ussd
    own_numbers, list_request, inbound_list_request, read_list = without.lists
    redact_request = without.redaction
    inbound_reply = without.content
"""

from datetime import datetime

from gateway.channels import base


def _read_call(request: base.CallbackRequest) -> base.Inbound | None:
    """See Channel.read_call."""
    raise base.BadCallback("This carrier reports no calls.")


def content() -> base.WireReply:
    """An answer of no content: it is kept, and that is all there is to say."""
    return base.WireReply(204, {})


calls = (_read_call, content)
"""read_call and call_reply of a carrier that reports no calls."""


def _read_ussd(request: base.CallbackRequest) -> base.Dialled:
    """See Channel.read_ussd."""
    raise base.BadCallback("This carrier has no USSD.")


def _ussd_reply(screen: str, goes_on: bool) -> base.WireReply:
    """See Channel.ussd_reply."""
    raise base.BadCallback("This carrier has no USSD.")


ussd = (_read_ussd, _ussd_reply)
"""read_ussd and ussd_reply of a carrier without USSD."""


def _own_numbers(settings: base.Settings) -> tuple[str, ...]:
    """See Channel.own_numbers."""
    return ()


def _list_request(settings: base.Settings, to: str, page: str | None = None) -> base.WireRequest | None:
    """See Channel.list_request."""
    return None


def _inbound_list_request(
    settings: base.Settings, number: str, since_at: datetime | None = None, page: str | None = None
) -> base.WireRequest | None:
    """See Channel.inbound_list_request."""
    return None


def _read_list(reply: base.WireReply) -> base.Page:
    """See Channel.read_list."""
    raise base.BadList("This channel keeps no list of messages.")


lists = (_own_numbers, _list_request, _inbound_list_request, _read_list)
"""own_numbers, list_request, inbound_list_request and read_list of a carrier that cannot be asked for messages."""


def redaction(settings: base.Settings, carrier_id: str) -> base.WireRequest | None:
    """redact_request of a carrier that keeps no texts, or forgets them by itself."""
    return None
