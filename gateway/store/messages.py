"""Texts out: planned, claimed, recorded, reported. The heart of law 4; every statement here is set-based."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from sqlalchemy import text

from gateway.domain.messages import BULK, STATES, URGENT
from gateway.store import channels
from gateway.store.base import Work
from gateway.vault import DataKey, Vault

_IDS = UUID("6f0c3c5e-6a5f-4a53-9a53-0d7c1d0f1b7e")


@dataclass(frozen=True, slots=True)
class New:
    """A text to be planned. `key` is the receiver's; its id is made from `dedupe_key`, so planned twice it is one row."""

    unit_id: UUID
    key_id: UUID
    key: DataKey
    channel_id: UUID
    to: str
    body: str
    encoding: str
    segments: int
    purpose: str
    language: str
    lane: int
    semantics: str
    dedupe_key: str
    send_after: datetime
    send_before: datetime
    client_id: UUID | None = None
    consent_purpose: str | None = None
    expects: str = "none"
    campaign_id: UUID | None = None
    occurrence_id: UUID | None = None
    inbound_id: UUID | None = None
    about_id: UUID | None = None
    exempt_until: datetime | None = None
    waits_for: UUID | None = None
    to_hash: bytes | None = None  # where it is known already
    state: str = "planned"
    reason: str | None = None
    id: UUID = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", id_of(self.dedupe_key))


def id_of(dedupe_key: str) -> UUID:
    """The id of the text that has this dedupe key."""
    return uuid5(_IDS, dedupe_key)


def add(work: Work, vault: Vault, news: Sequence[New]) -> int:
    """Keep texts to be sent; those whose dedupe key is known are left out. The number kept."""
    rows = [_row(new, vault, work.now) for new in news]
    return work.insert("outbound", rows, "ON CONFLICT (id) DO NOTHING")


def is_known(work: Work, dedupe_key: str) -> bool:
    """Whether a text of this key is kept."""
    return bool(work.value(text("SELECT true FROM outbound WHERE id = :id"), id=uuid5(_IDS, dedupe_key)))


def channel_of(work: Work, dedupe_key: str) -> UUID | None:
    """The channel by which the text of this key leaves."""
    found: UUID | None = work.value(text("SELECT channel_id FROM outbound WHERE id = :id"), id=id_of(dedupe_key))
    return found


def put(work: Work, vault: Vault, new: New) -> None:
    """Keep one text with the other writes of the transaction; a known one changes nothing."""
    work.put("outbound", _row(new, vault, work.now), "ON CONFLICT (id) DO NOTHING")


def _row(new: New, vault: Vault, now: datetime) -> dict[str, Any]:
    return {
        "id": new.id, "unit_id": new.unit_id, "client_id": new.client_id, "key_id": new.key_id,
        "channel_id": new.channel_id, "campaign_id": new.campaign_id, "occurrence_id": new.occurrence_id,
        "inbound_id": new.inbound_id, "about_id": new.about_id, "waits_for": new.waits_for, "purpose": new.purpose,
        "consent_purpose": new.consent_purpose, "language": new.language, "lane": new.lane, "expects": new.expects,
        "semantics": new.semantics, "send_after": new.send_after,
        "send_before": new.send_before, "exempt_until": new.exempt_until,
        "to_enc": new.key.encrypt(new.to, "outbound.to", new.id), "to_hash": new.to_hash or vault.hash_phone(new.to),
        "body_enc": new.key.encrypt(new.body, "outbound.body", new.id), "body_hash": vault.hash_body(new.body),
        "encoding": new.encoding, "segments": new.segments, "state": new.state, "reason": new.reason,
        "created_at": now, "state_at": now, "attempts": 0,
    }  # fmt: skip


# --- claiming -------------------------------------------------------------------------------------------------------

