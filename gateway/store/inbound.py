"""Texts in: kept once, with the situation they arrive in."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain import dialogues, parts
from gateway.domain.decide import Client, Question, Session, Situation
from gateway.domain.escalation import Alerted
from gateway.domain.interpret import Expecting, Meaning
from gateway.store import sessions
from gateway.store.base import Work
from gateway.store.clients import ON_PHONES, Person, as_person
from gateway.vault import DataKey, Vault

# How long a question stays open when it is not about an appointment.
QUESTION_OPEN = timedelta(hours=72)
# How long before its day a question about an appointment may have been written.
LONGEST_OPEN = timedelta(days=60)

_STRANGER = text("SELECT id, wrapped, unit_id FROM keys WHERE stranger_hash = :phone")


def stranger_key(work: Work, vault: Vault, phone_hash: bytes, unit_id: UUID) -> tuple[UUID, DataKey]:
    """The key of a phone that is no single client's, made when it first writes."""
    row = work.one(_STRANGER, phone=phone_hash)
    if row is None:
        key_id = uuid4()
        _, wrapped = vault.new_key(key_id)
        new = {"id": key_id, "unit_id": unit_id, "wrapped": wrapped, "stranger_hash": phone_hash}
        work.insert("keys", [new], "ON CONFLICT (stranger_hash) DO NOTHING")  # another process may just have made it
        row = work.one(_STRANGER, phone=phone_hash)
        assert row is not None
    return row.id, vault.open_key(row.wrapped, row.id)


_WROTE = text("SELECT true FROM inbound WHERE from_hash = :phone AND received_at > :since LIMIT 1")


def wrote(work: Work, phone_hash: bytes, since: datetime) -> bool:
    """Whether a text, or a call, came from this phone since then, as far as the actor sees."""
    return bool(work.value(_WROTE, phone=phone_hash, since=since))


_LAST_CHANNEL = text("SELECT channel_id FROM inbound WHERE from_hash = :phone AND received_at > :since ORDER BY received_at DESC LIMIT 1")


def last_channel(work: Work, phone_hash: bytes, since: datetime) -> UUID | None:
    """The channel that the phone's latest text since then came by, as far as the actor sees."""
    found: UUID | None = work.value(_LAST_CHANNEL, phone=phone_hash, since=since)
    return found


# LIMIT 1 rather than EXISTS: that one PostgreSQL may answer by reading a whole table into a hash.
# Of a client's questions the one that left last is open: the reminder a day before replaces the one a week before. What is just
# leaving nobody can have read.
_AROUND = text("""
  SELECT (SELECT id FROM inbound WHERE channel_id = t.channel AND carrier_id = t.carrier AND id <> t.id
      AND (from_hash = t.phone AND body_hash = t.body OR from_hash = '') LIMIT 1) AS known,  -- '': of a client who was erased
    (SELECT reason FROM stops WHERE phone_hash = t.phone) AS stopped,
    (SELECT json_build_array(id, extract(epoch FROM :now - received_at)) FROM inbound
      WHERE from_hash = t.phone AND body_hash = t.body AND received_at > :hour AND id <> t.id
      ORDER BY received_at DESC LIMIT 1) AS same,
    (SELECT true FROM outbound WHERE to_hash = t.phone AND body_hash = t.body AND created_at > :day AND purpose <> 'manual' LIMIT 1) AS echo,
    (SELECT coalesce(json_agg(json_build_array(purpose, extract(epoch FROM created_at))), '[]') FROM (
      SELECT DISTINCT ON (inbound_id, CASE WHEN starts_with(purpose, 'service_') THEN 'service' ELSE purpose END) purpose, created_at
      FROM outbound  -- the services that answer one text are one answer
      WHERE to_hash = t.phone AND created_at > :day AND inbound_id IS NOT NULL AND purpose <> 'staff_alert') r) AS replies,
    (SELECT coalesce(json_agg(json_build_array(id, client_id, expects, about_id, extract(epoch FROM left_at))), '[]') FROM (
      SELECT DISTINCT ON (o.client_id) o.id, o.client_id, o.expects, o.about_id, coalesce(tried.started_at, o.created_at) AS left_at
      FROM outbound o LEFT JOIN attempts tried ON tried.id = o.attempt_id LEFT JOIN appointments a ON a.id = o.about_id
      WHERE o.to_hash = t.phone AND o.created_at > :asked AND o.expects <> 'none' AND o.answered_at IS NULL AND o.client_id IS NOT NULL
        AND o.state IN ('submitting', 'unknown', 'accepted', 'sent', 'delivered')
        AND CASE WHEN a.id IS NULL THEN o.state_at > :since ELSE a.status = 'booked' AND a.starts_at > :now END
      ORDER BY o.client_id, o.state = 'submitting', left_at DESC, o.created_at DESC, o.id) q) AS questions,
    (SELECT coalesce(json_agg(json_build_array(f.id, f.number, w.staff_id, f.state = 'open')), '[]') FROM (
      SELECT DISTINCT ON (a.flag_id) a.flag_id, a.staff_id FROM staff s JOIN alert_steps a ON a.staff_id = s.id
        JOIN flags seen ON seen.id = a.flag_id JOIN staff_units su ON su.staff_id = s.id AND su.unit_id = seen.unit_id  -- who could not open it takes nothing
      WHERE s.phone_hash = t.phone AND s.active AND s.role <> 'analyst' AND a.done_at > :day ORDER BY a.flag_id, a.done_at, a.position) w
      JOIN flags f ON f.id = w.flag_id) AS alerted
  FROM unnest(CAST(:ids AS uuid[]), CAST(:phones AS bytea[]), CAST(:bodies AS bytea[]), CAST(:channels AS uuid[]), CAST(:carriers AS text[]))
    WITH ORDINALITY t(id, phone, body, channel, carrier, n) ORDER BY t.n""")


