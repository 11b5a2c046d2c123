"""Reasons for a person to look. A flag is opened by a rule or a person and closed by a person; what silence opened, by an answer too."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain import flags as rules
from gateway.domain.errors import NotFound, Refused
from gateway.store import units
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as staff see it; `number` is what they say aloud."""

    id: UUID
    number: int
    unit_id: UUID
    client_id: UUID | None
    inbound_id: UUID | None
    about_id: UUID | None
    reason: str
    severity: str
    state: str
    owner_id: UUID | None
    opened_at: datetime
    due_at: datetime
    closed_at: datetime | None
    outcome: str | None
    client_code: str | None
    owner_code: str | None


@dataclass(frozen=True, slots=True)
class Opened:
    """A flag just opened; staff call it by its number."""

    id: UUID
    number: int


_ONCE = "ON CONFLICT (dedupe_key) DO NOTHING"
_ADD = text(f"""
  INSERT INTO flags (id, unit_id, client_id, inbound_id, about_id, reason, severity, opened_at, due_at, dedupe_key)
  VALUES (:id, :unit_id, :client_id, :inbound_id, :about_id, :reason, :severity, :opened_at, :due_at, :dedupe_key)
  {_ONCE} RETURNING id, number""")


def add(
    work: Work, *, unit_id: UUID, reason: str, dedupe_key: str, client_id: UUID | None = None, inbound_id: UUID | None = None,
    about_id: UUID | None = None, clock: units.Clock | None = None,
) -> Opened | None:  # fmt: skip
    """Open a flag, due by its reason's rule in the unit's service hours; None when one of this dedupe key was opened before.

    `clock` is the unit's, where the caller has it already.
    """
    values = _values(work, unit_id, reason, dedupe_key, client_id, inbound_id, about_id, clock)
    added = work.one(_ADD, **values)
    return None if added is None else Opened(added.id, added.number)


def put(
    work: Work, *, unit_id: UUID, reason: str, dedupe_key: str, client_id: UUID | None = None, inbound_id: UUID | None = None,
    about_id: UUID | None = None, clock: units.Clock | None = None,
) -> None:  # fmt: skip
    """Open a flag like `add`, with the other writes of the transaction."""
    work.put("flags", _values(work, unit_id, reason, dedupe_key, client_id, inbound_id, about_id, clock), _ONCE)


def _values(
    work: Work, unit_id: UUID, reason: str, dedupe_key: str, client_id: UUID | None, inbound_id: UUID | None,
    about_id: UUID | None, clock: units.Clock | None,
) -> dict[str, Any]:  # fmt: skip
    clock = clock or units.get(work, unit_id).clock
    return {
        "id": uuid4(), "unit_id": unit_id, "client_id": client_id, "inbound_id": inbound_id, "about_id": about_id, "reason": reason,
        "severity": rules.RULES[reason].severity, "opened_at": work.now, "dedupe_key": dedupe_key,
        "due_at": rules.due_at(reason, work.now, clock.hours, clock.zone),
    }  # fmt: skip


_COLUMNS = """f.id, f.number, f.unit_id, f.client_id, f.inbound_id, f.about_id, f.reason, f.severity, f.state, f.owner_id,
  f.opened_at, f.due_at, f.closed_at, f.outcome, c.code AS client_code, s.code AS owner_code
  FROM flags f LEFT JOIN clients c ON c.id = f.client_id LEFT JOIN staff s ON s.id = f.owner_id"""
_GET = text(f"SELECT {_COLUMNS} WHERE f.id = :id")
_BY_NUMBER = text(f"SELECT {_COLUMNS} WHERE f.number = :number")
_OPEN = text(f"""
  SELECT {_COLUMNS} WHERE f.state <> 'closed' AND (CAST(:client AS uuid) IS NULL OR f.client_id = :client)
    AND (f.reason = ANY(:reasons)) = :among
  ORDER BY array_position('{{urgent,high,medium,low}}', f.severity), f.due_at, f.number LIMIT :most""")


def get(work: Work, flag_id: UUID) -> Flag:
    """The flag. Raises NotFound."""
    row = work.one(_GET, id=flag_id)
    if row is None:
        raise NotFound("no such flag in your units")
    return Flag(**row._asdict())


def by_number(work: Work, number: int) -> Flag:
    """The flag that staff call by this number. Raises NotFound."""
    row = work.one(_BY_NUMBER, number=number)
    if row is None:
        raise NotFound("no flag {number} in your units: `python -m gateway flag list` shows the open ones", number=number)
    return Flag(**row._asdict())


def list_open(
    work: Work, client_id: UUID | None = None, most: int = 200, *, reasons: Collection[str] = (), among: bool = False
) -> Sequence[Flag]:  # fmt: skip
    """Flags not closed, gravest and soonest due first; those of other reasons than these, or of these alone (`among`)."""
    return [Flag(**row._asdict()) for row in work.all(_OPEN, client=client_id, most=most, reasons=list(reasons), among=among)]


def count_open(work: Work) -> int:
    """How many flags are not closed."""
    return int(work.value(text("SELECT count(*) FROM flags WHERE state <> 'closed'")))


_ASSIGN = text("UPDATE flags SET state = 'assigned', owner_id = :owner WHERE id = :id AND state <> 'closed'")
_CLOSE = text("""
  UPDATE flags SET state = 'closed', outcome = :outcome, closed_at = :now WHERE id = :id AND state <> 'closed'""")


def assign(work: Work, flag_id: UUID, owner_id: UUID) -> None:
    """Give the flag an owner. Raises Refused when it is closed."""
    if work.execute(_ASSIGN, {"id": flag_id, "owner": owner_id}).rowcount == 0:
        raise Refused("this flag is closed: nothing was changed")


_RELEASE = text("""
  UPDATE flags SET state = 'open', owner_id = NULL WHERE owner_id = :owner AND state <> 'closed' AND (NOT :unseen OR NOT EXISTS (
    SELECT FROM staff_units s WHERE s.staff_id = :owner AND s.unit_id = flags.unit_id))
  RETURNING id, number, unit_id, severity""")


def release(work: Work, owner_id: UUID, unseen: bool = False) -> Sequence[Any]:
    """Flags of somebody who leaves wait for a person again; `unseen`: those alone that they no longer see. Rows of id, number, unit_id, severity."""
    return work.all(_RELEASE, owner=owner_id, unseen=unseen)


def close(work: Work, flag_id: UUID, outcome: str) -> None:
    """Close the flag with one of the outcomes of the rules. Raises Refused for another one, or when it is closed already."""
    if outcome not in rules.OUTCOMES:
        raise Refused("{outcome!r} is no outcome; one of: {outcomes}", outcome=outcome, outcomes=[*rules.OUTCOMES])
    if work.execute(_CLOSE, {"id": flag_id, "outcome": outcome, "now": work.now}).rowcount == 0:
        raise Refused("this flag is closed already: its outcome stays")


_CLOSE_ABOUT = text("""
  UPDATE flags SET state = 'closed', outcome = :outcome, closed_at = :now
  WHERE client_id = :client AND about_id = :about AND reason = :reason AND state <> 'closed'""")


def close_about(work: Work, client_id: UUID, about_id: UUID, reason: str, outcome: str) -> None:
    """Close what silence had opened about a session: the client answered after all. A person's own closing stays."""
    work.later(_CLOSE_ABOUT, client=client_id, about=about_id, reason=reason, outcome=outcome, now=work.now)
