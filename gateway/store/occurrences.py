"""Occurrences: one step of a campaign for one client at one moment. UNIQUE, so that planning twice plans once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import TextClause, text

from gateway.store.base import Work
from gateway.store.campaigns import COVERED, OF_UNITS, ON_LISTS, Audience, Campaign

# --- one-off campaigns ----------------------------------------------------------------------------------------------

_ZONES = text("SELECT DISTINCT coalesce(c.time_zone, u.time_zone) AS own, u.time_zone AS of_unit FROM clients c JOIN units u ON u.id = c.unit_id")


def zones(work: Work) -> list[tuple[str, str]]:
    """The time zones clients live in, each with their unit's, which counts where their own does not exist."""
    return [(row.own, row.of_unit) for row in work.all(_ZONES)]


_EXPAND = text(f"""
  WITH next AS (
    SELECT c.id, c.unit_id, m.due_at, m.send_before FROM clients c JOIN units u ON u.id = c.unit_id
      JOIN unnest(CAST(:zones AS text[]), CAST(:of_units AS text[]), CAST(:dues AS timestamptz[]), CAST(:befores AS timestamptz[]))
        m(zone, of_unit, due_at, send_before) ON m.zone = coalesce(c.time_zone, u.time_zone) AND m.of_unit = u.time_zone
    WHERE c.id > :after AND c.status <> 'closed' AND {COVERED} ORDER BY c.id LIMIT :limit),
  made AS (
    INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, due_at, send_before)
    SELECT gen_random_uuid(), unit_id, :campaign, :step, id, due_at, send_before FROM next
    ON CONFLICT (step_id, client_id, due_at) DO NOTHING)
  SELECT id FROM next ORDER BY id DESC LIMIT 1""")


def expand(
    work: Work, campaign: Campaign, moments: Mapping[tuple[str, str], tuple[datetime, datetime]], after: UUID, limit: int
) -> UUID | None:  # fmt: skip
    """Make an occurrence for the next people of the audience, by id after `after`; the last of them, None when there are no more.

    `moments` are (due, send before) by time zone and the unit's.
    """
    values = {
        "campaign": campaign.id, "step": campaign.steps[0].id, "zones": [own for own, _ in moments], "after": after, "limit": limit,
        "of_units": [of_unit for _, of_unit in moments], "dues": [due for due, _ in moments.values()], "befores": [before for _, before in moments.values()],
    }  # fmt: skip
    last: UUID | None = work.value(_EXPAND, **values, **campaign.audience.values())
    return last


# --- recurring campaigns and programmes -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewRound:
    """A text that comes again, for one client; `on` is the day of the plan, `moved` what took it to another.

    `nth`: which text of a programme's step it is.
    """

    unit_id: UUID
    step_id: UUID
    client_id: UUID
    on: date
    due_at: datetime
    send_before: datetime
    moved: str | None
    skipped: str | None
    nth: int | None


_MAKE_ROOM = text("""
  DELETE FROM occurrences o USING unnest(CAST(:clients AS uuid[]), CAST(:steps AS uuid[]), CAST(:rounds AS date[]),
    CAST(:dues AS timestamptz[])) k(client, step, round, due)
  WHERE o.client_id = k.client AND o.step_id = k.step AND (o.round = k.round OR o.due_at = k.due) AND o.state || '' = 'cancelled'""")


def add_rounds(work: Work, campaign_id: UUID, news: Sequence[NewRound]) -> int:
    """Keep rounds, each once whatever its moment has become since; the number made. A cancelled one waits again, under a new id."""
    if not news:
        return 0
    work.execute(_MAKE_ROOM, {
        "clients": [new.client_id for new in news], "steps": [new.step_id for new in news],
        "rounds": [new.on for new in news], "dues": [new.due_at for new in news],
    })  # fmt: skip
    rows = [{
        "id": uuid4(), "unit_id": new.unit_id, "campaign_id": campaign_id, "step_id": new.step_id, "client_id": new.client_id,
        "round": new.on, "due_at": new.due_at, "send_before": new.send_before, "state": "skipped" if new.skipped else "waiting",
        "reason": new.skipped or new.moved, "nth": new.nth,
    } for new in news]  # fmt: skip
    return work.insert("occurrences", rows, "ON CONFLICT DO NOTHING")


