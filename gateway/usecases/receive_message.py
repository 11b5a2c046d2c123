"""A text came in: understand it, keep it, do what follows, in one transaction, before the carrier hears 2xx."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID, uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from gateway import log
from gateway.channels import registry
from gateway.channels.base import Inbound, Part
from gateway.content import Content
from gateway.domain import decide, interpret, parts, phone
from gateway.domain.decide import Effect
from gateway.domain.effects import RecordAnswer
from gateway.domain.routing import Asked
from gateway.store import channels, flags, forgotten, inbound, routes, sessions, units
from gateway.store import parts as store_parts
from gateway.store.base import SYSTEM, Work, unit_of_work, untangled
from gateway.store.inbound import Around, Arrived, Seen, Understood
from gateway.usecases import adopt, apply_effects, compose, crisis_words, escalate, own_up, read_sessions
from gateway.usecases.adopt import NOTHING, Already
from gateway.vault import Vault

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
# Of a long text `interpret` weighs the beginning and the end. Danger is looked for in all of it: part by part, each with
# the end of the one before, as far as a text message can reach (255 parts of 153 characters).
PART, OVERLAP, LONGEST = 1_500, 200, 255 * 153
# How long a text may keep those beside it waiting for a lock. Then each waits for its own.
WAIT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """A text with the people on its phone; `unit` only where it is no single client's."""

    arrived: Arrived
    seen: Seen
    unit: units.Unit | None

    @property
    def unit_language(self) -> str:
        return self.unit.language if self.unit is not None else self.seen.people[0].unit_language


def receive(
    engine: Engine, vault: Vault, content: Content, channel: channels.Channel, message: Inbound,
    ring: Callable[[UUID], None], now: datetime | None = None, late: bool = False, already: Already = NOTHING,
) -> UUID | None:  # fmt: skip
    """Keep an inbound text, or a missed call, and apply what follows from it; its id, or None for a repeat of the carrier's.

    `already`: what was said about it while PostgreSQL was away, and is not said again.

    Durable when it returns. If deciding or applying raises, the text is kept all the same in a transaction of its own,
    flagged as urgent, and tried again by `sweep`. Rings the channel after the commit when there is something to send.
    Raises what the database raises when it is away: then nothing was kept, and the carrier is to post again.
    """
    text = replace(came(engine, vault, channel, message), already=already)
    try:
        return untangled(lambda: _receive(engine, vault, content, [text], ring, now, late))[0]
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        log.error("deciding_failed", error, channel=channel.id)
    return keep_undecided(engine, vault, content, text, ring, now, late)


def receive_all(
    engine: Engine, vault: Vault, content: Content, messages: Sequence[tuple[channels.Channel, Inbound]], ring: Callable[[UUID], None],
    now: datetime | None = None,
) -> None:  # fmt: skip
    """Keep several texts and apply what follows, in one transaction for the first of each phone, the next for the second.

    Raises what one of them raised, or when another transaction is in the way for `WAIT_SECONDS`: then each is to be received
    alone, which leaves those that were kept as they are.
    """
    waiting = [came(engine, vault, channel, message) for channel, message in messages]
    while waiting:
        firsts = {text.phone_hash: text for text in reversed(waiting)}
        in_order = sorted(firsts.values(), key=lambda text: text.phone_hash)  # one order for all who hold several phones
        _receive(engine, vault, content, in_order, ring, now, late=False, wait_s=WAIT_SECONDS)
        waiting = [text for text in waiting if firsts[text.phone_hash] is not text]


@dataclass(frozen=True, slots=True)
class Came:
    """A text that came, and where from."""

    id: UUID
    channel: channels.Channel
    message: Inbound
    phone: str
    phone_hash: bytes
    body_hash: bytes
    already: Already = NOTHING


def came(engine: Engine, vault: Vault, channel: channels.Channel, message: Inbound) -> Came:
    phone = e164(engine, channel, message.sender_phone)
    return Came(uuid4(), channel, message, phone, vault.hash_phone(phone), _body_hash(vault, message))


def about(vault: Vault, channel_id: UUID, phone: str, message: Inbound) -> UUID:
    """What the text is known by before the database has it."""
    return adopt.about(vault, channel_id, message.carrier_id, vault.hash_phone(phone), _body_hash(vault, message))


def _body_hash(vault: Vault, message: Inbound) -> bytes:
    return vault.hash_body("\0call" if message.call else message.text)  # a call is no repeat of a text that was empty


