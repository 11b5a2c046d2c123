"""Reasons for a person to look. A flag is opened by a rule or a person and closed by a person; what silence opened, by an answer too."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain import flags as rules
from gateway.domain.errors import NotFound, Refused
from gateway.domain.windows import Window
from gateway.store import sessions, units
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Flag:
    """A flag as staff see it; `number` is what they say aloud. `clock` is its unit's, in which its time runs."""

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
    unit_code: str
    label: str
    snoozed_until: datetime | None
    handed_up_at: datetime | None  # being overdue, to the supervisors
    revision: int
    clock: units.Clock


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


_TOLD = """f.id, f.number, f.unit_id, f.client_id, f.inbound_id, f.about_id, f.reason, f.severity, f.state, f.owner_id,
  f.opened_at, f.due_at, f.closed_at, f.outcome, c.code AS client_code, s.code AS owner_code, u.code AS unit_code, f.label,
  f.snoozed_until, f.handed_up_at, f.revision, u.opens, u.closes, u.time_zone"""
_WITH = "f JOIN units u ON u.id = f.unit_id LEFT JOIN clients c ON c.id = f.client_id LEFT JOIN staff s ON s.id = f.owner_id"
_COLUMNS = f"{_TOLD} FROM flags {_WITH}"
# Chosen first, then told whose they are: what a list does not show, nobody looks up.
_LISTED = f"SELECT {_TOLD} FROM (SELECT * FROM flags f WHERE {{where}} ORDER BY {{order}} LIMIT :most OFFSET :skip) {_WITH} ORDER BY {{order}}"
_GET = text(f"SELECT {_COLUMNS} WHERE f.id = :id")
_BY_NUMBER = text(f"SELECT {_COLUMNS} WHERE f.number = :number")
_HELD = text(f"SELECT {_COLUMNS} WHERE f.number = :number FOR NO KEY UPDATE OF f")
_GRAVEST = "array_position('{urgent,high,medium,low}', f.severity), f.due_at, f.number"
# What sleeps comes back by itself; whoever looks at one client sees it all the same.
_OPEN = text(_LISTED.format(order=_GRAVEST, where="""f.state <> 'closed' AND (f.client_id = :client OR CAST(:client AS uuid) IS NULL AND
    (f.snoozed_until IS NULL OR f.snoozed_until <= :now)) AND (f.reason = ANY(:reasons)) = :among"""))


def _flag(row: Any) -> Flag:
    values = row._asdict()
    opens, closes, zone = (values.pop(name) for name in ("opens", "closes", "time_zone"))
    return Flag(**values, clock=units.Clock(None if opens is None or closes is None else Window(opens, closes), zone))


def get(work: Work, flag_id: UUID) -> Flag:
    """The flag. Raises NotFound."""
    row = work.one(_GET, id=flag_id)
    if row is None:
        raise NotFound("no such flag in your units")
    return _flag(row)


def by_number(work: Work, number: int, held: bool = False) -> Flag:
    """The flag that staff call by this number; `held`: nobody else changes it until the transaction ends. Raises NotFound."""
    row = work.one(_HELD if held else _BY_NUMBER, number=number)
    if row is None:
        raise NotFound("no flag {number} in your units: `python -m gateway flag list` shows the open ones", number=number)
    return _flag(row)


def list_open(
    work: Work, client_id: UUID | None = None, most: int = 200, *, reasons: Collection[str] = (), among: bool = False
) -> Sequence[Flag]:  # fmt: skip
    """Flags not closed, gravest and soonest due first; without a client none that sleeps.

    Those of other reasons than these, or of these alone (`among`).
    """
    rows = work.all(_OPEN, client=client_id, most=most, skip=0, now=work.now, reasons=list(reasons), among=among)
    return [_flag(row) for row in rows]


def count_open(work: Work) -> int:
    """How many flags are not closed and do not sleep."""
    return int(work.value(text(f"SELECT count(*) FROM flags f WHERE {_AWAKE}"), now=work.now))


