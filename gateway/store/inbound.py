"""Texts in: kept once, with the situation they arrive in."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.decide import Client, Question, Situation
from gateway.domain.interpret import Expecting, Meaning
from gateway.store.base import Work
from gateway.vault import DataKey, Vault

# How long a question stays open when it is not about an appointment.
QUESTION_OPEN = timedelta(hours=72)

_LOCK_PHONE = text("SELECT pg_advisory_xact_lock(hashtextextended(encode(:phone, 'hex'), 1))")


def lock_phone(work: Work, phone_hash: bytes) -> None:
    """Handle one text of a phone at a time, in every process, until the transaction ends."""
    work.execute(_LOCK_PHONE, {"phone": phone_hash})


_PEOPLE = text("""
  SELECT c.id, c.unit_id, c.key_id, k.wrapped, c.language, c.status FROM phones p
    JOIN clients c ON c.id = p.client_id JOIN keys k ON k.id = c.key_id
  WHERE p.phone_hash = :phone AND c.status <> 'closed' ORDER BY c.id""")
_STRANGER = text("SELECT id, wrapped, unit_id FROM keys WHERE stranger_hash = :phone")


def people(work: Work, phone_hash: bytes) -> list[Any]:
    """The clients on this phone who are not closed: rows of id, unit_id, key_id, wrapped, language, status."""
    return list(work.all(_PEOPLE, phone=phone_hash))


def stranger_key(work: Work, vault: Vault, phone_hash: bytes, unit_id: UUID) -> tuple[UUID, DataKey]:
    """The key of a phone that is no single client's, made when it first writes."""
    row = work.one(_STRANGER, phone=phone_hash)
    if row is not None:
        return row.id, vault.open_key(row.wrapped, row.id)
    key_id = uuid4()
    key, wrapped = vault.new_key(key_id)
    work.insert("keys", [{"id": key_id, "unit_id": unit_id, "wrapped": wrapped, "stranger_hash": phone_hash}])
    return key_id, key


# A client's newest question is the open one: the reminder a day before replaces the one a week before.
_QUESTIONS = text("""
  SELECT DISTINCT ON (o.client_id) o.id, o.client_id, o.expects, o.about_id
  FROM outbound o LEFT JOIN appointments a ON a.id = o.about_id
  WHERE o.to_hash = :phone AND o.expects <> 'none' AND o.answered_at IS NULL AND o.client_id IS NOT NULL
    AND o.state IN ('submitting', 'unknown', 'accepted', 'sent', 'delivered')
    AND CASE WHEN a.id IS NULL THEN o.state_at > :since ELSE a.status = 'booked' AND a.starts_at > :now END
  ORDER BY o.client_id, o.created_at DESC, o.id""")
_AROUND = text("""
  SELECT (SELECT reason FROM stops WHERE phone_hash = :phone) AS stopped,
    (SELECT extract(epoch FROM :now - max(received_at)) FROM inbound
      WHERE from_hash = :phone AND body_hash = :body AND received_at > :hour AND id <> :id) AS same,
    (SELECT coalesce(json_agg(json_build_array(purpose, extract(epoch FROM created_at))), '[]') FROM outbound
      WHERE to_hash = :phone AND created_at > :day AND inbound_id IS NOT NULL AND purpose <> 'staff_alert') AS replies""")


