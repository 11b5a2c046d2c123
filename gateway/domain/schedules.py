"""When a one-off campaign reaches each client: at one moment for all, or on each client's own clock."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from gateway.domain import windows
from gateway.domain.windows import Zone

# Two days late is no longer the same news; CommCare also skips what is more than 48 hours late.
LASTS = timedelta(hours=48)


@dataclass(frozen=True, slots=True)
class OneOff:
    """`not_before`: None for now; aware for one moment everywhere; naive for each client's own clock.

    `at`: wait for this time of day on the client's clock. `lasts`: how long after its moment a text is still
    worth sending (quiet hours and slow channels eat from it).
    """

    not_before: datetime | None = None
    at: time | None = None
    lasts: timedelta = LASTS


@dataclass(frozen=True, slots=True)
class Moment:
    """When a text is due, and from when on it is no longer sent."""

    due_at: datetime
    send_before: datetime


def due(schedule: OneOff, zone: Zone, now: datetime) -> Moment:
    """The moment for a client in this zone; never past: a late launch reaches everyone now or next `at`."""
    start = schedule.not_before
    if start is None:
        start = now
    elif start.tzinfo is None:
        start = windows.instant(start, zone)
    due_at = max(start.astimezone(UTC), now)
    if schedule.at is not None:
        due_at = next_time(schedule.at, zone, due_at)
    return Moment(due_at, due_at + schedule.lasts)


def next_time(at: time, zone: Zone, start: datetime) -> datetime:
    """The first moment, not before `start`, when a clock in the zone shows `at` (see `windows.instant`)."""
    today = start.astimezone(windows.zone_of(zone)).date()
    days = (windows.instant(datetime.combine(today + timedelta(days=n), at), zone) for n in range(3))
    return next(moment for moment in days if moment >= start)
