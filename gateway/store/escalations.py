"""Who is on call, and the steps by which people hear of an urgent flag."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain import escalation
from gateway.domain.escalation import Candidate, Step
from gateway.store.base import Work

# --- on call --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the on-call list of a unit."""

    unit_code: str
    position: int
    staff_code: str | None  # None: of a unit that the actor does not see
    hours: str
    has_phone: bool


_LISTED = text("""
  SELECT u.code AS unit_code, o.position, s.code AS staff_code, o.hours, coalesce(s.phone_enc IS NOT NULL AND s.active, false) AS has_phone
  FROM on_call o JOIN units u ON u.id = o.unit_id LEFT JOIN staff s ON s.id = o.staff_id
  WHERE CAST(:unit AS uuid) IS NULL OR o.unit_id = :unit ORDER BY u.code, o.position""")


def places(work: Work, unit_id: UUID | None = None) -> list[Place]:
    """The on-call lists of the units (or the one) that the actor sees."""
    return [Place(**row._asdict()) for row in work.all(_LISTED, unit=unit_id)]


def set_places(work: Work, unit_id: UUID, people: Sequence[tuple[UUID, str]]) -> None:
    """Make these (staff member, hours) the unit's list, in this order; none: it has no list of its own."""
    work.execute(text("DELETE FROM on_call WHERE unit_id = :unit"), {"unit": unit_id})
    work.insert("on_call", [
        {"unit_id": unit_id, "position": at, "staff_id": staff_id, "hours": hours} for at, (staff_id, hours) in enumerate(people, 1)
    ])  # fmt: skip


# An analyst opens no flag: one who stands in a list still, from an earlier role, would take it from those who do.
_CAN_BE_TEXTED = "s.active AND s.role <> 'analyst' AND s.phone_enc IS NOT NULL"
_NEAR = """
  SELECT t.unit_id, s.id AS staff_id, t.distance, s.role, CAST(NULL AS smallint) AS position, '24/7' AS hours, u.time_zone AS zone, s.on_duty
  FROM unit_tree t JOIN staff s ON s.unit_id = t.ancestor_id JOIN units u ON u.id = t.ancestor_id
  WHERE {which} AND {can} AND (s.on_duty OR s.role IN ('supervisor', 'administrator'))
  UNION ALL
  SELECT t.unit_id, s.id, t.distance, s.role, o.position, o.hours, u.time_zone, s.on_duty
  FROM unit_tree t JOIN on_call o ON o.unit_id = t.ancestor_id JOIN staff s ON s.id = o.staff_id JOIN units u ON u.id = t.ancestor_id
  WHERE {which} AND {can}
  ORDER BY distance, position, staff_id"""
_CANDIDATES = text(_NEAR.format(which="t.unit_id = :unit", can=_CAN_BE_TEXTED))
_ALL_CANDIDATES = text(_NEAR.format(which="true", can=_CAN_BE_TEXTED))


def candidates(work: Work, unit_id: UUID) -> list[Candidate]:
    """Everybody who may have to hear of a flag of the unit: on call, on duty or leading there or above. Runs as the system."""
    return [_candidate(row) for row in work.all(_CANDIDATES, unit=unit_id)]


def all_candidates(work: Work) -> dict[UUID, list[Candidate]]:
    """The same for every unit that has any."""
    found = defaultdict(list)
    for row in work.all(_ALL_CANDIDATES):
        found[row.unit_id].append(_candidate(row))
    return dict(found)


def _candidate(row: Any) -> Candidate:
    return Candidate(row.staff_id, row.distance, row.role, row.position, row.hours, row.zone, row.on_duty)


_PLACES_NOW = text(f"""
  SELECT o.unit_id, o.hours, u.time_zone FROM on_call o JOIN staff s ON s.id = o.staff_id JOIN units u ON u.id = o.unit_id
  WHERE {_CAN_BE_TEXTED}""")
_UNCOVERED = text(f"""
  SELECT u.code FROM units u WHERE u.id NOT IN (
    SELECT t.unit_id FROM unit_tree t WHERE t.ancestor_id = ANY(:listed) OR t.ancestor_id IN (
      SELECT s.unit_id FROM staff s WHERE {_CAN_BE_TEXTED} AND (s.on_duty OR s.role IN ('supervisor', 'administrator'))))
  ORDER BY u.code""")


