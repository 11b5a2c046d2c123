"""Holidays: days of a unit, and all below it, on which texts that come again may stay away or move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain.errors import NotFound
from gateway.domain.rounds import Calendar
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Holiday:
    """A day as a unit knows it, from itself or a unit above (`unit_code`)."""

    on_date: date
    name: str
    is_holiday: bool
    source: str
    unit_code: str


_SAY = text("""
  INSERT INTO holidays (unit_id, on_date, name, is_holiday, source, changed_at) VALUES (:unit, :day, :name, :is, 'staff', :now)
  ON CONFLICT (unit_id, on_date) DO UPDATE SET name = EXCLUDED.name, is_holiday = EXCLUDED.is_holiday, source = 'staff', changed_at = :now""")


def add(work: Work, unit_id: UUID, day: date, name: str) -> None:
    """Make it a holiday of the unit and those below."""
    work.execute(_SAY, {"unit": unit_id, "day": day, "name": name, "is": True, "now": work.now})


def remove(work: Work, unit_id: UUID, day: date) -> None:
    """Make it a working day of the unit and those below, also when a country's list is read again. Raises NotFound."""
    known = {each.on_date: each.name for each in list_for(work, unit_id, day, day)}
    if day not in known:
        raise NotFound("{day} is no holiday there: `python -m gateway holiday list` shows them", day=day)
    work.execute(_SAY, {"unit": unit_id, "day": day, "name": known[day], "is": False, "now": work.now})


def seed(work: Work, unit_id: UUID, days: Mapping[date, str], source: str) -> int:
    """Keep a country's holidays; days that the unit says something of already stay as they are. The number kept."""
    rows = [{"unit_id": unit_id, "on_date": day, "name": name, "source": source, "changed_at": work.now} for day, name in days.items()]
    return work.insert("holidays", rows, "ON CONFLICT (unit_id, on_date) DO NOTHING")


# The nearest unit that says something of a day is believed.
_NEAREST = """
  SELECT DISTINCT ON (t.unit_id, h.on_date) t.unit_id, h.on_date, h.name, h.is_holiday, h.source, u.code AS unit_code
  FROM unit_tree t JOIN holidays h ON h.unit_id = t.ancestor_id JOIN units u ON u.id = h.unit_id
  WHERE h.on_date BETWEEN :first AND :last {where} ORDER BY t.unit_id, h.on_date, t.distance"""
_LIST = text(_NEAREST.format(where="AND t.unit_id = :unit"))
_ALL = text(f"""
  SELECT CAST(unit_id AS text) AS unit, array_agg(on_date ORDER BY on_date) AS days
  FROM ({_NEAREST.format(where="")}) known WHERE is_holiday GROUP BY unit_id""")


def list_for(work: Work, unit_id: UUID, first: date, last: date) -> list[Holiday]:
    """What the unit knows of the days from `first` to `last`, working days that were holidays included."""
    rows: Sequence[Any] = work.all(_LIST, unit=unit_id, first=first, last=last)
    return [Holiday(row.on_date, row.name, row.is_holiday, row.source, row.unit_code) for row in rows]


def of_unit(work: Work, unit_id: UUID, first: date, last: date) -> Calendar:
    """The holidays of one unit, those of the units above among them."""
    return frozenset(each.on_date for each in list_for(work, unit_id, first, last) if each.is_holiday)


def calendars(work: Work, first: date, last: date) -> dict[str, Calendar]:
    """The holidays of every unit that has any, by its id as text. Units with the same days share one calendar."""
    same: dict[Calendar, Calendar] = {}
    found = ((row.unit, frozenset(row.days)) for row in work.all(_ALL, first=first, last=last))
    return {unit: same.setdefault(days, days) for unit, days in found}