def situation(
    work: Work, people: list[Any], phone_hash: bytes, body_hash: bytes, inbound_id: UUID, unit_language: str, carrier_stop: str | None
) -> Situation:
    """All that bears on a decision about one inbound text."""
    now = work.now
    asked = work.all(_QUESTIONS, phone=phone_hash, now=now, since=now - QUESTION_OPEN) if people else []
    around = work.one(_AROUND, phone=phone_hash, body=body_hash, id=inbound_id, now=now,
                      hour=now - timedelta(hours=1), day=now - timedelta(days=1))  # fmt: skip
    assert around is not None
    replies = [(purpose, datetime.fromtimestamp(float(at), now.tzinfo)) for purpose, at in around.replies]
    noise = [at for purpose, at in replies if purpose in ("not_understood", "unknown_sender")]
    return Situation(
        clients=tuple(Client(row.id, row.language, row.status) for row in people),
        questions=tuple(Question(q.id, q.client_id, Expecting.parse(q.expects), q.about_id) for q in asked),
        language=people[0].language if people else unit_language,
        stopped=around.stopped,
        stop_asked=any(purpose == "stop_doubt" for purpose, _ in replies),
        replies_last_hour=tuple(p for p, at in replies if at > now - timedelta(hours=1) and p != "crisis_answer"),
        noise_replied_at=max(noise, default=None),
        seconds_since_same=None if around.same is None else float(around.same),
        carrier_stop=carrier_stop,
    )


def add(
    work: Work, vault: Vault, *, inbound_id: UUID, unit_id: UUID, channel_id: UUID, client_id: UUID | None, key_id: UUID, key: DataKey,
    carrier_id: str, phone: str, body: str, sent_at: datetime | None, late: bool,
) -> bool:  # fmt: skip
    """Keep a text. False when the carrier repeated one we have: nothing was written."""
    row = {
        "id": inbound_id, "unit_id": unit_id, "channel_id": channel_id, "client_id": client_id, "key_id": key_id,
        "carrier_id": carrier_id, "from_enc": key.encrypt(phone, "inbound.from", inbound_id), "from_hash": vault.hash_phone(phone),
        "body_enc": key.encrypt(body, "inbound.body", inbound_id), "body_hash": vault.hash_body(body),
        "received_at": work.now, "sent_at": sent_at, "late": late,
    }  # fmt: skip
    return work.insert("inbound", [row], "ON CONFLICT (channel_id, carrier_id) DO NOTHING") == 1


_UNDERSTOOD = text("""
  UPDATE inbound SET handled_at = :now, meaning = :meaning, value = :value, also = :also, doubt = :doubt, why_enc = :why,
    answers_id = :answers, repeat_of = :repeat WHERE id = :id""")
_SAME = text("""SELECT id FROM inbound WHERE from_hash = :phone AND body_hash = :body AND id <> :id
  ORDER BY received_at DESC LIMIT 1""")


def understood(
    work: Work, inbound_id: UUID, key: DataKey, meaning: Meaning, answers_id: UUID | None, repeat: tuple[bytes, bytes] | None
) -> None:
    """Write what was understood; `repeat` (phone hash, body hash) marks a probable repeat of the latest equal text."""
    earlier = work.value(_SAME, phone=repeat[0], body=repeat[1], id=inbound_id) if repeat else None
    work.execute(_UNDERSTOOD, {
        "id": inbound_id, "now": work.now, "meaning": meaning.meaning,
        "value": None if meaning.value is None else str(meaning.value), "also": list(meaning.also), "doubt": meaning.doubt,
        "why": key.encrypt(meaning.why, "inbound.why", inbound_id), "answers": answers_id, "repeat": earlier,
    })  # fmt: skip


def failed(work: Work, inbound_id: UUID) -> None:
    """Deciding raised: the text is kept, and tried again."""
    work.execute(text("UPDATE inbound SET tries = tries + 1 WHERE id = :id"), {"id": inbound_id})


_UNHANDLED = text("""
  SELECT i.id, i.channel_id, i.unit_id, i.key_id, k.wrapped, i.from_enc, i.from_hash, i.body_enc, i.body_hash, i.client_id
  FROM inbound i JOIN keys k ON k.id = i.key_id
  WHERE i.handled_at IS NULL AND i.tries < 20 AND i.received_at < :before ORDER BY i.received_at LIMIT 100""")


def unhandled(work: Work, before: datetime) -> list[Any]:
    """Texts whose deciding failed, oldest first."""
    return list(work.all(_UNHANDLED, before=before))