def uncovered(work: Work, at: datetime) -> list[str]:
    """Codes of units of which an urgent flag, raised at that moment, would be texted to nobody."""
    listed = {row.unit_id for row in work.all(_PLACES_NOW) if escalation.is_on(row.hours, row.time_zone, at)}
    return [row.code for row in work.all(_UNCOVERED, listed=list(listed))]


# --- steps ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Due:
    """A step whose time has come, of a flag that nobody has taken."""

    id: UUID
    flag_id: UUID
    number: int
    unit_id: UUID
    round: int
    way: str
    staff_id: UUID | None
    inbound_id: UUID | None = None  # what raised the flag


def put(work: Work, flag_id: UUID, round: int, steps: Sequence[Step]) -> list[UUID]:
    """Keep the steps of a round with the other writes of the transaction; their ids, in order."""
    ids = []
    for position, step in enumerate(steps, 1):
        ids.append(uuid4())
        work.put("alert_steps", {"id": ids[-1], "flag_id": flag_id, "round": round, "position": position, "way": step.way,
                                 "staff_id": step.staff_id, "due_at": step.due_at})  # fmt: skip
    return ids


_DONE = text("UPDATE alert_steps SET done_at = :now, result = :result, outbound_id = :outbound WHERE id = :id")


def done(work: Work, step_id: UUID, result: str, outbound_id: UUID | None = None) -> None:
    """The step was taken, and this came of it."""
    work.later(_DONE, id=step_id, result=result, outbound=outbound_id, now=work.now)


def put_off(work: Work, step_id: UUID, until: datetime) -> None:
    """The step could not be taken, and is to be tried again then."""
    work.execute(text("UPDATE alert_steps SET due_at = :until WHERE id = :id"), {"id": step_id, "until": until})


_TAKEN = text("""
  UPDATE alert_steps a SET done_at = :now, result = 'somebody took it' FROM flags f
  WHERE f.id = a.flag_id AND a.done_at IS NULL AND a.due_at <= :now AND f.state <> 'open'""")
_DUE = text("""
  SELECT a.id, a.flag_id, f.number, f.unit_id, a.round, a.way, a.staff_id, f.inbound_id FROM alert_steps a JOIN flags f ON f.id = a.flag_id
  WHERE a.done_at IS NULL AND a.due_at <= :now AND a.way <> 'second' AND f.state = 'open'
  ORDER BY a.due_at, a.position LIMIT 100 FOR UPDATE OF a SKIP LOCKED""")


def due(work: Work) -> list[Due]:
    """Texts and rounds whose time has come, locked. What is due of flags that somebody took is closed."""
    work.execute(_TAKEN, {"now": work.now})
    return [Due(**row._asdict()) for row in work.all(_DUE, now=work.now)]


_SUPERSEDE = text("UPDATE alert_steps SET done_at = :now, result = 'the next round began' WHERE flag_id = :flag AND round < :round AND done_at IS NULL")


def supersede(work: Work, flag_id: UUID, round: int) -> None:
    """What earlier rounds had not got done is the new one's to do."""
    work.execute(_SUPERSEDE, {"flag": flag_id, "round": round, "now": work.now})


def last_round(work: Work, flag_id: UUID) -> int:
    """The latest round of a flag."""
    return int(work.value(text("SELECT coalesce(max(round), 0) FROM alert_steps WHERE flag_id = :flag"), flag=flag_id))


# Sooner than planned where a text of the round failed, or no carrier has taken it in half a minute.
_SECOND = text("""
  UPDATE alert_steps a SET taken_until = :until FROM flags f
  WHERE f.id = a.flag_id AND f.state = 'open' AND a.id IN (
    SELECT s.id FROM alert_steps s WHERE s.done_at IS NULL AND s.way = 'second' AND (s.taken_until IS NULL OR s.taken_until <= :now)
      AND (s.due_at <= :now OR EXISTS (
        SELECT FROM alert_steps t LEFT JOIN outbound o ON o.id = t.outbound_id
        WHERE t.flag_id = s.flag_id AND t.round = s.round AND t.way = 'text' AND t.done_at IS NOT NULL
          AND (o.id IS NULL OR o.state IN ('failed', 'expired', 'suppressed', 'cancelled')
            OR (o.state IN ('planned', 'submitting', 'unknown') AND o.created_at <= :waited))))
    ORDER BY s.due_at LIMIT 20 FOR UPDATE SKIP LOCKED)
  RETURNING a.id, a.flag_id, f.number, f.unit_id, a.round, a.way, a.staff_id, f.inbound_id""")