# One lane at a time, so that a million texts due tomorrow cost nothing today.
_LOCK_DUE = text("""
  SELECT o.id, o.client_id, l.lane FROM (VALUES (0, :all), (1, :all), (2, :bulk)) l(lane, room), LATERAL (
    SELECT id, client_id FROM outbound
    WHERE channel_id = :channel AND lane = l.lane AND state = 'planned' AND waits_for IS NULL AND send_after <= :now
    ORDER BY send_after LIMIT l.room FOR UPDATE SKIP LOCKED) o""")
_LOCK_CLIENTS = text("SELECT id FROM clients WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED")

# A statement of its own, after the locks are held: its snapshot sees what the last holder of each client committed.
_FACTS = text("""
  SELECT o.id, o.client_id, o.unit_id, o.key_id, k.wrapped, o.purpose, o.consent_purpose, o.lane, o.send_before, o.exempt_until,
    o.to_enc, o.to_hash, o.body_enc, o.attempts, o.segments, o.semantics, c.status, s.reason AS stopped,
    coalesce(co.granted, false) AS consented,
    -- LIMIT 1 rather than EXISTS, which PostgreSQL may answer by reading all that is, and lately was, on its way into a hash.
    o.client_id IS NOT NULL AND coalesce((
      SELECT true FROM outbound f WHERE f.client_id = o.client_id AND f.state || '' = 'submitting' LIMIT 1), (
      -- What the carrier put off is not overtaken by a later text.
      SELECT true FROM outbound f WHERE f.client_id = o.client_id AND f.state || '' = 'planned' AND f.attempts > 0 AND f.lane = o.lane
        AND f.reason IN ('rate_limited', 'queue_full', 'not_reached')
        AND (f.created_at < o.created_at OR (f.created_at = o.created_at AND f.id <> o.id AND o.attempts = 0)) LIMIT 1), false) AS in_flight,
    u.opens AS unit_opens, u.closes AS unit_closes, c.opens, c.closes, c.texts_a_day, c.texts_a_week, coalesce(c.time_zone, u.time_zone) AS zone,
    u.time_zone AS unit_zone, ca.state AS campaign_state, n.identical, n.automatic, n.bulk, n.bulk_week
  FROM outbound o JOIN keys k ON k.id = o.key_id JOIN units u ON u.id = o.unit_id
    LEFT JOIN clients c ON c.id = o.client_id
    LEFT JOIN stops s ON s.phone_hash = o.to_hash
    LEFT JOIN consents co ON co.client_id = o.client_id AND co.purpose = o.consent_purpose
    LEFT JOIN campaigns ca ON ca.id = o.campaign_id
    LEFT JOIN LATERAL (
      SELECT count(*) FILTER (WHERE p.body_hash = o.body_hash AND p.state_at > :half_an_hour_ago) AS identical,
        count(*) FILTER (WHERE p.purpose <> 'manual' AND p.state_at > :an_hour_ago) AS automatic,
        count(*) FILTER (WHERE p.lane = 2 AND p.state_at > :a_day_ago) AS bulk, count(*) FILTER (WHERE p.lane = 2) AS bulk_week
      FROM outbound p WHERE p.to_hash = o.to_hash AND p.created_at > :two_weeks_ago AND p.state_at > :a_week_ago
        AND p.state IN ('submitting', 'unknown', 'accepted', 'sent', 'delivered', 'failed')) n ON true
  WHERE o.id = ANY(:ids) ORDER BY o.lane, o.send_after""")


def claim_due(
    work: Work, channel_id: UUID, room_all: int, room_bulk: int, since: dict[str, datetime]
) -> Sequence[Any]:
    """Lock due rows and their clients, and read what judging them needs. Rows of clients locked elsewhere are left.

    But for urgent ones: an answer to a cry for help leaves whatever becomes of the client, and an import may hold them for a minute.
    """
    locked = work.all(_LOCK_DUE, channel=channel_id, now=work.now, all=room_all, bulk=room_bulk)
    if not locked:
        return []
    locked = sorted(locked, key=lambda row: row.lane)[:room_all]
    wanted = sorted({row.client_id for row in locked if row.client_id is not None and row.lane != URGENT})
    free = {row.id for row in work.all(_LOCK_CLIENTS, ids=wanted)} if wanted else set()
    ids = [row.id for row in locked if row.client_id is None or row.lane == URGENT or row.client_id in free]
    return work.all(_FACTS, ids=ids, **since) if ids else []


