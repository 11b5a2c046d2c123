"""A unit whose time zone is not known any more (old data, or a change of the tz database) takes that of the unit above, and staff are told."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine

from gateway import log
from gateway.domain import windows
from gateway.store import audit, flags, units
from gateway.store.base import SYSTEM, unit_of_work


def mend(engine: Engine, now: datetime | None = None) -> int:
    """Give such units the zone of the nearest unit above that has a known one, else the one that most have; how many.

    Nobody is texted by a clock that does not exist, and a unit without one holds up nobody else. Where no zone at all is
    known nothing is guessed, and the log says so.
    """
    with unit_of_work(engine, SYSTEM, now) as work:
        if all(map(windows.is_known, units.zones(work))):
            return 0
        found = {unit.id: unit for unit in units.list_seen(work)}
        known = Counter(unit.time_zone for unit in found.values() if windows.is_known(unit.time_zone))
        mended = 0
        for unit in found.values():
            if windows.is_known(unit.time_zone):
                continue
            above = found.get(unit.parent_id) if unit.parent_id else None
            while above is not None and not windows.is_known(above.time_zone):
                above = found.get(above.parent_id) if above.parent_id else None
            zone = above.time_zone if above else next((zone for zone, _count in known.most_common(1)), None)
            if zone is None:
                log.error("zone_unknown", unit=unit.id)
                continue
            units.save(work, replace(unit, time_zone=zone))
            audit.add(work, "unit.zone_mended", "unit", unit.id, unit.id, {"from": unit.time_zone, "to": zone})
            flags.add(work, unit_id=unit.id, reason="zone_unknown", dedupe_key=f"zone_unknown:{unit.id}:{work.now.isoformat()}")
            mended += 1
    return mended
