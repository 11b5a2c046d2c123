"""Carry out what `decide` said, inside the transaction that keeps the inbound text. The only place that knows how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from gateway import log
from gateway.content import Content
from gateway.domain import dialogues, judge, phone
from gateway.domain import effects as fx
from gateway.domain import flags as flag_rules
from gateway.domain import messages as lanes
from gateway.domain.decide import Effect
from gateway.domain.routing import Asked
from gateway.store import (
    answers,
    appointments,
    clients,
    consents,
    flags,
    inbound,
    messages,
    phones,
    routes,
    sessions,
    units,
)
from gateway.store.base import Work
from gateway.usecases import adopt, compose, crisis_words, doubt_phone, escalate, find_services, send_text
from gateway.usecases.adopt import NOTHING, Already
from gateway.vault import DataKey, Vault

REPLY_EXEMPT = timedelta(minutes=10)
REPLY_LIVES = timedelta(hours=12)
URGENT_LIVES = timedelta(hours=24)
AFTER_THE_LAST_WORD = timedelta(seconds=5)
"""A dialogue that goes on waits for the last text of the one before it."""
# Confirmations of what the client asked for may come at any hour, however late they are.
ANY_HOUR = frozenset({"stop_confirmed", "crisis_answer"})


@dataclass(frozen=True, slots=True)
class Source:
    """The inbound text that effects follow from."""

    inbound_id: UUID
    channel_id: UUID | None  # None: no channel can text this phone
    unit_id: UUID  # of the client, else of the channel
    phone: str
    phone_hash: bytes
    key_id: UUID
    key: DataKey
    people: Mapping[UUID, clients.Person]  # everyone on the phone
    unit: units.Unit | None  # read where the phone is no single client's
    clock: units.Clock
    already: Already = NOTHING  # what was said about it while PostgreSQL was away

    def unit_of(self, client_id: UUID | None) -> UUID:
        """Where a row about this client belongs."""
        person = self.people.get(client_id) if client_id is not None else None
        return self.unit_id if person is None else person.unit_id


def apply(work: Work, vault: Vault, content: Content, source: Source, effects: Sequence[Effect]) -> bool:
    """Apply the effects in their order; whether a text was queued or let go, so that the channel is to be rung."""
    told = False
    for effect in _in_time(work, source, effects):
        match effect:
            case fx.StopPhone(reason):
                stop_phone(work, source.phone_hash, reason, "inbound", source.inbound_id)
                if reason == "wrong_number":  # whatever they text later, START too: a person asks first whose phone it is
                    phones.doubt(work, source.phone_hash, doubt_phone.WRONG_NUMBER)
            case fx.DoubtPhone(why):
                doubt_phone.doubt(work, source.phone_hash, why)
            case fx.StartPhone():
                consents.start_phone(work, source.phone_hash, "inbound", source.inbound_id)
            case fx.AnswerAppointment(appointment_id, answer):
                appointments.answer(work, appointment_id, answer)
            case fx.RecordAnswer(outbound_id, client_id, value):
                answers.record(work, outbound_id, client_id, source.unit_of(client_id), source.inbound_id, value)
            case fx.ReleaseWaiting(ping_id):
                told |= messages.release(work, ping_id, work.now + REPLY_EXEMPT) > 0
            case fx.SetLanguage(client_id, language):
                clients.set_language(work, client_id, language)
            case fx.RaiseFlag():
                if effect.reason in ("crisis", "crisis_in_doubt"):  # whoever on the phone it is about, nobody is asked how they are
                    sessions.hold_phone(work, source.phone_hash)
                told |= _raise_flag(work, vault, content, source, effect)
            case fx.TakeFlag():
                told |= escalate.take(work, vault, content, effect, source.inbound_id, source.channel_id)
            case fx.Reply():
                told |= _reply(work, vault, content, source, effect)
            case fx.TellServices():
                told |= _tell_services(work, vault, content, source, effect)
            case _:
                told |= _step(work, vault, content, source, effect)
    return told


def _in_time(work: Work, source: Source, effects: Sequence[Effect]) -> Sequence[Effect]:
    """The effects, without a start that a stop came after, though it is decided about first."""
    if fx.StartPhone() not in effects or not inbound.is_stop_since(work, source.inbound_id):
        return effects
    return [effect for effect in effects if effect != fx.StartPhone() and not (isinstance(effect, fx.Reply) and effect.purpose == "started")]


def _tell_services(work: Work, vault: Vault, content: Content, source: Source, effect: fx.TellServices, wait: timedelta = timedelta(0)) -> bool:
    """The services as answers; after `wait`, behind what is said besides."""
    if _may_be_answered(source, "service"):
        person = recipient(work, source, effect)
        what = vault.hash_body(f"{source.inbound_id}:{effect.topic}").hex()  # ids are made from it: no one can read what is needed out of them
        key = f"services:{source.inbound_id}:{what}"
        if find_services.tell(work, vault, content, person, effect.topic, dedupe_key=key, inbound_id=source.inbound_id,
                              channel_id=source.channel_id, wait=wait):  # fmt: skip
            return True
    return apply(work, vault, content, source, effect.otherwise)


def _step(work: Work, vault: Vault, content: Content, source: Source, effect: Effect) -> bool:
    """Carry out what only a dialogue leads to; whether a text was queued."""
    match effect:
        case dialogues.MoveSession():
            return _move(work, vault, content, source, effect)
        case dialogues.KeepAnswer(session_id, client_id, step, value):
            person = source.people[client_id]
            sessions.keep_answer(work, session_id, step, value, client_id, person.unit_id, source.inbound_id, person.key)
        case dialogues.CloseFlag(reason, client_id, session_id, outcome):
            flags.close_about(work, client_id, session_id, reason, outcome)
        case dialogues.SendInformation(session_id, client_id, topic):
            # Where nothing is known a person sends it, who sees the topic with the flag.
            otherwise = fx.RaiseFlag("info", client_id, session_id)
            told = fx.TellServices(topic, source.people[client_id].language, client_id, (otherwise,))
            return _tell_services(work, vault, content, source, told, find_services.APART)
        case dialogues.RequestReferral(session_id, client_id):
            return _raise_flag(work, vault, content, source, fx.RaiseFlag("referral", client_id, session_id))
    return False


def _move(work: Work, vault: Vault, content: Content, source: Source, effect: dialogues.MoveSession) -> bool:
    """Write where the session is now, and say what comes next, as an answer to the text."""
    dialogue, state, key = effect.dialogue, effect.state, source.people[effect.state.client_id].key
    if effect.was.reminded:
        sessions.cancel_reminder(work, state.session_id)
    said = _say(work, vault, content, source, effect) if effect.says else None
    goes_on = effect.was.status == "suspended"
    asked_id = said if goes_on or state.step != effect.was.step else None  # in other words it is the same question
    sessions.move(work, dialogue, state, key, heard=not goes_on, asked_id=asked_id, prompt_id=said if goes_on else None)
    return said is not None


def _say(work: Work, vault: Vault, content: Content, source: Source, effect: dialogues.MoveSession) -> UUID | None:
    """Queue what a dialogue says next; the text's id, None where there is none."""
    purpose, state = dialogues.purpose(effect.dialogue.name), effect.state
    reply = fx.Reply(purpose, state.language, client_id=state.client_id, about_id=state.session_id)
    later = AFTER_THE_LAST_WORD if effect.was.status == "suspended" else timedelta(0)
    queued = _queue_reply(work, vault, content, source, reply, dialogues.say(effect.dialogue, effect.says), later)
    return queued[0] if queued else None


