"""A text came in: understand it, keep it, do what follows, in one transaction, before the carrier hears 2xx."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway import log
from gateway.channels.base import Inbound
from gateway.content import Content
from gateway.domain import decide, interpret, phone
from gateway.domain.effects import Effect, RecordAnswer
from gateway.store import channels, flags, inbound, units
from gateway.store.base import SYSTEM, Work, unit_of_work
from gateway.store.inbound import Around, Arrived, Seen, Understood
from gateway.usecases import apply_effects
from gateway.vault import Vault

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Of a long text `interpret` weighs the beginning and the end. Danger is looked for in all of it: part by part, each with
# the end of the one before, as far as a text message can reach (255 parts of 153 characters).
PART, OVERLAP, LONGEST = 1_500, 200, 255 * 153


@dataclass(frozen=True, slots=True)
class _Scene:
    """A text with the people on its phone; `unit` only where it is no single client's."""

    arrived: Arrived
    seen: Seen
    unit: units.Unit | None

    @property
    def unit_language(self) -> str:
        return self.unit.language if self.unit is not None else self.seen.people[0].unit_language


def receive(
    engine: Engine, vault: Vault, content: Content, channel: channels.Channel, message: Inbound,
    ring: Callable[[UUID], None], now: datetime | None = None, late: bool = False,
) -> UUID | None:  # fmt: skip
    """Keep an inbound text and apply what follows from it; its id, or None for a repeat of the carrier's.

    Durable when it returns. If deciding or applying raises, the text is kept all the same in a transaction of its own,
    flagged as urgent, and tried again by `sweep`. Rings the channel after the commit when there is something to send.
    Raises what the database raises when it is away: then nothing was kept, and the carrier is to post again.
    """
    sender = _e164(engine, channel, message.sender_phone)
    phone_hash = vault.hash_phone(sender)
    try:
        with unit_of_work(engine, SYSTEM, now, lock=phone_hash) as work:
            scene = _arrive(work, vault, channel, message, sender, phone_hash)
            around = inbound.around(scene.seen, scene.unit_language, message.opt_out, work.now)
            if around.known:
                return None
            understood, effects = _understand(content, scene.arrived, around, work.now)
            inbound.add(work, scene.arrived, message.sent_at, late, understood)
            if apply_effects.apply(work, vault, content, _source(scene), effects):
                work.after_commit(lambda: ring(channel.id))
            return scene.arrived.id
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("deciding_failed", error, channel=channel.id)
    return _keep_undecided(engine, vault, content, channel, message, sender, ring, now, late)


def _keep_undecided(
    engine: Engine, vault: Vault, content: Content, channel: channels.Channel, message: Inbound, sender: str,
    ring: Callable[[UUID], None], now: datetime | None, late: bool,
) -> UUID | None:  # fmt: skip
    """What could not be decided about is kept, and a person hears of it at once: it may be a cry for help."""
    phone_hash = vault.hash_phone(sender)
    with unit_of_work(engine, SYSTEM, now, lock=phone_hash) as work:
        scene = _arrive(work, vault, channel, message, sender, phone_hash)
        if scene.seen.row.known:
            return None
        arrived = scene.arrived
        inbound.add(work, arrived, message.sent_at, late, None)
        flag = flags.add(work, unit_id=arrived.unit_id, reason="deciding_failed", inbound_id=arrived.id,
                         dedupe_key=f"deciding_failed:{arrived.id}")  # fmt: skip
        if flag is not None and apply_effects.alert_staff(work, vault, content, arrived.unit_id, flag.id, flag.number):
            work.after_commit(lambda: ring(channel.id))
        return arrived.id


def _arrive(work: Work, vault: Vault, channel: channels.Channel, message: Inbound, sender: str, phone_hash: bytes) -> _Scene:
    inbound_id, body_hash = uuid4(), vault.hash_body(message.text)
    seen = inbound.look(work, vault, inbound_id, channel.id, message.carrier_id, phone_hash, body_hash)
    people = seen.people
    one = people[0] if len(people) == 1 else None
    unit = None
    if one is not None:
        unit_id, key_id, key = one.unit_id, one.key_id, one.key
    else:
        unit_id = people[0].unit_id if len({person.unit_id for person in people}) == 1 else channel.unit_id
        unit = units.get(work, unit_id)
        key_id, key = inbound.stranger_key(work, vault, phone_hash, unit_id)
    arrived = Arrived(
        id=inbound_id, unit_id=unit_id, channel_id=channel.id, client_id=one.id if one else None, key_id=key_id, key=key,
        carrier_id=message.carrier_id, phone=sender, phone_hash=phone_hash, body=message.text,
        body_hash=body_hash,
    )  # fmt: skip
    return _Scene(arrived, seen, unit)


