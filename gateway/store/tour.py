"""The guided tour: who is on it, and what of it they have done, as the rows say that their own work left. Read by the system."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

_DONE = text("""
  WITH mine AS (SELECT id, approved_by FROM campaigns WHERE created_by = :me AND kind = 'reminders' AND state <> 'cancelled')
  SELECT
    EXISTS (SELECT FROM audit WHERE staff_id = :me AND action = 'client.import') AS register,
    EXISTS (SELECT FROM mine) AS campaign,
    EXISTS (SELECT FROM mine WHERE approved_by <> :me) AS approval,
    EXISTS (SELECT FROM outbound o JOIN mine m ON m.id = o.campaign_id
      JOIN outbound a ON a.client_id = o.client_id AND a.answered_at >= o.send_after) AS answer,
    EXISTS (SELECT FROM audit a JOIN flags f ON f.id::text = a.subject_id
      WHERE a.staff_id = :me AND a.action = 'flag.close' AND f.reason IN ('crisis', 'crisis_in_doubt')) AS flag,
    EXISTS (SELECT FROM audit s JOIN audit c ON c.staff_id = s.staff_id AND c.id > s.id AND s.detail -> 'found' ? c.subject_id
      WHERE s.staff_id = :me AND s.action = 'client.search' AND c.action = 'client.show') AS history""")


def done(work: Work, staff_id: UUID) -> dict[str, bool]:
    """Each step, and whether this person has done it."""
    row = work.one(_DONE, me=staff_id)
    assert row is not None
    return dict(row._asdict())


@dataclass(frozen=True, slots=True)
class Places:
    """Where their steps lead: their latest campaign of reminders, who hears from it first and when, and who may cry for help.

    That is somebody they brought in; once the import is forgotten, after a day of the practice clock, who answered them or hears from them.

    Whoever is paused, stopped or to be verified has an appointment like the rest, and their phone would stay silent; the most discreet
    are first told that a text waits, and what comes from a phone shared with another unit is for whoever is above both.
    """

    campaign_id: UUID | None
    reminded_id: UUID | None
    reminded_at: datetime | None
    crying_id: UUID | None


_PLACES = text("""
  WITH mine AS (SELECT id FROM campaigns WHERE created_by = :me AND kind = 'reminders' AND state <> 'cancelled' ORDER BY created_at DESC LIMIT 1)
  SELECT m.id AS campaign_id, first.client_id AS reminded_id, first.due_at AS reminded_at,
    coalesce((SELECT c.id FROM imports i JOIN import_rows r ON r.import_id = i.id JOIN clients c ON c.id = r.client_id
      WHERE i.staff_id = :me AND i.state = 'done' AND c.status = 'active' AND EXISTS (SELECT FROM phones WHERE client_id = c.id)
      ORDER BY i.made_at DESC, c.code LIMIT 1),
      (SELECT client_id FROM outbound WHERE campaign_id = m.id AND answered_at IS NOT NULL ORDER BY answered_at DESC LIMIT 1),
      first.client_id) AS crying_id
  FROM (SELECT) one LEFT JOIN mine m ON true LEFT JOIN LATERAL (
    SELECT o.client_id, o.due_at FROM occurrences o JOIN clients c ON c.id = o.client_id AND c.status = 'active' AND c.discreet < 2
      JOIN phones p ON p.client_id = c.id AND p.rank = 0 AND p.to_verify IS NULL
      JOIN consents a ON a.client_id = c.id AND a.purpose = 'reminder' AND a.granted AND NOT EXISTS (SELECT FROM phones q WHERE q.phone_hash = p.phone_hash AND q.client_id <> c.id)
      WHERE o.campaign_id = m.id AND o.state IN ('waiting', 'planned') AND NOT EXISTS (SELECT FROM stops s WHERE s.phone_hash = p.phone_hash)
      ORDER BY o.due_at, o.id LIMIT 1) first ON true""")


def places(work: Work, staff_id: UUID) -> Places:
    """Where the steps of this person lead."""
    row = work.one(_PLACES, me=staff_id)
    assert row is not None
    return Places(**row._asdict())


_SECOND = text("""
  SELECT s.code FROM staff s JOIN staff_units u ON u.staff_id = s.id AND u.unit_id = :unit
  WHERE s.active AND s.id <> :me AND s.role IN ('supervisor', 'administrator') ORDER BY s.role DESC, s.code LIMIT 5""")


def second_persons(work: Work, staff_id: UUID, unit_id: UUID) -> list[str]:
    """Codes of those who may approve what this person made, those without a second factor first."""
    return [row.code for row in work.all(_SECOND, me=staff_id, unit=unit_id)]


def follow(work: Work, staff_id: UUID, on_tour: bool) -> None:
    """Show this person on every page how far they are, or no longer."""
    work.execute(text("UPDATE staff SET on_tour = :on WHERE id = :id"), {"id": staff_id, "on": on_tour})
