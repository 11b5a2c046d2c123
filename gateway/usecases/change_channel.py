"""Channels: added, tried out, stopped and used again; and the switch that stops all but urgent texts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from secrets import token_urlsafe
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway import log
from gateway.channels import base, registry
from gateway.channels.base import BadList
from gateway.content import Content
from gateway.domain import messages as lanes
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import audit, channels, staff, switches
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.store.channels import Channel, State, Terms
from gateway.usecases import escalate, send_text
from gateway.vault import Vault
from gateway.wire import Wire

UNKNOWN_KIND_SECONDS = 300


def check(kind: str, settings: Mapping[str, str]) -> None:
    """Raises Refused with all that is wrong in the settings of a carrier."""
    if faults := registry.by_kind(kind).check(settings):
        raise Refused("the channel's settings are wrong:", *faults)


def add(
    work: Work, vault: Vault, home_id: UUID, by: Actor, *, name: str, kind: str, settings: dict[str, str], prefix: str, rate: float | None,
    replies_cost: bool,
) -> UUID:  # fmt: skip
    """Keep a channel of a unit that the actor sees; its secrets are encrypted and never shown again. Runs as the system. Raises Refused."""
    check(kind, settings)
    settings = {field.name: token_urlsafe(32) for field in registry.by_kind(kind).fields if field.made} | settings
    channel_id = channels.add(
        work, vault, unit_id=home_id, name=name, kind=kind, settings=settings, prefix=prefix, rate=rate, texts=registry.capabilities(kind, settings).texts,
        one_way=_one_way(kind, settings), limits=_limits(kind, settings),
    )  # fmt: skip
    channels.set_replies_cost(work, channel_id, replies_cost)
    audit.add(work, "channel.add", "channel", channel_id, home_id, {"name": name, "kind": kind}, by=by)
    return channel_id


def no_handset(channel: State, can: base.Capabilities) -> list[str]:
    """Beginnings of the phones it reaches of which reports come from the network alone, though they come from the phone elsewhere."""
    return [prefix for prefix in can.no_handset if can.receipts == "handset" and (prefix.startswith(channel.prefix) or channel.prefix.startswith(prefix))]


def network_only(work: Work, vault: Vault) -> list[str]:
    """Of all channels, those whose reports do not come from the phone, or of some countries alone where it says so."""
    lines, can = [], abilities(work, vault)
    for each in channels.states(work):
        alone = no_handset(each, can[each.id])
        if can[each.id].texts and (can[each.id].receipts != "handset" or alone):
            lines.append(f"{each.name} ({beginnings(alone)})" if alone else each.name)
    return lines


def beginnings(prefixes: Sequence[str]) -> str:
    """Beginnings of phones as they are shown."""
    return ", ".join(f"{prefix}…" for prefix in prefixes)


def _one_way(kind: str, settings: Mapping[str, str]) -> tuple[str, ...]:
    """Beginnings of phones whose answers do not come back, as far as the carrier and its settings tell."""
    can = registry.capabilities(kind, settings)
    return ("+",) if not can.two_way or is_name(settings.get("sender", "")) else can.one_way


def _limits(kind: str, settings: Mapping[str, str]) -> tuple[int, bool]:
    """The longest text it carries, and whether of the GSM alphabet alone."""
    can = registry.capabilities(kind, settings)
    return can.max_chars, can.charset == "GSM-7"


def write_limits(engine: Engine, vault: Vault) -> None:
    """Let routing know what the carriers of all channels carry, also of such as were added when this gateway knew less of them.

    Nothing leaves by a channel of a kind that this gateway does not have: it pauses until the gateway has it again.
    """
    with unit_of_work(engine, SYSTEM) as work:
        for each in channels.list_all(work, vault):
            try:
                limits = _limits(each.kind, each.settings)
            except Refused as error:
                log.error("limits_unknown", error, channel=each.id)
                if each.state == "active" or each.state_reason == "misconfigured":
                    channels.pause(work, each.id, "misconfigured", UNKNOWN_KIND_SECONDS)
                continue
            channels.set_limits(work, each.id, *limits)


def is_name(sender: str) -> bool:
    """Whether texts come from a word, at most eleven characters long, to which nobody can answer."""
    return 0 < len(sender) <= 11 and any(character.isalpha() for character in sender)


def set_terms(work: Work, channel_id: UUID, unit_id: UUID, name: str, new: Terms, by: Actor) -> None:
    """What it reaches, at what price, how fast and how much in a day. Runs as the system. Raises Refused."""
    if faults := list(_term_faults(new)):
        raise Refused("the channel was not changed:", *faults)
    before = channels.terms(work, channel_id)
    channels.set_terms(work, channel_id, new)
    changed = sorted(name for name, value in asdict(new).items() if value != asdict(before)[name])
    audit.add(work, "channel.terms", "channel", channel_id, unit_id, {"name": name, "changed": changed}, by=by)


def _term_faults(new: Terms) -> Iterator[str]:
    for prefix in (new.prefix, *new.prices, *new.one_way):
        if not is_prefix(prefix):
            yield N_("{prefix!r} is no beginning of phones: write + and digits, such as +84").format(prefix=prefix)
    if any(price < 0 for price in new.prices.values()):
        yield N_("a price is 0 or more")
    if new.daily is not None and new.daily < 1:
        yield N_("a day's allowance is 1 segment or more")
    if not 0 <= new.reserved < 1:
        yield N_("what is kept for urgent texts and answers is a share from 0 to 0.99")


def is_prefix(typed: str) -> bool:
    """Whether phones can begin with it."""
    return typed.startswith("+") and typed.isascii() and (typed[1:].isdigit() or typed == "+") and len(typed) < 16


def addresses(channel_id: UUID, can: base.Capabilities, public_url: str) -> dict[str, str]:
    """Where the carrier is to post what, by what it is: inbound, report, call, ussd. Nothing where we hold a line to it."""
    if can.road != "http":
        return {}
    address = f"{public_url}/c/{channel_id}"
    wanted = {"inbound": can.texts, "report": can.texts, "call": can.calls, "ussd": can.ussd}
    return {what: f"{address}/{what}" for what, is_wanted in wanted.items() if is_wanted}


def abilities(work: Work, vault: Vault) -> dict[UUID, base.Capabilities]:
    """What each channel can do. Runs as the system: some carriers' settings say it, and those are secret."""
    return {each.id: registry.capabilities(each.kind, each.settings) for each in channels.list_all(work, vault)}


