"""A flag that is overdue goes up: from then on it is on the supervisors' own list too, until it is closed. Nothing is sent."""

from datetime import datetime

from sqlalchemy import Engine

from gateway.store import audit, flags
from gateway.store.base import SYSTEM, unit_of_work


def hand_up(engine: Engine, now: datetime | None = None) -> int:
    """Mark what became overdue; how many. Each flag once, whoever has it, and not while it sleeps."""
    with unit_of_work(engine, SYSTEM, now) as work:
        overdue = flags.hand_up(work)
        for row in overdue:
            audit.add(work, "flag.overdue", "flag", row.id, row.unit_id, {"number": row.number}, client_id=row.client_id)
    return len(overdue)