# LIMIT 1 as above.
_TAKEN_BESIDE = text("""
  SELECT o.id FROM outbound o WHERE o.id = ANY(:ids) AND (
    SELECT true FROM outbound other WHERE other.to_hash = o.to_hash AND other.created_at > o.created_at - interval '1 day'
      AND other.inbound_id = o.inbound_id AND other.purpose = o.purpose AND other.id <> o.id
      AND other.state IN ('accepted', 'sent', 'delivered') LIMIT 1)""")


def taken_beside(work: Work, ids: Sequence[UUID]) -> set[UUID]:
    """Those of these answers that a carrier took already as another row: over another channel, or from the deputy."""
    return {row.id for row in work.all(_TAKEN_BESIDE, ids=list(ids))} if ids else set()


_SUBMIT = text("""
  WITH claimed AS (
    UPDATE outbound o SET state = 'submitting', state_at = :now, attempt_id = u.attempt, attempts = o.attempts + 1, reason = NULL
    FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[])) u(id, attempt) WHERE o.id = u.id
    RETURNING o.id, o.attempt_id, o.channel_id, o.attempts)
  INSERT INTO attempts (id, outbound_id, channel_id, number, started_at)
  SELECT attempt_id, id, channel_id, attempts, :now FROM claimed""")


def submit(work: Work, ids: list[UUID], tokens: list[UUID]) -> None:
    """Move locked rows to `submitting`, each with an attempt row: from the commit on, bytes may leave."""
    work.execute(_SUBMIT, {"ids": ids, "tokens": tokens, "now": work.now})


_LEFT_OTHERWISE = text("""
  WITH spared AS (
    UPDATE outbound SET state = CASE state WHEN 'planned' THEN 'submitting' ELSE state END, state_at = :now, attempt_id = :token,
      attempts = attempts + 1, channel_id = :channel, reason = NULL
    WHERE id = :id AND state IN ('planned', 'submitting', 'unknown') AND NOT EXISTS (SELECT FROM attempts WHERE id = :token)
    RETURNING id, channel_id, attempts, state)
  INSERT INTO attempts (id, outbound_id, channel_id, number, state, started_at)
  SELECT :token, id, channel_id, attempts, state, :now FROM spared RETURNING id""")


def left_otherwise(work: Work, message_id: UUID, token: UUID, channel_id: UUID) -> bool:
    """A text of which no carrier is known to have it left by an attempt of somebody else, which is its latest now; whether there is such a text.

    False when that is written already. A claim of it that is withdrawn later, or an earlier attempt that turns out not to have left, changes nothing any more.
    """
    return work.value(_LEFT_OTHERWISE, id=message_id, token=token, channel=channel_id, now=work.now) is not None


def attempted(work: Work, tokens: Sequence[UUID]) -> set[UUID]:
    """Those of the tokens that an attempt has."""
    return {row.id for row in work.all(text("SELECT id FROM attempts WHERE id = ANY(:tokens)"), tokens=list(tokens))}


_PLANNED = text("SELECT id FROM outbound WHERE id = :id AND state = 'planned' FOR NO KEY UPDATE")


def is_planned(work: Work, message_id: UUID) -> bool:
    """Whether a text is there and waits; then its row is locked."""
    return work.one(_PLANNED, id=message_id) is not None