def _receive(
    engine: Engine, vault: Vault, content: Content, texts: Sequence[Came], ring: Callable[[UUID], None], now: datetime | None, late: bool,
    wait_s: float = 0,
) -> list[UUID | None]:  # fmt: skip
    """Keep, decide about and apply texts of different phones, all or none; their ids, None for a repeat."""
    with unit_of_work(engine, SYSTEM, now, lock=[text.phone_hash for text in texts], wait_s=wait_s) as work:
        told: set[UUID] = set()
        kept = [
            text.id if _turn(work, vault, content, text, seen, told, late) else None
            for text, seen in zip(texts, look(work, vault, texts), strict=True)
        ]
        for channel_id in told:
            work.after_commit(partial(ring, channel_id))
    return kept


def look(work: Work, vault: Vault, texts: Sequence[Came]) -> list[Seen]:
    return inbound.look(work, vault, [
        inbound.Sought(text.id, text.channel.id, text.message.carrier_id, text.phone_hash, text.body_hash) for text in texts
    ])  # fmt: skip


def _turn(work: Work, vault: Vault, content: Content, text: Came, seen: Seen, told: set[UUID], late: bool) -> bool:
    """Everything that one text brings about; False for a repeat of the carrier's. Channels with something to send join `told`."""
    if seen.row.known:
        own_up.known(work, vault, seen.row.known, text.already)
        return False
    part = text.message.part
    if part is not None and parts.is_part(part.number, part.total):
        return _part_turn(work, vault, content, text, part, seen, told, late)
    scene = arrive(work, vault, text, seen)
    around = situate(work, content, scene, text.message.opt_out)
    understood, effects = _understand(content, scene.arrived, around, work.now)
    inbound.add(work, scene.arrived, text.message.sent_at, late, understood)
    sessions.hear(work, seen.sessions, work.now)
    _apply(work, vault, content, text, scene, effects, told)
    return True


def _apply(work: Work, vault: Vault, content: Content, text: Came, scene: Scene, effects: Sequence[Effect], told: set[UUID]) -> None:
    source = replace(source_of(scene), already=text.already)
    if text.channel.state != "active" or text.channel.weight == 0 or not registry.capabilities(text.channel.kind, text.channel.settings).texts:
        asked = Asked(source.phone, source.phone_hash, source.unit_id, "", "", bulk=False)
        source = replace(source, channel_id=routes.answering(work, text.channel.id, asked))
    if apply_effects.apply(work, vault, content, source, effects) and source.channel_id is not None:
        told.add(source.channel_id)
    own_up.rest(work, vault, scene.arrived.id, text.already)


def _part_turn(work: Work, vault: Vault, content: Content, text: Came, part: Part, seen: Seen, told: set[UUID], late: bool) -> bool:
    """A part is kept, and the text it belongs to is decided about once it is whole; stop and danger in what is there count at once.

    The text is one row from its first part on, so that what was done for a part is not done again for the whole.
    """
    kept = store_parts.like(work, text.channel.id, text.phone_hash, part.reference, part.total)
    if (known := parts.repeats(part.number, text.message.carrier_id, text.body_hash, kept, work.now)) is not None:
        own_up.known(work, vault, known, text.already)
        return False
    if forgotten.is_part(work, channel_id=text.channel.id, from_hash=text.phone_hash, body_hash=text.body_hash, carrier_id=text.message.carrier_id):
        return False
    scene, bodies = arrive(work, vault, text, seen), {part.number: text.message.text}
    inbound_id = parts.belongs_to(part.number, kept, work.now)
    if inbound_id is not None:
        begun = store_parts.begun(work, vault, inbound_id)
        bodies |= begun.bodies
        row = begun.row
        same = {"id": inbound_id, "unit_id": row.unit_id, "client_id": row.client_id, "key_id": row.key_id, "carrier_id": row.carrier_id,
                "key": vault.open_key(row.wrapped, row.key_id)}  # fmt: skip
        scene = replace(scene, arrived=replace(scene.arrived, **same))
    body = parts.join(bodies, part.total)
    arrived = replace(scene.arrived, body=body, body_hash=vault.hash_body(body))
    if inbound_id is None:
        inbound.add(work, arrived, text.message.sent_at, late, None)
    else:
        store_parts.grow(work, arrived)
    store_parts.add(work, arrived, reference=part.reference, number=part.number, total=part.total, carrier_id=text.message.carrier_id,
                    body=text.message.text, body_hash=text.body_hash)  # fmt: skip
    sought = inbound.Sought(arrived.id, arrived.channel_id, arrived.carrier_id, arrived.phone_hash, arrived.body_hash)
    (seen,) = inbound.look(work, vault, [sought])
    scene = Scene(arrived, seen, scene.unit)
    around = situate(work, content, scene, text.message.opt_out)
    if len(bodies) < part.total:
        _apply(work, vault, content, text, scene, _at_once(content, text.message.text, body, around, work.now), told)
        return True
    understood, effects = _understand(content, arrived, around, work.now)
    inbound.write_understood(work, arrived, understood)
    sessions.hear(work, seen.sessions, work.now)
    _apply(work, vault, content, text, scene, effects, told)
    return True


