"""The service directory: entries, whom they serve, and which are to be looked at again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain import opening
from gateway.domain.errors import NotFound, Refused
from gateway.domain.services import Service
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Entry:
    """A service as staff see it. `units` are codes of those that the actor may see."""

    service: Service
    unit_id: UUID
    units: Sequence[str]
    checked_by: str | None
    gone_on: date | None


_COLUMNS = """s.id, s.unit_id, s.code, s.category, s.name, s.short_name, s.languages, s.address, s.phone, s.hours, s.who, s.cost,
  s.checked_on, s.gone_on, m.code AS checked_by,
  (SELECT json_agg(json_build_array(u.id, u.code) ORDER BY u.id <> s.unit_id, u.code)
    FROM service_units su JOIN units u ON u.id = su.unit_id WHERE su.service_id = s.id) AS units
  FROM services s LEFT JOIN staff m ON m.id = s.checked_by"""
_LIST = text(f"SELECT {_COLUMNS} WHERE CAST(:category AS text) IS NULL OR s.category = :category ORDER BY s.category, s.code")
_GET = text(f"SELECT {_COLUMNS} WHERE s.id = :id")
_BY_CODES = text(f"SELECT {_COLUMNS} WHERE s.code = ANY(:codes)")
# From the client's unit up, by index at each step: the directory of a whole country costs no more.
_NEAR = text(f"""
  SELECT {_COLUMNS} WHERE s.gone_on IS NULL AND (CAST(:category AS text) IS NULL OR s.category = :category) AND s.id IN (
    SELECT su.service_id FROM unit_tree t JOIN service_units su ON su.unit_id = t.ancestor_id WHERE t.unit_id = :unit)""")
_PATH = text("SELECT ancestor_id FROM unit_tree WHERE unit_id = :unit ORDER BY distance")


def _entry(row: Any) -> Entry:
    units = [(UUID(unit_id), code) for unit_id, code in row.units or ()]
    service = Service(
        id=row.id, code=row.code, category=row.category, name=row.name, short_name=row.short_name,
        units=[unit_id for unit_id, _ in units], languages=row.languages, address=row.address, phone=row.phone,
        hours=opening.read(row.hours) if row.hours else None, who=row.who, cost=row.cost, checked_on=row.checked_on,
    )  # fmt: skip
    return Entry(service, row.unit_id, [code for _, code in units], row.checked_by, row.gone_on)


def near(work: Work, unit_id: UUID, category: str | None) -> tuple[list[UUID], list[Service]]:
    """The unit with all above it, nearest first, and the services that serve any of them; of one category, or of all."""
    path = [row.ancestor_id for row in work.all(_PATH, unit=unit_id)]
    return path, [_entry(row).service for row in work.all(_NEAR, unit=unit_id, category=category)]


def list_seen(work: Work, category: str | None = None) -> list[Entry]:
    """What serves the actor's units, gone ones too."""
    return [_entry(row) for row in work.all(_LIST, category=category)]


def by_codes(work: Work, codes: Sequence[str]) -> dict[str, Entry]:
    """Those of these codes that the actor sees."""
    return {row.code: _entry(row) for row in work.all(_BY_CODES, codes=list(codes))}


def get(work: Work, service_id: UUID) -> Entry:
    """The entry of this id. Raises NotFound."""
    row = work.one(_GET, id=service_id)
    if row is None:
        raise NotFound("no such service for your units")
    return _entry(row)


def by_code(work: Work, code: str) -> Entry:
    """The entry of this code. Raises NotFound."""
    found = by_codes(work, [code]).get(code)
    if found is None:
        raise NotFound("no service {code!r} for your units: `python -m gateway service list` shows them", code=code)
    return found


_ADD = text("""
  INSERT INTO services (id, unit_id, code, category, name, short_name, languages, address, phone, hours, who, cost, checked_on,
    checked_by, updated_at)
  VALUES (:id, :unit_id, :code, :category, :name, :short_name, :languages, :address, :phone, :hours, :who, :cost, :checked_on,
    :checked_by, :now) ON CONFLICT (code) DO NOTHING""")
_CHANGE = text("""
  UPDATE services SET unit_id = :unit_id, category = :category, name = :name, short_name = :short_name, languages = :languages,
    address = :address, phone = :phone, hours = :hours, who = :who, cost = :cost, checked_on = :checked_on, checked_by = :checked_by,
    updated_at = :now WHERE id = :id""")
_SERVE = text("""
  INSERT INTO service_units (unit_id, service_id, kept_by) SELECT unit_id, :id, :keeper FROM unnest(CAST(:units AS uuid[])) unit_id
  ON CONFLICT DO NOTHING""")
_NO_LONGER = text("DELETE FROM service_units WHERE service_id = :id AND unit_id <> ALL(:units)")


def add(work: Work, service: Service, checked_by: UUID | None) -> None:
    """Keep an entry; the first of its units keeps it. Raises Refused when the code is taken, by whatever unit."""
    if work.execute(_ADD, _values(work, service, checked_by)).rowcount == 0:
        raise Refused("there is a service {code!r} already (perhaps kept by another unit): nothing was changed", code=service.code)
    work.execute(_SERVE, {"id": service.id, "units": list(service.units), "keeper": service.units[0]})


def change(work: Work, service: Service, checked_by: UUID | None) -> None:
    """Write the entry of this id anew. Units that the actor does not see stay served."""
    work.execute(_CHANGE, _values(work, service, checked_by))
    work.execute(_NO_LONGER, {"id": service.id, "units": list(service.units)})
    work.execute(_SERVE, {"id": service.id, "units": list(service.units), "keeper": service.units[0]})


def _values(work: Work, service: Service, checked_by: UUID | None) -> dict[str, Any]:
    return {
        "id": service.id, "unit_id": service.units[0], "code": service.code, "category": service.category, "name": service.name,
        "short_name": service.short_name, "languages": list(service.languages), "address": service.address,
        "phone": service.phone, "hours": str(service.hours or ""), "who": service.who, "cost": service.cost,
        "checked_on": service.checked_on, "checked_by": checked_by, "now": work.now,
    }  # fmt: skip


_CHECK = text("""
  UPDATE services SET checked_on = :today, checked_by = :by, gone_on = CASE WHEN :gone THEN CAST(:today AS date) END, updated_at = :now
  WHERE id = :id""")


def check(work: Work, service_id: UUID, today: date, by: UUID | None, gone: bool) -> bool:
    """Somebody looked: all holds, or it is gone. False when the actor's units do not keep the entry."""
    values = {"id": service_id, "today": today, "by": by, "gone": gone, "now": work.now}
    return bool(work.execute(_CHECK, values).rowcount)