def stop_phone(work: Work, phone_hash: bytes, reason: str, source: str, source_id: UUID | None) -> int:
    """Stop a phone and everyone on it, and cancel what is planned; the number of texts cancelled.

    Takes the clients' rows first: a claim that holds them commits before us, one that comes after sees the stop.
    """
    clients.lock_on_phone(work, phone_hash)
    sessions.stop_phone(work, phone_hash, "with_person" if reason == "in_doubt" else "stopped")
    consents.stop_phone(work, phone_hash, reason, source, source_id)
    return messages.cancel_for_phone(work, phone_hash, f"opted out ({reason})", keep=judge.EVEN_WHEN_STOPPED | judge.TO_STAFF)


def _raise_flag(work: Work, vault: Vault, content: Content, source: Source, effect: fx.RaiseFlag) -> bool:
    key = ":".join(str(each) for each in (effect.reason, source.inbound_id, effect.about_id) if each is not None)
    about: dict[str, Any] = {
        "unit_id": source.unit_of(effect.client_id), "reason": effect.reason, "client_id": effect.client_id,
        "inbound_id": source.inbound_id, "about_id": effect.about_id, "dedupe_key": key,
        "clock": source.clock,
    }  # fmt: skip
    if flag_rules.RULES[effect.reason].severity != "urgent":
        flags.put(work, **about)
        return False
    flag = flags.add(work, **about)
    if flag is None:
        return False
    return escalate.begin(work, vault, content, source.unit_of(effect.client_id), flag.id, flag.number,
                          answered=effect.reason == "crisis", already=source.already)  # fmt: skip