SHOW = ("open", "unowned", "overdue", "handed_up", "snoozed", "closed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which flags a list shows; None: any. `show` is one of SHOW."""

    show: str = "open"
    owner_id: UUID | None = None
    client_id: UUID | None = None
    severity: str | None = None
    reason: str | None = None
    label: str | None = None
    unit_id: UUID | None = None  # and those below it


_AWAKE = "f.state <> 'closed' AND (f.snoozed_until IS NULL OR f.snoozed_until <= :now)"
_SHOWN = {
    "open": _AWAKE, "unowned": f"{_AWAKE} AND f.owner_id IS NULL", "overdue": f"{_AWAKE} AND f.due_at < :now",
    "handed_up": f"{_AWAKE} AND f.handed_up_at IS NOT NULL", "snoozed": "f.state <> 'closed' AND f.snoozed_until > :now",
    "closed": "f.state = 'closed'",
}  # fmt: skip
_NARROWER = {
    "owner_id": "f.owner_id = :owner_id", "client_id": "f.client_id = :client_id", "severity": "f.severity = :severity",
    "reason": "f.reason = :reason", "label": "f.label = :label",
    "unit_id": "f.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = :unit_id)",
}  # fmt: skip


def search(work: Work, wanted: Wanted, most: int, skip: int = 0) -> list[Flag]:
    """Flags in the order they are to be looked at; closed ones the latest first."""
    given = {name: value for name in _NARROWER if (value := getattr(wanted, name)) is not None}
    where = " AND ".join([_SHOWN[wanted.show], *(_NARROWER[name] for name in given)])
    order = "f.closed_at DESC, f.number DESC" if wanted.show == "closed" else _GRAVEST
    now = {"now": work.now} if ":now" in where else {}
    rows = work.all(text(_LISTED.format(where=where, order=order)), most=most, skip=skip, **given, **now)
    return [_flag(row) for row in rows]


_URGENT = text(f"SELECT {_COLUMNS} WHERE f.state = 'open' AND f.severity = 'urgent' ORDER BY f.opened_at, f.number LIMIT 20")


def untaken(work: Work) -> list[Flag]:
    """Urgent flags that nobody has taken yet."""
    return [_flag(row) for row in work.all(_URGENT)]


_LABELS = text("SELECT DISTINCT label FROM flags WHERE state <> 'closed' AND label <> '' ORDER BY label LIMIT 50")


def labels(work: Work) -> list[str]:
    """The words that staff put on flags which are not closed."""
    return [row.label for row in work.all(_LABELS)]


_ASSIGN = text("UPDATE flags SET state = 'assigned', owner_id = :owner, snoozed_until = NULL WHERE id = :id AND state <> 'closed'")
_CLOSE = text("""
  UPDATE flags SET state = 'closed', outcome = :outcome, closed_at = :now WHERE id = :id AND state <> 'closed' RETURNING client_id""")


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
    """Close the flag with one of the outcomes of the rules; a dialogue that waited for the person to be done is looked at.

    Raises Refused for another outcome, or when it is closed already.
    """
    if outcome not in rules.OUTCOMES:
        raise Refused("{outcome!r} is no outcome; one of: {outcomes}", outcome=outcome, outcomes=[*rules.OUTCOMES])
    closed = work.one(_CLOSE, id=flag_id, outcome=outcome, now=work.now)
    if closed is None:
        raise Refused("this flag is closed already: its outcome stays")
    if closed.client_id is not None:
        sessions.look_behind(work, closed.client_id)


_LABEL = text("UPDATE flags SET label = :label WHERE id = :id")
_SNOOZE = text("UPDATE flags SET snoozed_until = :until WHERE id = :id")


def set_label(work: Work, flag_id: UUID, label: str) -> None:
    """Staff's own word for it; "" for none."""
    work.execute(_LABEL, {"id": flag_id, "label": label})


def snooze(work: Work, flag_id: UUID, until: datetime) -> None:
    """Leave it out of the list until then."""
    work.execute(_SNOOZE, {"id": flag_id, "until": until})


def revise(work: Work, flag_id: UUID) -> None:
    """What was just done is to be known by whoever has the flag on a page."""
    work.execute(text("UPDATE flags SET revision = revision + 1 WHERE id = :id"), {"id": flag_id})


_HAND_UP = text("""
  UPDATE flags SET handed_up_at = :now WHERE id IN (
    SELECT id FROM flags WHERE state <> 'closed' AND handed_up_at IS NULL AND due_at < :now
      AND (snoozed_until IS NULL OR snoozed_until <= :now) ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED)
  RETURNING id, number, unit_id, client_id""")


def hand_up(work: Work, most: int = 500) -> Sequence[Any]:
    """Mark what is overdue as the supervisors' to look at, each flag once: rows of id, number, unit_id, client_id."""
    return work.all(_HAND_UP, now=work.now, most=most)


_CLOSE_ABOUT = text("""
  UPDATE flags SET state = 'closed', outcome = :outcome, closed_at = :now
  WHERE client_id = :client AND about_id = :about AND reason = :reason AND state <> 'closed'""")


def close_about(work: Work, client_id: UUID, about_id: UUID, reason: str, outcome: str) -> None:
    """Close what silence had opened about a session: the client answered after all. A person's own closing stays."""
    work.later(_CLOSE_ABOUT, client=client_id, about=about_id, reason=reason, outcome=outcome, now=work.now)