def take_second(work: Work, patience: timedelta, hold: timedelta) -> list[Due]:
    """Steps by the second way whose time has come, taken for `hold`: whoever dies with them leaves them to the next."""
    return [Due(**row._asdict()) for row in work.all(_SECOND, now=work.now, waited=work.now - patience, until=work.now + hold)]


_STUCK = text("""
  SELECT t.id, t.staff_id, o.channel_id FROM alert_steps t JOIN outbound o ON o.id = t.outbound_id
  WHERE t.flag_id = :flag AND t.round = :round AND t.way = 'text' AND o.state NOT IN ('accepted', 'sent', 'delivered')""")


def stuck(work: Work, flag_id: UUID, round: int) -> Sequence[Any]:
    """Texts of a round that no carrier has taken: rows of id, staff_id, channel_id."""
    return work.all(_STUCK, flag=flag_id, round=round)


_UNHEARD = text("""
  SELECT f.id FROM unnest(CAST(:flags AS uuid[])) f(id) WHERE NOT EXISTS (
    SELECT FROM alert_steps t JOIN outbound o ON o.id = t.outbound_id WHERE t.flag_id = f.id AND o.state IN ('accepted', 'sent', 'delivered'))""")


def unheard(work: Work, flag_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the flags about which no carrier has taken an alert. As the system: whoever is alerted may be of a unit above."""
    return {row.id for row in work.all(_UNHEARD, flags=list(flag_ids))} if flag_ids else set()


# One that works first: not paused, not refused there, not known to work badly, and none that lets this flag's alerts lie.
_CHANNEL = text("""
  SELECT c.id FROM channels c WHERE c.state <> 'disabled' AND c.texts AND :phone LIKE c.prefix || '%' AND c.id IS DISTINCT FROM CAST(:beside AS uuid)
  ORDER BY c.state = 'paused' AND coalesce(c.paused_until > :now, true), EXISTS (SELECT FROM unnest(c.off) country WHERE :phone LIKE country || '%'),
    EXISTS (SELECT FROM alert_steps t JOIN outbound o ON o.id = t.outbound_id WHERE t.flag_id = :flag AND o.channel_id = c.id
      AND (o.state = 'failed' OR (o.state IN ('planned', 'submitting', 'unknown') AND o.created_at <= :waited))),
    c.weight < 100, length(c.prefix) DESC, c.name LIMIT 1""")


def channel(work: Work, e164: str, flag_id: UUID, patience: timedelta, beside: UUID | None = None) -> UUID | None:
    """The channel for an alert to this phone, another than `beside`. None when none reaches it."""
    found: UUID | None = work.value(_CHANNEL, phone=e164, flag=flag_id, now=work.now, waited=work.now - patience, beside=beside)
    return found


_OPEN_FLAG = text("SELECT id FROM flags WHERE inbound_id = :inbound AND severity = 'urgent' ORDER BY reason <> 'crisis', number LIMIT 1")
_STEPS = text("SELECT id, round, way, staff_id, done_at, outbound_id FROM alert_steps WHERE flag_id = :flag ORDER BY round, position")


def flag_about(work: Work, inbound_id: UUID) -> UUID | None:
    """The urgent flag that a text raised, a cry for help first."""
    found: UUID | None = work.value(_OPEN_FLAG, inbound=inbound_id)
    return found


def steps_of(work: Work, flag_id: UUID) -> Sequence[Any]:
    """All steps about a flag in their order, done or not: rows of id, round, way, staff_id, done_at, outbound_id."""
    return work.all(_STEPS, flag=flag_id)


_OF = text("""
  SELECT a.round, a.way, a.staff_id, a.due_at, a.done_at, a.result, o.state FROM alert_steps a LEFT JOIN outbound o ON o.id = a.outbound_id
  WHERE a.flag_id = :flag ORDER BY a.round, a.position""")


def of(work: Work, flag_id: UUID) -> Sequence[Any]:
    """Who heard of a flag, or will, and when."""
    return work.all(_OF, flag=flag_id)
