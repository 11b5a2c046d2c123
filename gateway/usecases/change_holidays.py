"""What staff say of a day: a holiday, or none, for a unit and all below it."""

from datetime import date

from gateway.store import audit, holidays, units
from gateway.store.base import Work


def add(work: Work, unit: units.Unit, day: date, name: str) -> None:
    """Make it a holiday."""
    holidays.add(work, unit.id, day, name)
    audit.add(work, "holiday.add", "unit", unit.id, unit.id, {"day": day.isoformat()})


def remove(work: Work, unit: units.Unit, day: date) -> None:
    """Make it a working day, though a unit above or a country's list says otherwise. Raises NotFound."""
    holidays.remove(work, unit.id, day)
    audit.add(work, "holiday.remove", "unit", unit.id, unit.id, {"day": day.isoformat()})
