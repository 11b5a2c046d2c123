"""A text came in: keep it, understand it, do what follows, in one transaction, before the carrier hears 2xx."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway import log
from gateway.channels.base import Inbound
from gateway.content import Content
from gateway.domain import decide, interpret, phone
from gateway.domain.effects import RecordAnswer
from gateway.store import channels, flags, inbound, units
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.usecases import apply_effects
from gateway.vault import DataKey, Vault

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
LOOKED_AT = 4_000  # characters of a text that are understood; all of it is kept


@dataclass(frozen=True, slots=True)
class _Kept:
    """An inbound row and all that deciding about it needs."""

    id: UUID
    unit_id: UUID
    channel_id: UUID
    phone: str
    phone_hash: bytes
    body: str
    key_id: UUID
    key: DataKey
    people: list[Any]


def receive(
    engine: Engine, vault: Vault, content: Content, channel: channels.Channel, message: Inbound,
    ring: Callable[[UUID], None], now: datetime | None = None, late: bool = False,
) -> UUID | None:  # fmt: skip
    """Keep an inbound text and apply what follows from it; its id, or None for a repeat of the carrier's.

    Durable when it returns. If deciding raises, the text is kept all the same, flagged as urgent, and tried again by
    `sweep`. Rings the channel after the commit when there is something to send.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        kept = _keep(work, vault, channel, message, late)
        if kept is None:
            return None
        if handle(work, vault, content, kept, message.opt_out):
            work.after_commit(lambda: ring(channel.id))
        return kept.id


def _keep(work: Work, vault: Vault, channel: channels.Channel, message: Inbound, late: bool) -> _Kept | None:
    sender = _e164(work, channel, message.sender_phone)
    phone_hash = vault.hash_phone(sender)
    inbound.lock_phone(work, phone_hash)
    people = inbound.people(work, phone_hash)
    inbound_id = uuid4()
    if len(people) == 1:
        client_id, unit_id, key_id = people[0].id, people[0].unit_id, people[0].key_id
        key = vault.open_key(people[0].wrapped, key_id)
    else:
        client_id = None
        unit_id = people[0].unit_id if len({row.unit_id for row in people}) == 1 else channel.unit_id
        key_id, key = inbound.stranger_key(work, vault, phone_hash, unit_id)
    is_new = inbound.add(
        work, vault, inbound_id=inbound_id, unit_id=unit_id, channel_id=channel.id, client_id=client_id, key_id=key_id, key=key,
        carrier_id=message.carrier_id, phone=sender, body=message.text, sent_at=message.sent_at, late=late,
    )  # fmt: skip
    if not is_new:
        return None
    return _Kept(inbound_id, unit_id, channel.id, sender, phone_hash, message.text, key_id, key, people)


def _e164(work: Work, channel: channels.Channel, sender: str) -> str:
    """The sender as the register writes it; what is no phone (a short code, a name) is kept as it came."""
    if _E164.fullmatch(sender):
        return sender
    try:
        return phone.parse(sender, units.get(work, channel.unit_id).region).e164
    except phone.PhoneRefused:
        return sender


def handle(work: Work, vault: Vault, content: Content, kept: _Kept, carrier_stop: str | None = None) -> bool:
    """Understand and apply under a savepoint; whether there is something to send. Never raises for a fault of ours."""
    try:
        with work.connection.begin_nested():
            return _decide(work, vault, content, kept, carrier_stop)
    except Exception as error:
        log.error("deciding_failed", error, inbound=kept.id)
    inbound.failed(work, kept.id)
    flag = flags.add(work, unit_id=kept.unit_id, reason="deciding_failed", client_id=None, inbound_id=kept.id, about_id=None,
                     dedupe_key=f"deciding_failed:{kept.id}")  # fmt: skip
    try:
        with work.connection.begin_nested():
            return flag is not None and apply_effects.alert_staff(work, vault, content, kept.unit_id, flag.id, flag.number)
    except Exception as error:
        log.error("alert_failed", error, inbound=kept.id)
        return False


def _decide(work: Work, vault: Vault, content: Content, kept: _Kept, carrier_stop: str | None) -> bool:
    body_hash = vault.hash_body(kept.body)
    unit = units.get(work, kept.unit_id)
    situation = inbound.situation(work, kept.people, kept.phone_hash, body_hash, kept.id, unit.language, carrier_stop)
    expecting = interpret.Expecting("yes_no") if situation.stopped == "in_doubt" else decide.expecting(situation)
    meaning = interpret.interpret(kept.body[:LOOKED_AT], content.lexicons, situation.language, expecting)
    effects = decide.decide(meaning, situation, work.now)
    answers = next((e for e in effects if isinstance(e, RecordAnswer)), None)
    repeat = (kept.phone_hash, body_hash) if decide.is_repeat(situation) else None
    inbound.understood(work, kept.id, kept.key, meaning, answers.outbound_id if answers else None, repeat)
    source = apply_effects.Source(
        kept.id, kept.channel_id, kept.unit_id, kept.phone, kept.phone_hash, kept.key_id, kept.key,
        {row.id: row.unit_id for row in kept.people},
    )  # fmt: skip
    return apply_effects.apply(work, vault, content, source, effects)


def retry_unhandled(
    engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], now: datetime | None = None
) -> int:
    """Decide again about texts whose deciding failed; how many are handled now."""
    with unit_of_work(engine, SYSTEM, now) as work:
        waiting = inbound.unhandled(work, work.now - timedelta(seconds=30))
    handled = 0
    for row in waiting:
        with unit_of_work(engine, SYSTEM, now) as work:
            inbound.lock_phone(work, row.from_hash)
            key = vault.open_key(row.wrapped, row.key_id)
            sender = key.decrypt(row.from_enc, "inbound.from", row.id)
            body = key.decrypt(row.body_enc, "inbound.body", row.id)
            people = inbound.people(work, row.from_hash)
            kept = _Kept(row.id, row.unit_id, row.channel_id, sender, row.from_hash, body, row.key_id, key, people)
            if handle(work, vault, content, kept):
                work.after_commit(lambda channel_id=row.channel_id: ring(channel_id))  # type: ignore[misc]
            handled += 1
    return handled