def _at_once(content: Content, part: str, so_far: str, around: Around, now: datetime) -> list[Effect]:
    """What a stop or a cry for help leads to, in a part alone or in all that is there; nothing else is decided yet."""
    situation = replace(around.situation, questions=(), sessions=(), suspended=(), seconds_since_same=None, echo=False)
    read = [of_all(meaning_of(content, said, situation.language, interpret.Expecting("none")), content, said, situation) for said in (part, so_far)]
    wants = [each for each in ("crisis", "stop") if any(each in (one.meaning, *one.also) for one in read)]
    if not wants and situation.carrier_stop != "stop":
        return []
    meaning = interpret.Meaning(wants[0] if wants else "other", also=tuple(wants[1:]), why="in a part of a longer text")
    return decide.decide(meaning, situation, now, part)


def keep_undecided(
    engine: Engine, vault: Vault, content: Content, text: Came, ring: Callable[[UUID], None], now: datetime | None, late: bool
) -> UUID | None:
    """What could not be decided about is kept, and a person hears of it at once: it may be a cry for help."""
    with unit_of_work(engine, SYSTEM, now, lock=[text.phone_hash]) as work:
        (seen,) = look(work, vault, [text])
        if seen.row.known:
            own_up.known(work, vault, seen.row.known, text.already)
            return None
        arrived = arrive(work, vault, text, seen).arrived
        inbound.add(work, arrived, text.message.sent_at, late, None)
        sessions.hear(work, seen.sessions, work.now)
        if (said := text.already.answer) is not None:  # nor does it leave again when the text is understood
            person = compose.Recipient(arrived.unit_id, arrived.key_id, arrived.key, arrived.phone, said.language, "UTC", arrived.client_id)
            adopt.keep(work, vault, person, said, dedupe_key=f"reply:{arrived.id}:{crisis_words.PURPOSE}",
                       send_before=work.now + apply_effects.URGENT_LIVES, inbound_id=arrived.id)  # fmt: skip
        flag = flags.add(work, unit_id=arrived.unit_id, reason="deciding_failed", inbound_id=arrived.id,
                         dedupe_key=f"deciding_failed:{arrived.id}")  # fmt: skip
        if flag is not None and escalate.begin(
            work, vault, content, arrived.unit_id, flag.id, flag.number, already=text.already
        ):
            work.after_commit(lambda: ring(text.channel.id))
        own_up.rest(work, vault, arrived.id, text.already)
        return arrived.id


def arrive(work: Work, vault: Vault, text: Came, seen: Seen) -> Scene:
    """The text with its owner: its single client, else the phone, in the unit of all on it or of the channel."""
    people = seen.people
    one = people[0] if len(people) == 1 else None
    unit = None
    if one is not None:
        unit_id, key_id, key = one.unit_id, one.key_id, one.key
    else:
        unit_id = people[0].unit_id if len({person.unit_id for person in people}) == 1 else text.channel.unit_id
        unit = units.get(work, unit_id)
        key_id, key = inbound.stranger_key(work, vault, text.phone_hash, unit_id)
    arrived = Arrived(
        id=text.id, unit_id=unit_id, channel_id=text.channel.id, client_id=one.id if one else None, key_id=key_id, key=key,
        carrier_id=text.message.carrier_id, phone=text.phone, phone_hash=text.phone_hash, body=text.message.text,
        body_hash=text.body_hash, called=text.message.call,
    )  # fmt: skip
    return Scene(arrived, seen, unit)


def e164(engine: Engine, channel: channels.Channel, sender: str) -> str:
    """The sender as the register writes it; what is no phone (a short code, a name) is kept as it came."""
    if _E164.fullmatch(sender):
        return sender
    with unit_of_work(engine, SYSTEM) as work:
        region = units.get(work, channel.unit_id).region
    return as_e164(sender, region)


def as_e164(sender: str, region: str) -> str:
    """The same, in a unit of that region."""
    if _E164.fullmatch(sender):
        return sender
    try:
        return phone.parse(sender, region).e164
    except phone.PhoneRefused:
        return sender