def _reply(work: Work, vault: Vault, content: Content, source: Source, effect: fx.Reply) -> bool:
    return bool(_queue_reply(work, vault, content, source, effect))


def _queue_reply(
    work: Work, vault: Vault, content: Content, source: Source, effect: fx.Reply, pinned: compose.Pinned | None = None,
    later: timedelta = timedelta(0),
) -> list[UUID]:  # fmt: skip
    if not _may_be_answered(source, effect.purpose):
        return []
    person = recipient(work, source, effect)
    any_hour = effect.purpose in ANY_HOUR
    lives = URGENT_LIVES if effect.urgent else REPLY_LIVES
    if effect.purpose == crisis_words.PURPOSE and source.already.answer is not None:
        answer_id = adopt.keep(work, vault, person, source.already.answer, dedupe_key=f"reply:{source.inbound_id}:{effect.purpose}",
                               send_before=work.now + lives, inbound_id=source.inbound_id)  # fmt: skip
        adopt.spare(work, answer_id, source.already.answer)  # planned for an earlier part of the text, which the deputy did not know
        return []
    leaves_by = source.channel_id
    if effect.urgent and leaves_by is not None:
        asked = Asked(source.phone, source.phone_hash, source.unit_id, effect.language, effect.purpose, bulk=False, urgent=True)
        leaves_by = routes.answering(work, leaves_by, asked)
    values: dict[str, compose.Value] = {"received_at": work.now, **effect.values}
    if effect.purpose == crisis_words.PURPOSE and (closed := crisis_words.closed(work, content, source.unit_of(effect.client_id), source.clock)):
        opens_at, pinned = closed
        values |= opens_at
    if pinned is None and effect.about_id is not None and (starts_at := appointments.starts_at(work, effect.about_id)) is not None:
        values["starts_at"] = starts_at
    try:
        return send_text.queue(
            work, vault, content, person, effect.purpose, values, lane=lanes.URGENT if effect.urgent else lanes.REPLY,
            dedupe_key=f"reply:{source.inbound_id}:{effect.purpose}", send_before=work.now + lives, about_id=effect.about_id,
            inbound_id=source.inbound_id, channel_id=leaves_by, exempt_for=lives if any_hour else REPLY_EXEMPT,
            pinned=pinned, send_after=work.now + later,
        )  # fmt: skip
    except compose.Unsendable as error:
        # What the text means for consent, appointment and flags must hold even where no answer can be worded.
        log.error("reply_not_composed", error, inbound=source.inbound_id, purpose=effect.purpose)
        return []


def _may_be_answered(source: Source, purpose: str) -> bool:
    reachable = source.channel_id is not None
    if source.already.silent and purpose != crisis_words.PURPOSE:
        return False
    if reachable and (source.unit is None or phone.may_be_answered(source.phone, source.unit.region)):
        return True
    log.info("sender_not_answered", inbound=source.inbound_id, purpose=purpose)  # staff see the text all the same
    return False


def recipient(work: Work, source: Source, effect: fx.Reply | fx.TellServices) -> compose.Recipient:
    """The phone that wrote; worded for its client when it is one client's, else as discreetly as we can."""
    person = source.people.get(effect.client_id) if effect.client_id is not None else None
    if person is not None:
        return compose.Recipient(
            unit_id=person.unit_id, key_id=person.key_id, key=person.key, phone=source.phone, language=effect.language,
            zone=person.zone, client_id=person.id, unit_language=person.unit_language, tones=person.tones,
            discreet=person.discreet, name=person.name, details=person.details,
        )  # fmt: skip
    unit = source.unit or units.get(work, source.unit_id)
    return compose.Recipient(
        unit_id=source.unit_id, key_id=source.key_id, key=source.key, phone=source.phone, language=effect.language,
        zone=unit.time_zone, unit_language=unit.language, tones=unit.tones, discreet=2, details=unit.known,
    )  # fmt: skip