@dataclass(frozen=True, slots=True)
class Sought:
    """What a text is known by before anybody knows whose it is."""

    id: UUID
    channel_id: UUID
    carrier_id: str
    phone_hash: bytes
    body_hash: bytes


@dataclass(frozen=True, slots=True)
class Arrived:
    """A text as it came, before anything is decided. `key` is its sender's."""

    id: UUID
    unit_id: UUID
    channel_id: UUID
    client_id: UUID | None
    key_id: UUID
    key: DataKey
    carrier_id: str
    phone: str
    phone_hash: bytes
    body: str
    body_hash: bytes
    called: bool = False  # a missed call: no body


@dataclass(frozen=True, slots=True)
class Around:
    """What lies around a text: whether the carrier repeats it, the equal text before it, and the situation."""

    known: bool
    same_id: UUID | None
    situation: Situation


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is on the phone, and the rest as it was read."""

    people: list[Person]
    row: Any
    sessions: list[Any]  # rows of store.sessions.ON_PHONES


def look(work: Work, vault: Vault, texts: Sequence[Sought]) -> list[Seen]:
    """Read at once all that bears on a decision about each of the texts, in their order."""
    now = work.now
    phones = list({sought.phone_hash for sought in texts})
    rows, running, situations = work.together(
        (ON_PHONES, {"phones": phones}), (sessions.ON_PHONES, {"phones": phones}),
        (_AROUND, {
            "ids": [t.id for t in texts], "phones": [t.phone_hash for t in texts], "bodies": [t.body_hash for t in texts],
            "channels": [t.channel_id for t in texts], "carriers": [t.carrier_id for t in texts], "now": now,
            "since": now - QUESTION_OPEN, "asked": now - LONGEST_OPEN, "hour": now - timedelta(hours=1), "day": now - timedelta(days=1)}),
    )  # fmt: skip
    people: dict[bytes, list[Person]] = defaultdict(list)
    for row in rows:
        people[row.phone].append(as_person(row, vault))
    of_phone: dict[bytes, dict[UUID, Any]] = defaultdict(dict)
    for row in running:
        of_phone[row.phone][row.id] = row
    return [
        Seen(people[sought.phone_hash], row, [*of_phone[sought.phone_hash].values()])
        for sought, row in zip(texts, situations, strict=True)
    ]


def around(seen: Seen, unit_language: str, carrier_stop: str | None, now: datetime, running: Sequence[Session] = ()) -> Around:
    """What was seen, as deciding needs it; `running` are the sessions of those on the phone."""
    people, row = seen.people, seen.row
    asked, asking = _newest(row.questions if people else [], running, now)
    replies = [(purpose, datetime.fromtimestamp(float(at), now.tzinfo)) for purpose, at in row.replies]
    noise = [at for purpose, at in replies if purpose in ("not_understood", "unknown_sender")]
    same_id, same_seconds = (UUID(row.same[0]), float(row.same[1])) if row.same else (None, None)
    return Around(bool(row.known), same_id, Situation(
        clients=tuple(Client(person.id, person.language, person.status) for person in people),
        questions=tuple(
            Question(UUID(asked_id), UUID(client), Expecting.parse(expects), UUID(about) if about else None)
            for asked_id, client, expects, about, _at in asked
        ),
        language=people[0].language if people else unit_language,
        stopped=row.stopped,
        stop_asked=any(purpose == "stop_doubt" for purpose, _ in replies),
        replies_last_hour=tuple(p for p, at in replies if at > now - timedelta(hours=1) and _is_counted(p)),
        noise_replied_at=max(noise, default=None),
        seconds_since_same=same_seconds,
        carrier_stop=carrier_stop,
        echo=bool(row.echo),
        alerted=tuple(Alerted(UUID(flag), number, UUID(member), is_open) for flag, number, member, is_open in row.alerted),
        sessions=tuple(asking),
        suspended=tuple(sorted(
            (each for each in running if each.state.status == "suspended"), key=lambda each: (each.dialogue.urgency, each.state.asked_at))),
    ))  # fmt: skip


def _is_counted(purpose: str) -> bool:
    """Whether a reply speaks for a conversation of machines: a dialogue has an end, and a cry for help is always answered."""
    return purpose != "crisis_answer" and dialogues.name_of(purpose) is None


def _newest(questions: Sequence[Any], running: Sequence[Session], now: datetime) -> tuple[list[Any], list[Session]]:
    """Of a client who was asked by a text and in a dialogue, what was asked last is open."""
    if not running:
        return list(questions), []
    sessions = {each.state.client_id: each for each in running if each.state.status != "suspended"}
    open_questions = []
    for question in questions:
        client_id, at = UUID(question[1]), datetime.fromtimestamp(float(question[4]), now.tzinfo)
        if client_id in sessions and sessions[client_id].state.asked_at >= at:
            continue
        sessions.pop(client_id, None)
        open_questions.append(question)
    return open_questions, list(sessions.values())


@dataclass(frozen=True, slots=True)
class Understood:
    """What was made of a text. `repeat_of` is the equal text that it probably repeats."""

    meaning: Meaning
    answers_id: UUID | None
    repeat_of: UUID | None


def add(work: Work, arrived: Arrived, sent_at: datetime | None, late: bool, understood: Understood | None) -> None:
    """Keep a text, with what was made of it; None: deciding failed, and is tried again."""
    row = {
        "id": arrived.id, "unit_id": arrived.unit_id, "channel_id": arrived.channel_id, "client_id": arrived.client_id,
        "key_id": arrived.key_id, "carrier_id": arrived.carrier_id, "from_hash": arrived.phone_hash, "body_hash": arrived.body_hash,
        "from_enc": arrived.key.encrypt(arrived.phone, "inbound.from", arrived.id),
        "body_enc": arrived.key.encrypt(arrived.body, "inbound.body", arrived.id),
        "received_at": work.now, "sent_at": sent_at, "late": late, "called": arrived.called, "tries": 0 if understood else 1,
        **(_columns(work, arrived, understood) if understood else {}),
    }  # fmt: skip
    work.put("inbound", row)


def _columns(work: Work, arrived: Arrived, understood: Understood) -> dict[str, Any]:
    meaning = understood.meaning
    value = None if meaning.value is None or meaning.meaning == "info" else str(meaning.value)  # what is needed stays encrypted
    return {
        "handled_at": work.now, "meaning": meaning.meaning, "value": value,
        "also": list(meaning.also), "doubt": meaning.doubt, "why_enc": arrived.key.encrypt(meaning.why, "inbound.why", arrived.id),
        "answers_id": understood.answers_id, "repeat_of": understood.repeat_of,
    }  # fmt: skip


_UNDERSTOOD = text("""
  UPDATE inbound SET handled_at = :handled_at, meaning = :meaning, value = :value, also = :also, doubt = :doubt, why_enc = :why_enc,
    answers_id = :answers_id, repeat_of = :repeat_of WHERE id = :id""")


def write_understood(work: Work, arrived: Arrived, understood: Understood) -> None:
    """Complete a kept text with what was made of it at a later try."""
    work.execute(_UNDERSTOOD, _columns(work, arrived, understood) | {"id": arrived.id})


def count_try(work: Work, inbound_id: UUID) -> None:
    """Deciding failed once more."""
    work.execute(text("UPDATE inbound SET tries = tries + 1 WHERE id = :id"), {"id": inbound_id})


KNOWN = text("SELECT true FROM inbound WHERE id = :id")
# What the carrier lists later came when it says that it did; its own times are compared with each other alone.
_STOP_SINCE = text("""
  SELECT true FROM inbound i JOIN inbound s ON s.from_hash = i.from_hash AND s.id <> i.id
  WHERE i.id = :id AND (s.meaning IN ('stop', 'wrong_number') OR s.also && '{stop,wrong_number}')
    AND (CASE WHEN s.late THEN coalesce(s.sent_at, s.received_at) ELSE s.received_at END
      > CASE WHEN i.late THEN coalesce(i.sent_at, i.received_at) ELSE i.received_at END OR (s.channel_id = i.channel_id AND s.sent_at > i.sent_at))
  LIMIT 1""")


def is_stop_since(work: Work, inbound_id: UUID) -> bool:
    """Whether a text of the same phone that is later than this one says stop, or that the number is wrong. Texts may come, or be decided about, in another order than they were written."""
    return bool(work.value(_STOP_SINCE, id=inbound_id))


_KEPT = text("SELECT carrier_id, from_hash, body_hash FROM inbound WHERE channel_id = :channel AND carrier_id = ANY(:ids)")


def kept(work: Work, channel_id: UUID, carrier_ids: Sequence[str]) -> set[tuple[str, bytes, bytes]]:
    """Which texts of these ids of the carrier are here: (id, phone, body), the latter as hashes."""
    return {(row.carrier_id, bytes(row.from_hash), bytes(row.body_hash)) for row in work.all(_KEPT, channel=channel_id, ids=list(carrier_ids))}


_ANSWERED = text("""
  SELECT o.id AS answer_id, i.channel_id, i.carrier_id, i.from_hash, i.body_hash FROM outbound o JOIN inbound i ON i.id = o.inbound_id
  WHERE o.id = ANY(:ids)
  UNION ALL
  SELECT o.id, p.channel_id, p.carrier_id, p.from_hash, p.body_hash FROM outbound o JOIN inbound_parts p ON p.inbound_id = o.inbound_id
  WHERE o.id = ANY(:ids)""")


def answered(work: Work, answer_ids: Sequence[UUID]) -> Sequence[Any]:
    """What the carriers brought that these texts answer, each part of a long text too: answer_id, channel_id, carrier_id, hashes."""
    return work.all(_ANSWERED, ids=list(answer_ids))


Row = Any

_UNHANDLED = text("""
  SELECT i.id, i.channel_id, i.unit_id, i.key_id, k.wrapped, i.from_enc, i.from_hash, i.body_enc, i.body_hash, i.client_id, i.carrier_id, i.called, i.received_at
  FROM inbound i JOIN keys k ON k.id = i.key_id
  WHERE i.handled_at IS NULL AND i.tries < 20 AND i.received_at < :before
    AND NOT EXISTS (SELECT FROM inbound_parts p WHERE p.inbound_id = i.id AND p.received_at > :waits) ORDER BY i.received_at LIMIT 100""")


def unhandled(work: Work, before: datetime) -> list[Any]:
    """Texts whose deciding failed, and those whose next part did not come in time, oldest first."""
    return list(work.all(_UNHANDLED, before=before, waits=work.now - parts.WAIT))
