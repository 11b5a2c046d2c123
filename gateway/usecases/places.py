"""Where and when people can be texted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gateway.domain import windows
from gateway.domain.windows import Window
from gateway.store.units import Unit


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """Where and when a person can be texted: zone and hours are their own as far as they go, else the unit's."""

    unit: Unit
    zone: str
    hours: Window | None


class Places:
    """The places of many people; what is the same for some is made once."""

    def __init__(self, units: Iterable[Unit]) -> None:
        self._units = {str(unit.id): unit for unit in units}
        self._places: dict[tuple[Any, ...], Place] = {}

    def of(self, row: Any) -> Place:
        """By a row with the person's `unit`, `time_zone`, `opens` and `closes`. A zone that does not exist counts as none."""
        key = row.unit, row.time_zone, row.opens, row.closes
        if key not in self._places:
            unit = self._units[row.unit]
            zone, wrong = windows.zone_or(row.time_zone, unit.time_zone)
            own = Window(row.opens, row.closes) if row.opens is not None and row.closes is not None else None
            self._places[key] = Place(unit, unit.time_zone if wrong else zone.key, windows.narrower(unit.hours, own))
        return self._places[key]
