"""Who is in a programme, since when, and up to when their texts are planned; and the days of clients that steps count from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store.base import Work
from gateway.store.campaigns import COVERED, Campaign

# Why people are, or no longer are, in a programme; events end it under their own names.
IN_IT, ALL_DONE, BY_STAFF, CLOSED = N_("in the programme"), N_("all steps are done"), N_("ended by staff"), N_("client closed")

_SAY_DATE = text("""
  INSERT INTO client_dates (client_id, unit_id, name, on_date) SELECT id, unit_id, :name, :day FROM clients WHERE id = :client
  ON CONFLICT (client_id, name) DO UPDATE SET on_date = EXCLUDED.on_date""")
_FORGET_DATE = text("DELETE FROM client_dates WHERE client_id = :client AND name = :name")
_DATES = text("SELECT name, on_date FROM client_dates WHERE client_id = :client ORDER BY on_date, name")


def set_date(work: Work, client_id: UUID, name: str, day: date | None) -> None:
    """Keep a day of a client under its name, such as discharge; None forgets it."""
    if day is None:
        work.execute(_FORGET_DATE, {"client": client_id, "name": name})
    else:
        work.execute(_SAY_DATE, {"client": client_id, "name": name, "day": day})


def dates(work: Work, client_id: UUID) -> list[tuple[str, date]]:
    """The client's days by name, in their order."""
    return [(row.name, row.on_date) for row in work.all(_DATES, client=client_id)]


_DATES_OF = text("SELECT client_id, on_date FROM client_dates WHERE name = :name")


def dates_of(work: Work, name: str) -> dict[UUID, date]:
    """Everyone's day of this name."""
    return {row.client_id: row.on_date for row in work.all(_DATES_OF, name=name)}


# --- coming and going -----------------------------------------------------------------------------------------------

_PERSON = "c.id, c.unit_id, CAST(c.unit_id AS text) AS unit, c.time_zone, c.opens, c.closes, c.groups"
# People of the audience who are not in the programme, and never were.
_NEW = text(f"""
  SELECT {_PERSON}, d.on_date FROM clients c LEFT JOIN client_dates d ON d.client_id = c.id AND d.name = :since
  WHERE c.status <> 'closed' AND {COVERED} AND (d.on_date IS NOT NULL OR CAST(:since AS text) = 'enrolment')
    AND NOT EXISTS (SELECT FROM enrolments e WHERE e.campaign_id = :campaign AND e.client_id = c.id)
  ORDER BY c.id LIMIT :limit""")


def newcomers(work: Work, campaign: Campaign, limit: int) -> Sequence[Any]:
    """People of the audience who should be in the programme from now on; `on_date` is their day 0 where they have a date for it."""
    return work.all(_NEW, campaign=campaign.id, since=campaign.spec.since, limit=limit, **campaign.audience.values())


_PEOPLE = text(f"""
  SELECT {_PERSON}, d.on_date FROM clients c LEFT JOIN client_dates d ON d.client_id = c.id AND d.name = :since
  WHERE c.id = ANY(:ids) AND c.status <> 'closed' AND {COVERED}""")


def people(work: Work, campaign: Campaign, client_ids: Sequence[UUID]) -> Sequence[Any]:
    """Those of the clients who are in a programme's audience, as `newcomers` gives them."""
    return work.all(_PEOPLE, since=campaign.spec.since, ids=list(client_ids), **campaign.audience.values())


_AGAIN = """ON CONFLICT (campaign_id, client_id) DO UPDATE SET day_zero = EXCLUDED.day_zero, enrolled_at = EXCLUDED.enrolled_at,
  planned_to = NULL, look_at = EXCLUDED.look_at, ended_at = NULL, end_reason = NULL WHERE enrolments.ended_at IS NOT NULL"""


def enrol(work: Work, campaign_id: UUID, people: Mapping[UUID, tuple[UUID, date]]) -> int:
    """Take people (client -> unit, day 0) into a programme; those who left it begin anew. How many came in."""
    rows = [{"campaign_id": campaign_id, "client_id": client_id, "unit_id": unit_id, "day_zero": day, "enrolled_at": work.now,
             "look_at": work.now} for client_id, (unit_id, day) in people.items()]  # fmt: skip
    return work.insert("enrolments", rows, _AGAIN)


_LEAVE = text("""
  UPDATE enrolments SET ended_at = :now, end_reason = :reason
  WHERE campaign_id = :campaign AND client_id = ANY(:clients) AND ended_at IS NULL""")
_CANCEL_STEPS = text("""
  UPDATE occurrences SET state = 'cancelled', reason = :reason
  WHERE campaign_id = :campaign AND client_id = ANY(:clients) AND state || '' = 'waiting'""")
