"""What the answer to a cry for help says outside the unit's hours: when a person certainly reads."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from gateway.content import Content
from gateway.domain import flags, windows
from gateway.domain.templates import Template
from gateway.store import holidays, units
from gateway.store.base import Work

PURPOSE = "crisis_answer"
HORIZON = timedelta(days=31)


def closed(work: Work, content: Content, unit_id: UUID, clock: units.Clock) -> tuple[dict[str, datetime], Mapping[tuple[str, str], Template]] | None:
    """The moment, and the words to say it in, in place of the usual ones; None while the unit is open."""
    today = work.now.astimezone(windows.zone_of(clock.zone)).date()
    free = holidays.of_unit(work, unit_id, today, today + HORIZON)
    opens_at = flags.reads_at(work.now, clock.hours, clock.zone, free)
    if opens_at is None:
        return None
    other = {(PURPOSE, code): replace(template, purpose=PURPOSE)
             for (purpose, code), template in content.templates.items() if purpose == f"{PURPOSE}_closed"}  # fmt: skip
    return {"opens_at": opens_at}, other
