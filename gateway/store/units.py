"""Units: a tree of provinces, districts, communes, clinics and services. Every row of the gateway belongs to one."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import time
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.caps import Cap
from gateway.domain.errors import NotFound, Refused
from gateway.domain.windows import Window
from gateway.store.base import Work

KINDS = ("province", "district", "commune", "clinic", "service")


@dataclass(frozen=True, slots=True)
class Clock:
    """Service hours and the zone they are meant in."""

    hours: Window | None
    zone: str


@dataclass(frozen=True, slots=True)
class Named:
    """What a unit is called."""

    id: UUID
    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as it is stored. `details` are public words: service name, call-back number, helplines."""

    id: UUID
    parent_id: UUID | None
    kind: str
    code: str
    name: str
    time_zone: str
    language: str
    region: str
    opens: time | None
    closes: time | None
    tones: str
    texts_a_day: int | None = None  # of our own accord, at most, for each client; None: as the units above
    texts_a_week: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)  # its own
    known: Mapping[str, Any] = field(default_factory=dict)  # its own, and what the units above it say

    @property
    def hours(self) -> Window | None:
        """When clients of the unit may be texted; None: always."""
        return None if self.opens is None or self.closes is None else Window(self.opens, self.closes)

    @property
    def clock(self) -> Clock:
        """The hours in which its staff work, and where."""
        return Clock(self.hours, self.time_zone)


# What is publicly known of the unit u: its own details, and those of the units above it that it does not say itself.
KNOWN = """(SELECT coalesce(jsonb_object_agg(d.key, d.value ORDER BY t.distance DESC), '{}')
  FROM unit_tree t JOIN units above ON above.id = t.ancestor_id, jsonb_each(above.details) d WHERE t.unit_id = u.id)"""
_OWN = "u.id, u.parent_id, u.kind, u.code, u.name, u.time_zone, u.language, u.region, u.opens, u.closes, u.tones, u.texts_a_day, u.texts_a_week, u.details"
_COLUMNS = f"{_OWN}, {KNOWN} AS known"
_TREE = text("""
  INSERT INTO unit_tree (unit_id, ancestor_id, distance)
  SELECT :id, ancestor_id, distance + 1 FROM unit_tree WHERE unit_id = :parent UNION ALL SELECT :id, :id, 0""")
# Whoever sees the unit above sees the new one.
_SEEN = text("INSERT INTO staff_units (staff_id, unit_id) SELECT staff_id, :id FROM staff_units WHERE unit_id = :parent")


def add(
    work: Work, *, kind: str, code: str, name: str, time_zone: str, language: str, region: str, parent_id: UUID | None = None,
    hours: Window | None = None, tones: str = "saves", details: Mapping[str, Any] | None = None,
) -> UUID:  # fmt: skip
    """Keep a unit below its parent, visible to all who see the parent. Raises Refused when the code is taken."""
    if find(work, code) is not None:
        raise Refused("there is a unit {code!r} already: choose another code", code=code)
    unit_id = uuid4()
    row = {"id": unit_id, "parent_id": parent_id, "kind": kind, "code": code, "name": name, "time_zone": time_zone,
           "language": language, "region": region, "opens": hours.opens if hours else None,
           "closes": hours.closes if hours else None, "tones": tones, "details": json.dumps(dict(details or {}))}  # fmt: skip
    work.insert("units", [row])
    work.execute(_TREE, {"id": unit_id, "parent": parent_id})
    work.execute(_SEEN, {"id": unit_id, "parent": parent_id})
    return unit_id


_EDIT = text("""
  UPDATE units SET name = :name, time_zone = :time_zone, language = :language, region = :region, opens = :opens,
    closes = :closes, tones = :tones, texts_a_day = :texts_a_day, texts_a_week = :texts_a_week, details = CAST(:details AS jsonb) WHERE id = :id""")


def save(work: Work, unit: Unit) -> None:
    """Write the unit as it is now. Its code, kind and place in the tree stay."""
    work.execute(_EDIT, {
        "id": unit.id, "name": unit.name, "time_zone": unit.time_zone, "language": unit.language, "region": unit.region,
        "opens": unit.opens, "closes": unit.closes, "tones": unit.tones, "texts_a_day": unit.texts_a_day,
        "texts_a_week": unit.texts_a_week, "details": json.dumps(dict(unit.details)),
    })  # fmt: skip


def zones(work: Work) -> list[str]:
    """The time zones that units have, each once."""
    return [row.time_zone for row in work.all(text("SELECT DISTINCT time_zone FROM units"))]


_GET = text(f"SELECT {_COLUMNS} FROM units u WHERE u.id = :id")
_FIND = text(f"SELECT {_COLUMNS} FROM units u WHERE u.code = :code")


def get(work: Work, unit_id: UUID) -> Unit:
    """The unit. Raises NotFound."""
    row = work.one(_GET, id=unit_id)
    if row is None:
        raise NotFound("no such unit")
    return Unit(**row._asdict())


def find(work: Work, code: str) -> Unit | None:
    """The unit of this code, wherever it is."""
    row = work.one(_FIND, code=code)
    return None if row is None else Unit(**row._asdict())


def by_code(work: Work, code: str) -> Unit:
    """The unit of this code among those the actor sees. Raises NotFound."""
    unit = find(work, code)
    if unit is None or not is_seen(work, unit.id):
        raise NotFound("no unit {code!r} among yours: `python -m gateway unit list` shows them", code=code)
    return unit


def by_id(work: Work, unit_id: UUID) -> Unit:
    """The unit, if it is one of those the actor sees. Raises NotFound."""
    unit = get(work, unit_id)
    if not is_seen(work, unit.id):
        raise NotFound("no such unit")
    return unit