# With the occurrence of each, so that it can be planned anew.
_CANCEL_TEXTS = text("""
  WITH gone AS (UPDATE outbound SET state = 'cancelled', reason = :reason, state_at = :now
    WHERE client_id = ANY(:clients) AND campaign_id = :campaign AND state || '' = 'planned' RETURNING occurrence_id)
  UPDATE occurrences o SET state = 'cancelled', reason = :reason FROM gone WHERE o.id = gone.occurrence_id""")


def leave(work: Work, campaign_id: UUID, client_ids: Sequence[UUID], reason: str) -> int:
    """End the programme for clients whose rows are locked: what waits is cancelled. How many were in it."""
    values = {"campaign": campaign_id, "clients": list(client_ids), "reason": reason, "now": work.now}
    ended = int(work.execute(_LEAVE, values).rowcount)
    work.execute(_CANCEL_STEPS, values)
    work.execute(_CANCEL_TEXTS, values)
    return ended


_HAPPENED = {
    # A text from a shared phone that names nobody may be from any of its people.
    "reply": """(EXISTS (SELECT FROM inbound i WHERE i.client_id = e.client_id AND i.received_at > e.enrolled_at)
      OR EXISTS (SELECT FROM phones p JOIN inbound i ON i.from_hash = p.phone_hash
        WHERE p.client_id = e.client_id AND i.client_id IS NULL AND i.received_at > e.enrolled_at))""",
    "appointment_booked": "EXISTS (SELECT FROM appointments a WHERE a.client_id = e.client_id AND a.created_at > e.enrolled_at)",
    "appointment_attended": """EXISTS (SELECT FROM appointments a WHERE a.client_id = e.client_id AND a.status = 'attended'
      AND a.updated_at > e.enrolled_at)""",
}
_LEAVING = text("SELECT e.client_id, CASE WHEN c.status = 'closed' THEN '" + CLOSED + "' " + "".join(
    f"WHEN '{event}' = ANY(CAST(:events AS text[])) AND {happened} THEN '{event}' " for event, happened in _HAPPENED.items()) + """END AS why
  FROM enrolments e JOIN clients c ON c.id = e.client_id WHERE e.campaign_id = :campaign AND e.ended_at IS NULL""")  # fmt: skip


def leaving(work: Work, campaign_id: UUID, events: Sequence[str]) -> dict[UUID, str]:
    """Clients for whom the programme ends now, and why."""
    return {row.client_id: row.why for row in work.all(_LEAVING, campaign=campaign_id, events=list(events)) if row.why}


# Who has had all steps is in it still, should the date be corrected; who left it for another reason is not.
_FOLLOWS = f"(e.ended_at IS NULL OR e.end_reason = '{ALL_DONE}')"
_MOVED = text(f"""
  SELECT e.client_id FROM enrolments e JOIN client_dates d ON d.client_id = e.client_id AND d.name = :since
  WHERE e.campaign_id = :campaign AND {_FOLLOWS} AND d.on_date <> e.day_zero""")
_FOLLOW = text(f"""
  UPDATE enrolments e SET day_zero = d.on_date, planned_to = NULL, look_at = :now, ended_at = NULL, end_reason = NULL FROM client_dates d
  WHERE e.campaign_id = :campaign AND e.client_id = ANY(:clients) AND {_FOLLOWS} AND d.client_id = e.client_id AND d.name = :since""")


def moved(work: Work, campaign: Campaign) -> list[UUID]:
    """Clients of a programme whose date is another than the one it counts from."""
    return list(work.execute(_MOVED, {"campaign": campaign.id, "since": campaign.spec.since}).scalars())


def follow(work: Work, campaign: Campaign, client_ids: Sequence[UUID], reason: str) -> None:
    """Count from the clients' new dates: what waits is cancelled, and planned anew if it has not been sent. Take the clients' rows first."""
    values = {"campaign": campaign.id, "clients": list(client_ids), "since": campaign.spec.since, "reason": reason, "now": work.now}
    for statement in (_FOLLOW, _CANCEL_STEPS, _CANCEL_TEXTS):
        work.execute(statement, values)


# --- planning -------------------------------------------------------------------------------------------------------

_DUE = text(f"""
  SELECT e.day_zero, e.enrolled_at, e.planned_to, {_PERSON}
  FROM enrolments e JOIN clients c ON c.id = e.client_id
  WHERE e.campaign_id = :campaign AND e.ended_at IS NULL AND e.look_at <= :now ORDER BY e.look_at LIMIT :limit FOR UPDATE OF e SKIP LOCKED""")
_PLANNED = text(f"""
  UPDATE enrolments e SET planned_to = :to, look_at = coalesce(r.look_at, :now),
    ended_at = CASE WHEN r.look_at IS NULL THEN CAST(:now AS timestamptz) END, end_reason = CASE WHEN r.look_at IS NULL THEN '{ALL_DONE}' END
  FROM unnest(CAST(:clients AS uuid[]), CAST(:looks AS timestamptz[])) r(client_id, look_at)
  WHERE e.campaign_id = :campaign AND e.client_id = r.client_id""")