# Whoever changes many messages takes their rows first, in one order, so that no two wait for each other.
_LOCK = text("SELECT id FROM outbound WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
_WITHDRAW = (
    text("UPDATE attempts SET state = 'not_sent' WHERE id = ANY(:tokens) AND state IN ('submitting', 'unknown')"),
    text("""
  UPDATE outbound o SET state = 'planned', state_at = :now, attempt_id = NULL, attempts = o.attempts - 1 FROM attempts a
  WHERE o.id = ANY(:ids) AND o.attempt_id = ANY(:tokens) AND o.state IN ('submitting', 'unknown') AND a.id = o.attempt_id AND a.state = 'not_sent'"""),
    text("DELETE FROM attempts a WHERE id = ANY(:tokens) AND state = 'not_sent' AND NOT EXISTS (SELECT FROM outbound WHERE attempt_id = a.id)"),
)


def withdraw(work: Work, ids: list[UUID], tokens: list[UUID]) -> None:
    """Undo claims of which nothing left, as if they had never been made; those that were never committed, or are settled, stay.

    Waits for a commit of such a claim that is still under way: its rows are locked.
    """
    work.execute(_LOCK, {"ids": ids})
    channels.give_back(work, tokens)
    for statement in _WITHDRAW:
        work.execute(statement, {"ids": ids, "tokens": tokens, "now": work.now})


_HOLD = text("""UPDATE outbound o SET send_after = u.until, reason = u.reason
  FROM unnest(CAST(:ids AS uuid[]), CAST(:untils AS timestamptz[]), CAST(:reasons AS text[])) u(id, until, reason)
  WHERE o.id = u.id""")


def hold(work: Work, ids: list[UUID], untils: list[datetime], reasons: list[str]) -> None:
    """Give locked rows their next moment, and staff the reason."""
    work.execute(_HOLD, {"ids": ids, "untils": untils, "reasons": reasons})


_DROP = text("""UPDATE outbound o SET state = u.state, reason = u.reason, state_at = :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[])) u(id, state, reason)
  WHERE o.id = u.id""")


def drop(work: Work, ids: list[UUID], states: list[str], reasons: list[str]) -> None:
    """Close locked rows that never leave: expired, suppressed or cancelled, with the reason."""
    work.execute(_DROP, {"ids": ids, "states": states, "reasons": reasons, "now": work.now})


_WAITING = text("""
  SELECT o.*, k.wrapped FROM outbound o JOIN keys k ON k.id = o.key_id
  WHERE o.id = :id AND o.state IN ('planned', 'submitting', 'unknown', 'failed')""")


def waiting(work: Work, vault: Vault, message_id: UUID) -> New | None:
    """A text that no carrier has taken, as it was planned; None when one has, or there is none."""
    row = work.one(_WAITING, id=message_id)
    if row is None:
        return None
    key = vault.open_key(row.wrapped, row.key_id)
    return New(
        unit_id=row.unit_id, key_id=row.key_id, key=key, channel_id=row.channel_id, to=key.decrypt(row.to_enc, "outbound.to", row.id),
        body=key.decrypt(row.body_enc, "outbound.body", row.id), encoding=row.encoding, segments=row.segments, purpose=row.purpose,
        language=row.language, lane=row.lane, semantics=row.semantics, dedupe_key="", send_after=work.now, send_before=row.send_before,
        client_id=row.client_id, inbound_id=row.inbound_id, exempt_until=row.exempt_until,
    )  # fmt: skip


_LEFT = text("""
  SELECT to_hash, state_at FROM outbound WHERE to_hash = ANY(CAST(:phones AS bytea[])) AND lane = 2 AND created_at > :before AND state_at > :since
    AND state IN ('submitting', 'unknown', 'accepted', 'sent', 'delivered', 'failed')""")


def left_since(work: Work, phone_hashes: Sequence[bytes], since: datetime) -> dict[bytes, list[datetime]]:
    """When texts of our own accord left for these phones, as the cap counts them."""
    found: dict[bytes, list[datetime]] = {}
    for row in work.all(_LEFT, phones=list(phone_hashes), since=since, before=since - timedelta(days=7)):
        found.setdefault(bytes(row.to_hash), []).append(row.state_at)
    return found


# --- recording ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended and what that makes of its message."""

    message_id: UUID
    token: UUID
    state: str
    attempt: str
    reason: str | None = None
    code: str | None = None
    carrier_id: str | None = None
    again_at: datetime | None = None


_RECORD_ATTEMPTS = text("""
  UPDATE attempts a SET state = u.state, reason = u.reason, code = u.code, carrier_id = coalesce(a.carrier_id, u.carrier_id),
    settled_at = :now
  FROM unnest(CAST(:tokens AS uuid[]), CAST(:attempts AS text[]), CAST(:reasons AS text[]), CAST(:codes AS text[]),
    CAST(:carrier_ids AS text[])) u(id, state, reason, code, carrier_id)
  WHERE a.id = u.id AND a.state IN ('submitting', 'unknown')""")
# A report may have come before the answer: the state only rises, and only an attempt closed as not sent goes back.
_RECORD_MESSAGES = text("""
  UPDATE outbound o SET carrier_id = coalesce(o.carrier_id, u.carrier_id),
    state = CASE WHEN outbound_moves(o.state, u.state) THEN u.state ELSE o.state END,
    reason = CASE WHEN outbound_moves(o.state, u.state) THEN u.reason ELSE o.reason END,
    code = CASE WHEN outbound_moves(o.state, u.state) THEN u.code ELSE o.code END,
    state_at = CASE WHEN outbound_moves(o.state, u.state) THEN :now ELSE o.state_at END,
    send_after = coalesce(u.again_at, o.send_after)
  FROM unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[]),
      CAST(:codes AS text[]), CAST(:carrier_ids AS text[]), CAST(:agains AS timestamptz[]))
      u(id, token, state, reason, code, carrier_id, again_at)
  WHERE o.id = u.id AND o.attempt_id = u.token""")


def record(work: Work, outcomes: Sequence[Outcome]) -> None:
    """Write how attempts ended, many at a time. A state that a report wrote meanwhile is never lowered."""
    values = {
        "ids": [o.message_id for o in outcomes], "tokens": [o.token for o in outcomes],
        "states": [o.state for o in outcomes], "attempts": [o.attempt for o in outcomes],
        "reasons": [o.reason for o in outcomes], "codes": [o.code for o in outcomes],
        "carrier_ids": [o.carrier_id for o in outcomes], "agains": [o.again_at for o in outcomes], "now": work.now,
    }  # fmt: skip
    work.later(_LOCK, ids=values["ids"])
    if stayed := [o.token for o in outcomes if o.attempt in ("not_sent", "refused")]:
        channels.give_back(work, stayed)
    work.later(_RECORD_ATTEMPTS, **values)
    work.later(_RECORD_MESSAGES, **values)


# --- reports --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reported:
    """What a carrier said of one attempt. `token` None: it is found by the carrier's id."""

    channel_id: UUID
    token: UUID | None
    carrier_id: str
    state: str
    code: str | None
    reason: str | None


# A carrier may begin its ids anew: the latest text that bears one is meant, and none from before any report could still come.
_BY_ID = """(SELECT id, outbound_id FROM attempts
        WHERE u.token IS NULL AND channel_id = u.channel_id AND carrier_id = u.carrier_id AND started_at > :since
        ORDER BY started_at DESC LIMIT 1)"""
REPORTED_WITHIN = timedelta(days=14)
# One statement, because it is asked once for every few reports that come. Rows are taken in one order before they are
# changed. A failure is believed only of the latest attempt; that something arrived is believed of any.
_REPORT = text(f"""
  WITH said AS (
    SELECT u.*, a.id AS attempt_id, a.outbound_id
    FROM unnest(CAST(:channels AS uuid[]), CAST(:tokens AS uuid[]), CAST(:carrier_ids AS text[]), CAST(:states AS text[]),
      CAST(:reasons AS text[]), CAST(:codes AS text[])) u(channel_id, token, carrier_id, state, reason, code)
      LEFT JOIN LATERAL (
        SELECT id, outbound_id FROM attempts WHERE u.token IS NOT NULL AND id = u.token AND channel_id = u.channel_id
        UNION ALL
        {_BY_ID}
      ) a ON true),
  kept AS (
    INSERT INTO reports (channel_id, attempt_id, carrier_id, state, code, received_at, matched)
    SELECT channel_id, attempt_id, carrier_id, state, coalesce(code, ''), :now, attempt_id IS NOT NULL FROM said ON CONFLICT DO NOTHING),
  held AS MATERIALIZED (
    SELECT s.*, o.attempt_id = s.attempt_id OR s.state IN ('accepted', 'sent', 'delivered') AS is_believed
    FROM said s JOIN outbound o ON o.id = s.outbound_id
    WHERE s.state = ANY(CAST(:known AS text[])) ORDER BY o.id FOR NO KEY UPDATE OF o),
  highest AS (
    SELECT DISTINCT ON (outbound_id) * FROM held WHERE is_believed ORDER BY outbound_id, outbound_rank(state) DESC),
  attempted AS (
    UPDATE attempts a SET state = 'accepted', carrier_id = coalesce(a.carrier_id, h.carrier_id), settled_at = :now
    FROM (SELECT DISTINCT ON (attempt_id) attempt_id, carrier_id FROM held ORDER BY attempt_id) h
    WHERE a.id = h.attempt_id AND (a.state <> 'accepted' OR a.carrier_id IS NULL))
  UPDATE outbound o SET state = h.state, reason = h.reason, code = h.code, state_at = :now, carrier_id = coalesce(o.carrier_id, h.carrier_id)
  FROM highest h
  WHERE o.id = h.outbound_id AND o.state NOT IN ('cancelled', 'suppressed') AND outbound_rank(h.state) > outbound_rank(o.state)
  RETURNING o.id, o.unit_id, o.channel_id, o.client_id, o.to_hash, o.state, o.reason""")


def report(work: Work, reports: Sequence[Reported]) -> Sequence[Any]:
    """Keep reports, each once, and let them raise their messages; the messages whose state changed.

    Reports may be doubled, late and out of order; only the highest of a batch counts for a message.
    """
    return work.all(
        _REPORT, channels=[r.channel_id for r in reports], tokens=[r.token for r in reports],
        carrier_ids=[r.carrier_id for r in reports], states=[r.state for r in reports], reasons=[r.reason for r in reports],
        codes=[r.code for r in reports], known=[*STATES], now=work.now, since=work.now - REPORTED_WITHIN,
    )  # fmt: skip


_PHONES_OF = text(f"""
  SELECT DISTINCT ON (o.id) o.id, o.to_hash
  FROM unnest(CAST(:channels AS uuid[]), CAST(:tokens AS uuid[]), CAST(:carrier_ids AS text[]), CAST(:states AS text[]),
      CAST(:codes AS text[])) u(channel_id, token, carrier_id, state, code),
    LATERAL (
      SELECT id, outbound_id FROM attempts WHERE u.token IS NOT NULL AND id = u.token AND channel_id = u.channel_id
      UNION ALL
      {_BY_ID}) a
    JOIN outbound o ON o.id = a.outbound_id
  WHERE NOT EXISTS (SELECT FROM reports r WHERE r.channel_id = u.channel_id AND r.carrier_id = u.carrier_id AND r.state = u.state
    AND r.code = coalesce(u.code, ''))""")


def phones_of(work: Work, reports: Sequence[Reported]) -> Sequence[Any]:
    """The messages that reports speak of which were never kept before, and their phones' hashes."""
    if not reports:
        return []
    return work.all(_PHONES_OF, channels=[r.channel_id for r in reports], tokens=[r.token for r in reports],
                    carrier_ids=[r.carrier_id for r in reports], states=[r.state for r in reports],
                    codes=[r.code for r in reports], since=work.now - REPORTED_WITHIN)  # fmt: skip


# --- stopping -------------------------------------------------------------------------------------------------------

# The state is hidden from the planner (`state || ''`): an index on all that is planned looks small after a quiet night, and going
# through it by day would cost each STOP more the more there is to send. The index on phone or client always costs the same.


def cancel_for_phone(work: Work, phone_hash: bytes, reason: str, keep: Iterable[str] = ()) -> int:
    """Cancel all that is planned for a phone, except answers of the purposes in `keep`. The number cancelled."""
    return int(work.execute(
        text("""UPDATE outbound SET state = 'cancelled', reason = :reason, state_at = :now
                WHERE to_hash = :phone AND state || '' = 'planned' AND purpose <> ALL(:keep)"""),
        {"phone": phone_hash, "reason": reason, "now": work.now, "keep": list(keep)}).rowcount)  # fmt: skip


def cancel_bulk_for_phone(work: Work, phone_hash: bytes, reason: str) -> int:
    """Cancel all bulk texts planned for a phone. The number cancelled."""
    return int(work.execute(
        text("""UPDATE outbound SET state = 'cancelled', reason = :reason, state_at = :now
                WHERE to_hash = :phone AND state || '' = 'planned' AND lane = 2"""),
        {"phone": phone_hash, "reason": reason, "now": work.now}).rowcount)  # fmt: skip


_MISDIRECTED = text(f"""
  SELECT o.id, o.client_id, o.unit_id, o.key_id, k.wrapped, o.to_enc, o.to_hash, o.body_enc, o.language, o.purpose, o.lane, o.expects
  FROM outbound o JOIN keys k ON k.id = o.key_id
  WHERE o.client_id = ANY(:clients) AND o.state || '' = 'planned' AND (o.lane = {BULK} OR o.purpose = 'manual')
    AND NOT EXISTS (SELECT FROM phones p WHERE p.client_id = o.client_id AND p.phone_hash = o.to_hash)""")
_REDIRECT = text("UPDATE outbound SET to_enc = :to_enc, to_hash = :to_hash, channel_id = :channel WHERE id = :id")


def misdirected(work: Work, client_ids: Iterable[UUID]) -> list[Any]:
    """What is planned for clients to a number that is no longer theirs, as `routes.asked_of` reads it. Answers to what that number itself wrote are not."""
    return work.all(_MISDIRECTED, clients=list(client_ids))


def redirect(work: Work, vault: Vault, message_id: UUID, key: DataKey, phone: str, channel_id: UUID) -> None:
    """A text goes to this number instead, by this channel. Take its client's row first (`clients.lock`)."""
    work.later(_REDIRECT, id=message_id, to_enc=key.encrypt(phone, "outbound.to", message_id), to_hash=vault.hash_phone(phone), channel=channel_id)


def cancel_about(work: Work, client_id: UUID, about_id: UUID, reason: str) -> int:
    """Cancel all bulk texts planned for a client about an appointment. The number cancelled."""
    return int(work.execute(
        text("""UPDATE outbound SET state = 'cancelled', reason = :reason, state_at = :now
                WHERE client_id = :client AND about_id = :about AND state || '' = 'planned' AND lane = 2"""),
        {"client": client_id, "about": about_id, "reason": reason, "now": work.now}).rowcount)  # fmt: skip


def release(work: Work, ping_id: UUID, exempt_until: datetime) -> int:
    """Let the text behind an answered ping go, now and at any hour, as an answer to the client's own text."""
    return int(work.execute(
        text("""UPDATE outbound SET waits_for = NULL, lane = 1, send_after = :now, exempt_until = :until
                WHERE waits_for = :ping AND state || '' = 'planned'"""),
        {"ping": ping_id, "now": work.now, "until": exempt_until}).rowcount)  # fmt: skip