# --- reminders ------------------------------------------------------------------------------------------------------

_APPOINTMENT = """
  SELECT a.id, a.client_id, a.unit_id, a.starts_at, a.status, a.revision, a.planned_revision, a.updated_at,
    coalesce(c.time_zone, u.time_zone) AS zone, u.time_zone AS unit_zone
  FROM appointments a JOIN clients c ON c.id = a.client_id JOIN units u ON u.id = a.unit_id"""
_CHANGED = text(f"""{_APPOINTMENT} WHERE a.planned_revision < a.revision
  ORDER BY a.updated_at LIMIT :limit FOR NO KEY UPDATE OF a SKIP LOCKED""")
_BOOKED_AFTER = text(f"""{_APPOINTMENT}
  WHERE a.status = 'booked' AND a.starts_at >= :at AND (a.starts_at, a.id) > (:at, :id)
  ORDER BY a.starts_at, a.id LIMIT :limit""")
_OTHERS = text(f"""{_APPOINTMENT}
  WHERE a.client_id = ANY(:clients) AND a.id <> ALL(:ids) AND a.status = 'booked' AND a.starts_at > :now""")
_LOCK_KEYS = text("SELECT id FROM clients WHERE id = ANY(:ids) ORDER BY id FOR KEY SHARE SKIP LOCKED")


def changed_appointments(work: Work, limit: int) -> Sequence[Any]:
    """Appointments booked or moved since reminders were planned for them; held. Those held elsewhere, or their clients, are left."""
    rows = work.all(_CHANGED, limit=limit)
    ids = {row.client_id for row in rows}
    clients = set(work.execute(_LOCK_KEYS, {"ids": list(ids)}).scalars()) if ids else set()
    return [row for row in rows if row.client_id in clients]


def booked_after(work: Work, at: datetime, appointment_id: UUID, limit: int) -> Sequence[Any]:
    """Booked appointments in the order of their beginning, after this one. What moves meanwhile is planned again as changed."""
    return work.all(_BOOKED_AFTER, at=at, id=appointment_id, limit=limit)


def others_booked(work: Work, client_ids: Sequence[UUID], ids: Sequence[UUID]) -> Sequence[Any]:
    """Other booked appointments of these clients."""
    return work.all(_OTHERS, clients=list(client_ids), ids=list(ids), now=work.now)


_COVERED = text(f"SELECT c.id FROM clients c WHERE c.id = ANY(:ids) AND {COVERED}")