def ask(found: Channel, public_url: str) -> bool:
    """Whether the carrier has something that can be asked and changes nothing; then it answers and knows us. No transaction is open.

    Raises Refused when it does not answer, or does not know us.
    """
    carrier = registry.of(found.kind, found.settings)
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


def set_settings(work: Work, vault: Vault, found: Channel, changes: Mapping[str, str], by: Actor) -> None:
    """Change some settings of a channel, such as a secret that was changed at the carrier; an empty one is dropped. Runs as the system.

    Every process uses them within seconds. Raises Refused, with all that would be wrong.
    """
    settings = {name: value for name, value in {**found.settings, **changes}.items() if value}
    check(found.kind, settings)
    channels.set_settings(work, vault, found.id, settings, registry.capabilities(found.kind, settings).texts)
    channels.set_limits(work, found.id, *_limits(found.kind, settings))
    if (one_way := _one_way(found.kind, settings)) != _one_way(found.kind, found.settings):  # else a person's word for it stays
        channels.set_terms(work, found.id, replace(channels.terms(work, found.id), one_way=one_way))
    terms, before = channels.terms(work, found.id), _one_way(found.kind, found.settings)
    if list(terms.one_way) == [*before]:  # nobody has said otherwise
        channels.set_terms(work, found.id, replace(terms, one_way=[*_one_way(found.kind, settings)]))
    audit.add(work, "channel.set", "channel", found.id, found.unit_id, {"name": found.name, "settings": ", ".join(sorted(changes))}, by=by)


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