_SEEN_BY = text("SELECT EXISTS (SELECT FROM staff_units WHERE staff_id = :staff AND unit_id = :unit)")


def is_seen(work: Work, unit_id: UUID) -> bool:
    """Whether the unit is one of the actor's."""
    return sees(work, work.actor.staff_id, unit_id)


def sees(work: Work, staff_id: UUID | None, unit_id: UUID) -> bool:
    """Whether the unit is one of a staff member's; each is the system's (None)."""
    return staff_id is None or bool(work.value(_SEEN_BY, staff=staff_id, unit=unit_id))


# KNOWN of many at once: all are joined to those above them, instead of each by itself.
_LIST = text(f"""
  SELECT {_OWN}, coalesce(jsonb_object_agg(d.key, d.value ORDER BY t.distance DESC) FILTER (WHERE d.key IS NOT NULL), '{{}}') AS known
  FROM units u JOIN unit_tree t ON t.unit_id = u.id JOIN units above ON above.id = t.ancestor_id LEFT JOIN jsonb_each(above.details) d ON true
  WHERE CAST(:staff AS uuid) IS NULL OR u.id IN (SELECT unit_id FROM staff_units WHERE staff_id = :staff) GROUP BY u.id ORDER BY u.code""")


def list_seen(work: Work) -> list[Unit]:
    """The actor's units (all, for the system), by code."""
    return [Unit(**row._asdict()) for row in work.all(_LIST, staff=work.actor.staff_id)]


_NAMES = text("SELECT id, code, name FROM units WHERE id IN (SELECT unit_id FROM staff_units WHERE staff_id = :staff) ORDER BY code")


def names(work: Work) -> list[Named]:
    """The units of the staff member who acts, by code: for lists to choose from, which are on many pages."""
    return [Named(**row._asdict()) for row in work.all(_NAMES, staff=work.actor.staff_id)]


_FEW = 30
_FEW_SEEN = text(f"SELECT unit_id FROM staff_units WHERE staff_id = :staff LIMIT {_FEW + 1}")


def few_seen(work: Work) -> list[UUID]:
    """The actor's units where they are few enough to look into each of them; else, and for the system, none."""
    found = [row.unit_id for row in work.all(_FEW_SEEN, staff=work.actor.staff_id)]
    return found if len(found) <= _FEW else []


# Whoever takes a client into a group holds the table until they are done (migration 0021): all that they wrote is seen.
_HOLD_GROUPS = text("LOCK TABLE unit_groups IN SHARE ROW EXCLUSIVE MODE")
_FORGET_GROUPS = text("""
  DELETE FROM unit_groups g WHERE NOT EXISTS (SELECT FROM clients c WHERE c.unit_id = g.unit_id AND g.name = ANY(c.groups))""")


def forget_groups(work: Work) -> int:
    """Drop names of groups that no client of the unit is in any more; how many. Runs as the system."""
    work.execute(_HOLD_GROUPS)
    return int(work.execute(_FORGET_GROUPS).rowcount)


_CHILDREN = text(f"SELECT {_COLUMNS} FROM units u WHERE u.parent_id = :id ORDER BY u.code")


def children(work: Work, unit_id: UUID) -> list[Unit]:
    """The units just below one, by code."""
    return [Unit(**row._asdict()) for row in work.all(_CHILDREN, id=unit_id)]


_WAYS_DOWN = text("""
  SELECT t.unit_id, coalesce((SELECT c.id FROM unit_tree a JOIN units c ON c.id = a.ancestor_id AND c.parent_id = :id
    WHERE a.unit_id = t.unit_id), t.unit_id) AS child FROM unit_tree t WHERE t.ancestor_id = :id""")


def ways_down(work: Work, unit_id: UUID) -> dict[UUID, UUID]:
    """Each unit below one, and the one itself: the unit just below that leads to it (itself: itself)."""
    return {row.unit_id: row.child for row in work.all(_WAYS_DOWN, id=unit_id)}


# Only units that limit something, or lie below one: mostly none.
_CAPS = text("""
  SELECT CAST(t.unit_id AS text) AS unit, array_agg(u.texts_a_day) AS days, array_agg(u.texts_a_week) AS weeks
  FROM units u JOIN unit_tree t ON t.ancestor_id = u.id
  WHERE (u.texts_a_day IS NOT NULL OR u.texts_a_week IS NOT NULL) AND (CAST(:units AS uuid[]) IS NULL OR t.unit_id = ANY(:units))
  GROUP BY t.unit_id""")


def caps(work: Work, unit_ids: Collection[UUID] | None = None) -> dict[str, Cap]:
    """How many texts a client gets at most, by unit (of these, or all), as text; units that are not there have no limit of their own."""
    rows = work.all(_CAPS, units=None if unit_ids is None else list(unit_ids))
    return {row.unit: Cap.narrowest(zip(row.days, row.weeks, strict=True)) for row in rows}


def below(work: Work, unit_id: UUID) -> Sequence[UUID]:
    """The unit and all below it."""
    return list(work.connection.execute(
        text("SELECT unit_id FROM unit_tree WHERE ancestor_id = :id"), {"id": unit_id}).scalars())  # fmt: skip


def topmost(work: Work) -> Sequence[UUID]:
    """The units that have none above them, each a gateway's whole house: most gateways have one."""
    return [row.id for row in work.all(text("SELECT id FROM units WHERE parent_id IS NULL ORDER BY code"))]


def any_there(work: Work) -> bool:
    """Whether the database holds any unit at all."""
    return bool(work.value(text("SELECT EXISTS (SELECT FROM units)")))