def _e164(engine: Engine, channel: channels.Channel, sender: str) -> str:
    """The sender as the register writes it; what is no phone (a short code, a name) is kept as it came."""
    if _E164.fullmatch(sender):
        return sender
    with unit_of_work(engine, SYSTEM) as work:
        region = units.get(work, channel.unit_id).region
    try:
        return phone.parse(sender, region).e164
    except phone.PhoneRefused:
        return sender


def _understand(content: Content, arrived: Arrived, around: Around, now: datetime) -> tuple[Understood, list[Effect]]:
    situation = around.situation
    expecting = interpret.Expecting("yes_no") if situation.stopped == "in_doubt" else decide.expecting(situation)
    if situation.echo:
        meaning = interpret.Meaning("other", why="our own words, sent back")
    else:
        meaning = _meaning(content, arrived.body, situation.language, expecting)
    effects = decide.decide(meaning, situation, now)
    answers_id = next((effect.outbound_id for effect in effects if isinstance(effect, RecordAnswer)), None)
    return Understood(meaning, answers_id, around.same_id if decide.is_repeat(situation) else None), effects


def _meaning(content: Content, body: str, language: str, expecting: interpret.Expecting) -> interpret.Meaning:
    whole = interpret.interpret(body, content.lexicons, language, expecting)
    if len(body) <= PART or whole.meaning == "crisis":
        return whole
    parts = [
        interpret.interpret(body[at : at + PART], content.lexicons, language, interpret.Expecting("none"))
        for at in range(0, min(len(body), LONGEST), PART - OVERLAP)
    ]
    for part in parts:
        if part.meaning == "crisis":
            also = {whole.meaning, *whole.also, *part.also} - {"other", "crisis"}
            return replace(whole, meaning="crisis", also=tuple(sorted(also)), why=part.why)
    return replace(whole, doubt="crisis") if any(part.doubt == "crisis" for part in parts) else whole


def _source(scene: _Scene) -> apply_effects.Source:
    arrived = scene.arrived
    clock = scene.unit.clock if scene.unit is not None else scene.seen.people[0].unit_clock
    return apply_effects.Source(
        arrived.id, arrived.channel_id, arrived.unit_id, arrived.phone, arrived.phone_hash, arrived.key_id, arrived.key,
        {person.id: person for person in scene.seen.people}, scene.unit, clock,
    )  # fmt: skip


def retry_unhandled(
    engine: Engine, vault: Vault, content: Content, ring: Callable[[UUID], None], now: datetime | None = None
) -> int:
    """Decide again about texts whose deciding failed; how many are decided now. One that fails again is left for later."""
    with unit_of_work(engine, SYSTEM, now) as work:
        waiting = inbound.unhandled(work, work.now - timedelta(seconds=30))
    decided = 0
    for row in waiting:
        try:
            with unit_of_work(engine, SYSTEM, now, lock=bytes(row.from_hash)) as work:
                scene = _again(work, vault, row)
                around = inbound.around(scene.seen, scene.unit_language, None, work.now)
                understood, effects = _understand(content, scene.arrived, around, work.now)
                inbound.write_understood(work, scene.arrived, understood)
                if apply_effects.apply(work, vault, content, _source(scene), effects):
                    work.after_commit(lambda channel_id=row.channel_id: ring(channel_id))  # type: ignore[misc]
            decided += 1
        except Exception as error:
            log.error("deciding_failed_again", error, inbound=row.id)
            with unit_of_work(engine, SYSTEM, now) as work:
                inbound.count_try(work, row.id)
    return decided


def _again(work: Work, vault: Vault, row: inbound.Row) -> _Scene:
    key = vault.open_key(row.wrapped, row.key_id)
    arrived = Arrived(
        id=row.id, unit_id=row.unit_id, channel_id=row.channel_id, client_id=row.client_id, key_id=row.key_id, key=key,
        carrier_id=row.carrier_id, phone=key.decrypt(row.from_enc, "inbound.from", row.id), phone_hash=bytes(row.from_hash),
        body=key.decrypt(row.body_enc, "inbound.body", row.id), body_hash=bytes(row.body_hash),
    )  # fmt: skip
    seen = inbound.look(work, vault, row.id, row.channel_id, row.carrier_id, arrived.phone_hash, arrived.body_hash)
    return _Scene(arrived, seen, None if len(seen.people) == 1 else units.get(work, row.unit_id))