def situate(work: Work, content: Content, scene: Scene, carrier_stop: str | None) -> Around:
    seen = scene.seen
    running = read_sessions.opened(work, content, {person.id: person for person in seen.people}, seen.sessions) if seen.sessions else []
    return inbound.around(seen, scene.unit_language, carrier_stop, work.now, running)


def _understand(content: Content, arrived: Arrived, around: Around, now: datetime) -> tuple[Understood, list[Effect]]:
    situation = replace(around.situation, called=arrived.called)
    expecting = interpret.Expecting("yes_no") if situation.stopped == "in_doubt" else decide.expecting(situation)
    if situation.echo:
        meaning = interpret.Meaning("other", why="our own words, sent back")
    elif arrived.called:
        meaning = interpret.Meaning("callback", why="a missed call")
    else:
        meaning = meaning_of(content, arrived.body, situation.language, expecting)
        meaning = of_all(meaning, content, arrived.body, situation)
    effects = decide.decide(meaning, situation, now, arrived.body)
    answers_id = next((effect.outbound_id for effect in effects if isinstance(effect, RecordAnswer)), None)
    return Understood(meaning, answers_id, around.same_id if decide.is_repeat(situation) else None), effects


def of_all(meaning: interpret.Meaning, content: Content, body: str, situation: decide.Situation) -> interpret.Meaning:
    """The same for everybody on a shared phone: a stop in the language of any of them is one, a start where it says nothing else."""
    others = dict.fromkeys(client.language for client in situation.clients if client.language != situation.language)
    for language in others if "stop" not in (meaning.meaning, *meaning.also) else ():
        theirs = interpret.interpret(body, content.lexicons, language, interpret.Expecting("none"))
        if theirs.meaning == "stop" and meaning.meaning == "crisis":
            return replace(meaning, also=(*meaning.also, "stop"))
        if theirs.meaning == "stop" or (theirs.meaning, meaning.meaning) == ("start", "other"):
            return theirs
    return meaning


def meaning_of(content: Content, body: str, language: str, expecting: interpret.Expecting) -> interpret.Meaning:
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


def wants(content: Content, text: str, languages: Iterable[str]) -> frozenset[str]:
    """What a text may want that cannot wait, before anybody knows whose it is: crisis, stop, doubt (of either). In any of the languages.

    One that cannot be read may be a cry for help.
    """
    said = set()
    try:
        for language in languages:
            meaning = meaning_of(content, text, language, interpret.Expecting("none"))
            said |= {meaning.meaning, *meaning.also} | ({"doubt"} if meaning.doubt else set())
    except Exception as error:
        log.error("deciding_failed", error)
        said.add("crisis")
    return frozenset(said & {"crisis", "stop", "doubt"})


def source_of(scene: Scene) -> apply_effects.Source:
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
            with unit_of_work(engine, SYSTEM, now, lock=[bytes(row.from_hash)]) as work:
                scene = _again(work, vault, row)
                around = situate(work, content, scene, None)
                understood, effects = _understand(content, scene.arrived, around, work.now)
                inbound.write_understood(work, scene.arrived, understood)
                sessions.hear(work, scene.seen.sessions, row.received_at)
                source = source_of(scene)
                asked = Asked(source.phone, source.phone_hash, source.unit_id, "", "", bulk=False)
                source = replace(source, channel_id=routes.answering(work, row.channel_id, asked))
                if apply_effects.apply(work, vault, content, source, effects) and source.channel_id is not None:
                    work.after_commit(partial(ring, source.channel_id))
            decided += 1
        except Exception as error:
            log.error("deciding_failed_again", error, inbound=row.id)
            with unit_of_work(engine, SYSTEM, now) as work:
                inbound.count_try(work, row.id)
    return decided


def _again(work: Work, vault: Vault, row: inbound.Row) -> Scene:
    key = vault.open_key(row.wrapped, row.key_id)
    arrived = Arrived(
        id=row.id, unit_id=row.unit_id, channel_id=row.channel_id, client_id=row.client_id, key_id=row.key_id, key=key,
        carrier_id=row.carrier_id, phone=key.decrypt(row.from_enc, "inbound.from", row.id), phone_hash=bytes(row.from_hash),
        body=key.decrypt(row.body_enc, "inbound.body", row.id), body_hash=bytes(row.body_hash),
        called=row.called,
    )  # fmt: skip
    sought = inbound.Sought(row.id, row.channel_id, row.carrier_id, arrived.phone_hash, arrived.body_hash)
    (seen,) = inbound.look(work, vault, [sought])
    return Scene(arrived, seen, None if len(seen.people) == 1 else units.get(work, row.unit_id))
