"""Channels: added, tried out, stopped and used again; and the switch that stops all but urgent texts."""

from collections.abc import Mapping
from datetime import timedelta
from secrets import token_urlsafe
from uuid import UUID, uuid4

from gateway.channels import base, registry
from gateway.channels.base import BadList
from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain.errors import Refused
from gateway.store import audit, channels, staff, switches
from gateway.store.base import Actor, Work
from gateway.store.channels import Channel
from gateway.usecases import escalate, send_text
from gateway.vault import Vault
from gateway.wire import Wire


def check(kind: str, settings: Mapping[str, str]) -> None:
    """Raises Refused with all that is wrong in the settings of a carrier."""
    if faults := registry.by_kind(kind).check(settings):
        raise Refused("the channel was not added:", *faults)


def add(
    work: Work, vault: Vault, home_id: UUID, by: Actor, *, name: str, kind: str, settings: dict[str, str], prefix: str, rate: float | None,
    replies_cost: bool,
) -> UUID:  # fmt: skip
    """Keep a channel of a unit that the actor sees; its secrets are encrypted and never shown again. Runs as the system. Raises Refused."""
    check(kind, settings)
    settings = {field.name: token_urlsafe(32) for field in registry.by_kind(kind).fields if field.made} | settings
    texts = registry.by_kind(kind).capabilities.texts
    channel_id = channels.add(work, vault, unit_id=home_id, name=name, kind=kind, settings=settings, prefix=prefix, rate=rate, texts=texts)
    channels.set_replies_cost(work, channel_id, replies_cost)
    audit.add(work, "channel.add", "channel", channel_id, home_id, {"name": name, "kind": kind}, by=by)
    return channel_id


def addresses(channel_id: UUID, kind: str, public_url: str) -> dict[str, str]:
    """Where the carrier is to post what, by what it is: inbound, report, call, ussd."""
    can, address = capabilities(kind), f"{public_url}/c/{channel_id}"
    wanted = {"inbound": can.texts, "report": can.texts, "call": can.calls, "ussd": can.ussd}
    return {what: f"{address}/{what}" for what, is_wanted in wanted.items() if is_wanted}


def capabilities(kind: str) -> base.Capabilities:
    """What the carrier can do."""
    return registry.by_kind(kind).capabilities


def ask(found: Channel, public_url: str) -> bool:
    """Whether the carrier has something that can be asked and changes nothing; then it answers and knows us. No transaction is open.

    Raises Refused when it does not answer, or does not know us.
    """
    carrier = registry.by_kind(found.kind)
    settings = found.settings | {"callback_url": f"{public_url}/c/{found.id}"}
    numbers = carrier.own_numbers(settings)
    request = carrier.list_request(settings, numbers[0]) if numbers else None
    if request is None:
        return False
    wire = Wire(max_open=1).start()
    try:
        result = wire.call(request)
    finally:
        wire.close()
    if result.reply is None:
        raise Refused(
            "the carrier could not be reached ({error}): check its address and this machine's way out", error=result.error
        )
    try:
        carrier.read_list(result.reply)
    except BadList:
        raise Refused(
            "the carrier answered {status}: check the account's id and token", status=result.reply.status
        ) from None
    return True


def text_staff(work: Work, vault: Vault, content: Content, found: Channel, code: str, by: Actor) -> None:
    """Text the staff member's own phone through it; this may cost a segment. Runs as the system. Raises NotFound without a phone."""
    member = staff.with_phone(work, vault, code)
    send_text.queue(
        work, vault, content, escalate.recipient(member), "manual", {"text": "Test 1 2 3"}, lane=lanes.URGENT, dedupe_key=f"test:{uuid4()}",
        send_before=work.now + timedelta(minutes=10), channel_id=found.id,
    )  # fmt: skip
    audit.add(work, "channel.test", "channel", found.id, found.unit_id, {"to": code}, by=by)


def set_replies(work: Work, channel_id: UUID, unit_id: UUID, name: str, cost: bool, by: Actor) -> None:
    """Whether a reply through it costs the client money; texts that ask for one then say so. Runs as the system."""
    channels.set_replies_cost(work, channel_id, cost)
    audit.add(work, f"channel.replies_{'cost' if cost else 'free'}", "channel", channel_id, unit_id, {"name": name}, by=by)


def set_state(work: Work, channel_id: UUID, unit_id: UUID, name: str, state: str, by: Actor) -> None:
    """disabled: nothing goes out through it or comes in. active: use it (again). Runs as the system."""
    channels.set_state(work, channel_id, state)
    audit.add(work, f"channel.{state}", "channel", channel_id, unit_id, {"name": name}, by=by)


def switch_sending(work: Work, on: bool, by: Actor) -> None:
    """Stop everything that goes out but urgent texts, for everyone, or let it go again. Runs as the system."""
    switches.turn(work, "sending", on, by)
    assert by.unit_id is not None
    audit.add(work, f"sending.{'on' if on else 'off'}", "switch", "sending", by.unit_id, {}, by=by)