def covered(work: Work, audience: Audience, client_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the clients who are in the audience."""
    return set(work.execute(_COVERED, {"ids": list(client_ids)} | audience.values()).scalars())


@dataclass(frozen=True, slots=True)
class New:
    """A step of an appointment's reminders; `skipped` says why it is only listed."""

    unit_id: UUID
    campaign_id: UUID
    step_id: UUID
    client_id: UUID
    appointment_id: UUID
    due_at: datetime
    send_before: datetime
    skipped: str | None

    @property
    def key(self) -> tuple[UUID, UUID, datetime]:
        """What makes it the same occurrence."""
        return self.step_id, self.client_id, self.due_at


# What was cancelled, or still waits, becomes what the new plan says, under a new id, from which its text gets a new one too;
# what was planned or skipped stays as it is.
_ON_CONFLICT = """ON CONFLICT (step_id, client_id, due_at) DO UPDATE SET id = EXCLUDED.id, unit_id = EXCLUDED.unit_id,
  appointment_id = EXCLUDED.appointment_id, send_before = EXCLUDED.send_before, state = EXCLUDED.state, reason = EXCLUDED.reason
  WHERE occurrences.state = 'cancelled' OR (occurrences.state = 'waiting' AND
    (occurrences.appointment_id, occurrences.send_before, occurrences.state)
    IS DISTINCT FROM (EXCLUDED.appointment_id, EXCLUDED.send_before, EXCLUDED.state))"""


def add(work: Work, news: Sequence[New]) -> int:
    """Keep planned steps, each once; the number made or changed. A cancelled one that is planned again waits again."""
    once = {new.key: new for new in sorted(news, key=lambda new: new.skipped is None)}
    rows = [{
        "id": uuid4(), "unit_id": new.unit_id, "campaign_id": new.campaign_id, "step_id": new.step_id,
        "client_id": new.client_id, "appointment_id": new.appointment_id, "due_at": new.due_at, "send_before": new.send_before,
        "state": "skipped" if new.skipped else "waiting", "reason": new.skipped,
    } for new in once.values()]  # fmt: skip
    return work.insert("occurrences", rows, _ON_CONFLICT)


_CANCEL_OTHERS = text("""
  UPDATE occurrences o SET state = 'cancelled', reason = :reason
  WHERE o.appointment_id = ANY(:ids) AND o.state = 'waiting' AND NOT EXISTS (
    SELECT FROM unnest(CAST(:steps AS uuid[]), CAST(:clients AS uuid[]), CAST(:dues AS timestamptz[])) k(step, client, due)
    WHERE k.step = o.step_id AND k.client = o.client_id AND k.due = o.due_at)""")


def cancel_others(work: Work, appointment_ids: Sequence[UUID], keep: Sequence[New], reason: str) -> int:
    """Cancel what waits for these appointments and is not in the new plan. The number cancelled."""
    values = {
        "ids": list(appointment_ids), "reason": reason, "steps": [new.step_id for new in keep],
        "clients": [new.client_id for new in keep], "dues": [new.due_at for new in keep],
    }  # fmt: skip
    return int(work.execute(_CANCEL_OTHERS, values).rowcount)


_CANCEL_TEXTS = text("""
  WITH chosen AS (SELECT o.id, o.occurrence_id FROM appointments a JOIN outbound o ON o.client_id = a.client_id AND o.about_id = a.id
    WHERE a.id = ANY(:ids) AND o.campaign_id IS NOT NULL AND o.state || '' = 'planned' FOR UPDATE OF o SKIP LOCKED),
  undone AS (UPDATE occurrences u SET state = 'cancelled', reason = :reason FROM chosen WHERE u.id = chosen.occurrence_id)
  UPDATE outbound o SET state = 'cancelled', reason = :reason, state_at = :now FROM chosen WHERE o.id = chosen.id""")


def cancel_texts(work: Work, appointment_ids: Sequence[UUID], reason: str) -> int:
    """Cancel reminders that are written but not sent, about appointments that moved. The number cancelled.

    Their occurrences too: should the appointment move back, they are planned anew.
    """
    return int(work.execute(_CANCEL_TEXTS, {"ids": list(appointment_ids), "reason": reason, "now": work.now}).rowcount)


_PLANNED = text("UPDATE appointments SET planned_revision = revision WHERE id = ANY(:ids)")


def mark_planned(work: Work, appointment_ids: Sequence[UUID]) -> None:
    """Reminders are planned for these locked appointments as they are now."""
    work.execute(_PLANNED, {"ids": list(appointment_ids)})


# --- what is due ----------------------------------------------------------------------------------------------------

# Campaign by campaign, so that one with a long queue (or a paused one) keeps nobody else's waiting.
# Ids go as text, which Python reads and compares several times faster.
_LOCK_DUE = text("""
  SELECT CAST(o.id AS text) AS id, CAST(c.id AS text) AS campaign_id, CAST(o.client_id AS text) AS client_id
  FROM unnest(CAST(:campaigns AS uuid[])) c(id), LATERAL (
    SELECT id, client_id FROM occurrences
    WHERE campaign_id = c.id AND state = 'waiting' AND due_at <= :now ORDER BY due_at LIMIT :each FOR UPDATE SKIP LOCKED) o""")
_HOLD_CAMPAIGNS = text("""
  SELECT CAST(id AS text) FROM campaigns WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'running' FOR SHARE SKIP LOCKED""")
_HOLD_CLIENTS = text("""
  SELECT CAST(id AS text) FROM clients WHERE id = ANY(CAST(:ids AS uuid[])) FOR NO KEY UPDATE SKIP LOCKED""")


def lock_due(work: Work, campaign_ids: Iterable[UUID], each: int) -> dict[UUID, list[str]]:
    """The `each` oldest due occurrences of each campaign, held with their campaign and client. Those held elsewhere are left.

    Whoever stops, closes or moves something takes the client's row first: what committed before is seen by `facts`, what
    comes later waits for us, and then cancels what we planned.
    """
    rows = work.all(_LOCK_DUE, now=work.now, campaigns=list(campaign_ids), each=each)
    if not rows:
        return {}
    running = _hold(work, _HOLD_CAMPAIGNS, {row.campaign_id for row in rows})
    clients = _hold(work, _HOLD_CLIENTS, {row.client_id for row in rows})
    due: dict[UUID, list[str]] = {}
    for row in rows:
        if row.campaign_id in running and row.client_id in clients:
            due.setdefault(UUID(row.campaign_id), []).append(row.id)
    return due


def _hold(work: Work, sql: TextClause, ids: set[str]) -> set[str]:
    return set(work.execute(sql, {"ids": _array(ids)}).scalars())


def _array(ids: Iterable[str]) -> str:
    """Ids as PostgreSQL writes an array of them."""
    return "{" + ",".join(ids) + "}"


_AHEAD = text("""
  SELECT o.due_at, o.state, o.reason, c.name, c.state AS campaign_state, s.purpose, a.starts_at
  FROM occurrences o JOIN campaigns c ON c.id = o.campaign_id JOIN campaign_steps s ON s.id = o.step_id
    LEFT JOIN appointments a ON a.id = o.appointment_id
  WHERE o.client_id = :client AND (o.state = 'waiting' OR (o.state = 'skipped' AND o.due_at > :now)) ORDER BY o.due_at LIMIT :most""")


def ahead(work: Work, client_id: UUID, most: int = 20) -> Sequence[Any]:
    """What is planned for a client, and what will be left out, with its reason."""
    return work.all(_AHEAD, client=client_id, now=work.now, most=most)


PERSON = f"""c.id AS client_id, c.code, CAST(c.unit_id AS text) AS unit, c.key_id, k.wrapped,
  CASE WHEN c.discreet = 0 THEN c.name_enc END AS name_enc, c.language, c.discreet, c.status, c.time_zone,
  c.tones, c.opens, c.closes, c.texts_a_day, c.texts_a_week, p.id AS phone_id, p.phone_enc, p.phone_hash, p.to_verify, s.reason AS stopped,
  coalesce(co.granted, false) AS consented, {COVERED} AS covered"""
_ABOUT = """LEFT JOIN keys k ON k.id = c.key_id
    LEFT JOIN phones p ON p.client_id = c.id AND p.rank = 0
    LEFT JOIN stops s ON s.phone_hash = p.phone_hash
    LEFT JOIN consents co ON co.client_id = c.id AND co.purpose = :consent_purpose"""
# A statement of its own, after the locks are held: its snapshot sees what the last holder of each row committed.
_FACTS = text(f"""
  SELECT o.id, CAST(o.step_id AS text) AS step, o.send_before, o.reason, o.appointment_id, a.starts_at, a.status AS appointment_status,
    coalesce(a.planned_revision < a.revision, false) AS moved, {PERSON}
  FROM unnest(CAST(:ids AS uuid[])) due(id) JOIN occurrences o ON o.id = due.id JOIN clients c ON c.id = o.client_id {_ABOUT}
    LEFT JOIN appointments a ON a.id = o.appointment_id""")
# The same for PostgreSQL to begin with: a commune's people are found by their unit, and not by going through the province's.
_OF_FEW_UNITS = "c.unit_id = ANY(ARRAY(SELECT unit_id FROM unit_tree WHERE ancestor_id = ANY(CAST(:units AS uuid[]))))"
FEW = 20_000
"""People who are found by their units and put in order; more are gone through in their order."""
RARE = 4
"""And those of an audience in which there are, of more people, not so many times as many as are looked for."""
_EVERYONE = f"""
  SELECT c.id, NULL AS starts_at, c.groups, {PERSON}
  FROM (SELECT * FROM clients c WHERE c.id > :after AND %s ORDER BY c.id LIMIT :limit) c {_ABOUT} ORDER BY c.id"""
_ALL, _FEW = text(_EVERYONE % OF_UNITS), text(_EVERYONE % _OF_FEW_UNITS)
_EXPECTED = text(f"""
  SELECT a.id, a.starts_at, c.groups, {PERSON} FROM appointments a JOIN clients c ON c.id = a.client_id {_ABOUT}
  WHERE a.id > :after AND a.status = 'booked' AND a.starts_at > :now
    AND c.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = ANY(CAST(:units AS uuid[])))
  ORDER BY a.id LIMIT :limit""")


@dataclass(frozen=True, slots=True)
class Size:
    """How many people the units of a campaign have, and how many of them are in its audience."""

    people: int
    audience: int


def facts(work: Work, ids: Sequence[str], campaign: Campaign) -> Sequence[Any]:
    """All that deciding about occurrences of one campaign, and writing their texts, needs. Ids to look up are text here too."""
    return work.all(_FACTS, ids=_array(ids), consent_purpose=campaign.consent_purpose, **campaign.audience.values())


def people(work: Work, campaign: Campaign, after: UUID, limit: int, few: bool = False) -> Sequence[Any]:
    """Who would be texted now, by id after `after`: clients of the audience's units, or their booked appointments. `few`: at most FEW of them."""
    values = campaign.audience.values() | {"consent_purpose": campaign.consent_purpose, "after": after, "limit": limit}
    return work.all(_EXPECTED, now=work.now, **values) if campaign.kind == "reminders" else work.all(_FEW if few else _ALL, **values)


_NOW = """(NOT :expected OR EXISTS (
    SELECT FROM appointments a WHERE a.client_id = c.id AND a.status = 'booked' AND a.starts_at > :now))"""
_KINDS = f"""
  SELECT {COVERED} AS covered, c.status, p.id IS NOT NULL AS has_phone, p.to_verify IS NOT NULL AS to_verify, s.reason AS stopped,
    coalesce(co.granted, false) AS consented, count(*) AS people
  FROM %s c %s GROUP BY 1, 2, 3, 4, 5, 6"""
_GROUPED = text(_KINDS % (f"(SELECT * FROM clients c WHERE {OF_UNITS} AND {_NOW})", _ABOUT))
# For each by itself: PostgreSQL would read all phones and consents of a province for a thousand people.
_ABOUT_SOME = """LEFT JOIN LATERAL (SELECT * FROM phones WHERE client_id = c.id AND rank = 0 OFFSET 0) p ON true
    LEFT JOIN stops s ON s.phone_hash = p.phone_hash
    LEFT JOIN LATERAL (SELECT * FROM consents WHERE client_id = c.id AND purpose = :consent_purpose OFFSET 0) co ON true"""
# Ids are random, so that the first of them are as good as drawn.
_SOME, _SOME_OF_FEW = (
    text(_KINDS % (f"(SELECT * FROM clients c WHERE {units} AND {ON_LISTS} AND {_NOW} ORDER BY c.id LIMIT :most)", _ABOUT_SOME))
    for units in (OF_UNITS, _OF_FEW_UNITS)
)
_EXPECTED_OF_AUDIENCE = text(f"SELECT count(*) FROM clients c WHERE {COVERED} AND {_NOW}")
_SIZE = text(f"SELECT count(*) AS people, count(*) FILTER (WHERE {ON_LISTS}) AS audience FROM clients c WHERE {_OF_FEW_UNITS}")
_HOW_MANY = text(f"SELECT count(*) FROM clients c WHERE {OF_UNITS}")
_HOW_MANY_EXPECTED = text(f"""
  SELECT count(*) FROM appointments a JOIN clients c ON c.id = a.client_id WHERE a.status = 'booked' AND a.starts_at > :now AND {OF_UNITS}""")


def grouped(work: Work, campaign: Campaign) -> Sequence[Any]:
    """How many people there are of each kind that is told apart when texts are planned."""
    return work.all(_GROUPED, consent_purpose=campaign.consent_purpose, **_whom(work, campaign))


def drawn(work: Work, campaign: Campaign, most: int, size: Size) -> Sequence[Any]:
    """The same of at most so many of the audience, drawn at random."""
    few = size.people <= FEW or size.audience < RARE * most
    return work.all(_SOME_OF_FEW if few else _SOME, most=most, consent_purpose=campaign.consent_purpose, **_whom(work, campaign))


def size(work: Work, campaign: Campaign) -> Size:
    """How many people its units and its audience have, whatever keeps texts from them; before appointments, those who have one."""
    if campaign.kind == "reminders":
        expected = int(work.value(_EXPECTED_OF_AUDIENCE, **_whom(work, campaign)))
        return Size(expected, expected)
    found = work.one(_SIZE, **campaign.audience.values())
    return Size(found.people, found.audience)


def _whom(work: Work, campaign: Campaign) -> dict[str, Any]:
    return campaign.audience.values() | {"now": work.now, "expected": campaign.kind == "reminders"}


def count_people(work: Work, campaign: Campaign) -> int:
    """How many rows `people` goes through."""
    sql = _HOW_MANY_EXPECTED if campaign.kind == "reminders" else _HOW_MANY
    values = {"now": work.now} if campaign.kind == "reminders" else {}
    return int(work.value(sql, units=list(campaign.audience.units), **values))


_PLANNED_NOW = text("UPDATE occurrences SET state = 'planned', reason = NULL WHERE id = ANY(CAST(:ids AS uuid[]))")
_SETTLE = text("""
  UPDATE occurrences o SET state = r.state, reason = r.reason
  FROM unnest(CAST(:ids AS uuid[]), CAST(:states AS text[]), CAST(:reasons AS text[])) r(id, state, reason) WHERE o.id = r.id""")


def settle(work: Work, settled: Sequence[tuple[UUID, str, str | None]]) -> None:
    """Write what became of held occurrences: planned or skipped, and why."""
    plain = [str(occurrence_id) for occurrence_id, state, reason in settled if state == "planned" and reason is None]
    others = [each for each in settled if each[1] != "planned" or each[2] is not None]
    if plain:
        work.execute(_PLANNED_NOW, {"ids": _array(plain)})
    if others:
        ids, states, reasons = zip(*others, strict=True)
        work.execute(_SETTLE, {"ids": list(ids), "states": list(states), "reasons": list(reasons)})


# Everything behind an earlier ping waits behind the newest, whose answer lets it go; the earlier ones need not be sent.
# (The state is hidden from the partial indexes: only the one on clients serves.)
_BEHIND = text("""
  UPDATE outbound o SET waits_for = r.ping FROM unnest(CAST(:clients AS uuid[]), CAST(:pings AS uuid[])) r(client, ping)
  WHERE o.client_id = r.client AND o.waits_for || '' <> r.ping || '' AND o.state || '' = 'planned'""")
_SPARE = text("""
  UPDATE outbound o SET state = 'cancelled', reason = 'a newer first text takes its place', state_at = :now
  FROM unnest(CAST(:clients AS uuid[]), CAST(:pings AS uuid[])) r(client, ping)
  WHERE o.client_id = r.client AND o.id <> r.ping AND o.purpose = 'message_waiting' AND o.state || '' = 'planned'""")


def gather_behind(work: Work, pings: Mapping[UUID, UUID]) -> None:
    """One "you have a message" for each client (client id -> ping id), for all that waits for them."""
    values = {"clients": list(pings), "pings": list(pings.values()), "now": work.now}
    work.execute(_BEHIND, values)
    work.execute(_SPARE, values)


# --- cancelling -----------------------------------------------------------------------------------------------------

_CANCEL_WAITING = text("""
  WITH chosen AS (SELECT id FROM occurrences WHERE campaign_id = :id AND state = 'waiting' LIMIT :limit FOR UPDATE SKIP LOCKED)
  UPDATE occurrences o SET state = 'cancelled', reason = 'campaign cancelled' FROM chosen WHERE o.id = chosen.id""")
_CANCEL_PLANNED = text("""
  WITH chosen AS (SELECT id FROM outbound WHERE campaign_id = :id AND state = 'planned' LIMIT :limit FOR UPDATE SKIP LOCKED)
  UPDATE outbound o SET state = 'cancelled', reason = 'campaign cancelled', state_at = :now FROM chosen WHERE o.id = chosen.id""")


def cancel_all(work: Work, campaign_id: UUID, limit: int) -> int:
    """Cancel what waits or is planned of a campaign, at most `limit` of each; the number cancelled.

    Rows locked elsewhere are left: whoever holds them looks at the campaign's state.
    """
    values = {"id": campaign_id, "limit": limit, "now": work.now}
    return sum(int(work.execute(sql, values).rowcount) for sql in (_CANCEL_WAITING, _CANCEL_PLANNED))
