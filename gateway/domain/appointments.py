"""One row of an appointment list -> when and where a client is expected, or every reason why it cannot be
taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from gateway.domain import cells, columns, windows
from gateway.domain.columns import Columns
from gateway.domain.errors import Refused
from gateway.domain.register_words import APPOINTMENT_HEADINGS, APPOINTMENT_STATES
from gateway.domain.told import N_
from gateway.domain.windows import Zone


@dataclass(frozen=True, slots=True)
class Visit:
    """An appointment as its list has it. `wall` is what the clock at the place shows; it has no time zone."""

    outside_id: str
    client: str  # the client's code
    wall: datetime
    unit: str | None
    state: str | None  # booked | cancelled | attended | missed; None: the row does not say

    def starts_at(self, zone: Zone) -> datetime:
        """The moment it starts, in the time zone of the place."""
        return windows.instant(self.wall, zone)


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that cannot be taken, with all its reasons."""

    outside_id: str | None
    reasons: tuple[str, ...]


def find_columns(headings: Sequence[str]) -> Columns:
    """The list's columns. Refused without an id, a client and a day (as a date, or counted from today)."""
    found = columns.find(headings, APPOINTMENT_HEADINGS, required=("appointment_id", "client"))
    if not {"day", "days_from_today"} & found.places.keys():
        raise Refused(
            "No column is named as the day of the appointment. Name one date, ngày hẹn or days_from_today."
        )
    return found


def read(row: Sequence[str], found: Columns, today: date) -> Visit | Rejected:
    """The appointment of this row; days_from_today counts from `today`. Takes any text without failing."""
    reasons = []
    outside_id, client = found.cell(row, "appointment_id"), found.cell(row, "client")
    if not outside_id:
        reasons.append(N_("appointment id: missing, and a second import could not recognise the appointment"))
    if not client:
        reasons.append(N_("client: missing"))
    wall = _wall(row, found, today, reasons)
    word = found.cell(row, "state")
    state = APPOINTMENT_STATES.get(cells.key(word)) if word else None
    if word and state is None:
        reasons.append(N_("state: not known; use booked, cancelled, attended or missed"))
    if wall is None or reasons:
        return Rejected(outside_id or None, tuple(reasons))
    return Visit(outside_id, client, wall, found.cell(row, "unit") or None, state)


def _wall(row: Sequence[str], found: Columns, today: date, reasons: list[str]) -> datetime | None:
    try:
        day, at = _day(row, found, today)
    except Refused as refused:
        reasons.append(N_("day: {why}").format(why=refused))
        return None
    try:
        clock = found.cell(row, "time")
        at = cells.read_time(clock) if clock else at
    except Refused as refused:
        reasons.append(N_("time: {why}").format(why=refused))
        return None
    if at is None:
        reasons.append(N_("time: missing"))
        return None
    return datetime.combine(day, at)


def _day(row: Sequence[str], found: Columns, today: date) -> tuple[date, time | None]:
    counted = found.cell(row, "days_from_today")
    if counted:
        return cells.later(today, cells.read_count(counted)), None
    day, at = cells.read_day_and_time(found.cell(row, "day"))
    return day, None if at == time(0) else at  # exports write a date without a time as midnight