def lock_due(work: Work, campaign_id: UUID, limit: int) -> Sequence[Any]:
    """Enrolments to be looked at, held."""
    return work.all(_DUE, campaign=campaign_id, now=work.now, limit=limit)


def planned(work: Work, campaign_id: UUID, to: datetime, looks: Mapping[UUID, datetime | None]) -> None:
    """What falls due before `to` is planned for these clients; when to look again, None: all their steps are done."""
    work.execute(_PLANNED, {"campaign": campaign_id, "to": to, "now": work.now, "clients": list(looks), "looks": list(looks.values())})


_IN = text("SELECT client_id, day_zero, enrolled_at, planned_to, ended_at FROM enrolments WHERE campaign_id = :campaign")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How a client stands in a programme."""

    day_zero: date
    enrolled_at: datetime
    planned_to: datetime | None
    ended: bool


def all_of(work: Work, campaign_id: UUID) -> dict[UUID, Enrolment]:
    """Everyone who is or was in the programme."""
    return {row.client_id: Enrolment(row.day_zero, row.enrolled_at, row.planned_to, row.ended_at is not None)
            for row in work.all(_IN, campaign=campaign_id)}  # fmt: skip


_COUNT = text(f"""SELECT coalesce(end_reason, '{IN_IT}') AS why, count(*) AS n FROM enrolments WHERE campaign_id = :campaign
  GROUP BY 1 ORDER BY 2 DESC, 1""")


def count(work: Work, campaign_id: UUID) -> list[tuple[str, int]]:
    """How many are in the programme, and how many left it for each reason."""
    return [(row.why, row.n) for row in work.all(_COUNT, campaign=campaign_id)]


@dataclass(frozen=True, slots=True)
class Programme:
    """A programme that runs, and how one client stands in it; `day_zero` is None for who never was."""

    name: str
    state: str
    day_zero: date | None
    is_in: bool
    end_reason: str | None


_PROGRAMMES = text("""
  SELECT g.name, g.state, e.day_zero, e.client_id IS NOT NULL AND e.ended_at IS NULL AS is_in, e.end_reason
  FROM campaigns g LEFT JOIN enrolments e ON e.campaign_id = g.id AND e.client_id = :client
  WHERE g.kind = 'programme' AND g.state IN ('running', 'paused') ORDER BY g.name""")


def programmes(work: Work, client_id: UUID) -> list[Programme]:
    """The programmes that run."""
    return [Programme(*row) for row in work.all(_PROGRAMMES, client=client_id)]


# --- recurring campaigns --------------------------------------------------------------------------------------------

_AUDIENCE = text(f"""
  SELECT {_PERSON} FROM clients c
  WHERE c.id > :after AND c.status <> 'closed' AND {COVERED} ORDER BY c.id LIMIT :limit""")
_HAD = text("""
  SELECT client_id, step_id, round FROM occurrences WHERE client_id = ANY(:clients) AND campaign_id = :campaign AND state <> 'cancelled'""")


def audience(work: Work, campaign: Campaign, after: UUID, limit: int) -> Sequence[Any]:
    """The next people of a campaign's audience, by id after `after`, with all that says when they may be texted."""
    return work.all(_AUDIENCE, after=after, limit=limit, **campaign.audience.values())


def had(work: Work, campaign_id: UUID, client_ids: Sequence[UUID]) -> dict[UUID, list[tuple[UUID, date]]]:
    """The steps that these clients had of a campaign, or wait for, each with its round."""
    found: dict[UUID, list[tuple[UUID, date]]] = {}
    for row in work.all(_HAD, clients=list(client_ids), campaign=campaign_id):
        found.setdefault(row.client_id, []).append((row.step_id, row.round))
    return found


_SENT = text("""
  SELECT o.client_id, o.step_id, o.nth FROM occurrences o JOIN enrolments e ON e.campaign_id = o.campaign_id AND e.client_id = o.client_id
  WHERE o.client_id = ANY(:clients) AND o.campaign_id = :campaign AND o.state IN ('waiting', 'planned') AND o.due_at >= e.enrolled_at""")


def sent(work: Work, campaign_id: UUID, client_ids: Sequence[UUID]) -> dict[UUID, set[tuple[UUID, int]]]:
    """The texts of a programme that these clients got since they were enrolled, or wait for: (step, which of its texts)."""
    found: dict[UUID, set[tuple[UUID, int]]] = {}
    for row in work.all(_SENT, clients=list(client_ids), campaign=campaign_id):
        found.setdefault(row.client_id, set()).add((row.step_id, row.nth))
    return found


def must_be_programme(campaign: Campaign) -> None:
    """Raises Refused for a campaign of another kind."""
    if campaign.kind != "programme":
        raise Refused("{name!r} is no programme: nobody is enrolled in it", name=campaign.spec.name)
