"""Reminders as steps before an appointment: when each is due, until when of use, which come too late."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.domain import windows
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.domain.windows import Zone

IN_THE_PAST = N_("in the past")
NOT_BEFORE_THE_APPOINTMENT = N_("not before the appointment")
SAME_MOMENT = N_("at the same moment as another step")

# A reminder must leave time to act on it: a quarter of its lead is kept free, and never more than an hour.
MARGIN_SHARE = 4
MARGIN_AT_MOST = timedelta(hours=1)
LONGEST = timedelta(days=366)

_SPAN = re.compile(r"\s*(?:(\d{1,3})\s*d)?\s*(?:(\d{1,4})\s*h)?\s*(?:(\d{1,5})\s*m)?\s*", re.IGNORECASE)
_CLOCK = re.compile(r"\s*([01]?\d|2[0-3]):([0-5]\d)\s*")


@dataclass(frozen=True, slots=True)
class Step:
    """`before` the appointment: its whole days on the local calendar, the rest on a stop-watch.

    So "1d" is the same time of day the day before, whatever the clocks do in between; "24h" means the same.
    With `at` it falls on that day at this local time; `before` is then whole days, 0 for the day itself.
    """

    id: str
    before: timedelta
    at: time | None = None

    def __post_init__(self) -> None:
        if not timedelta(0) <= self.before <= LONGEST:
            raise Refused("A reminder is sent between 0 minutes and 366 days before its appointment.")
        if self.at is None and not self.before:
            raise Refused('A reminder of 0 days needs a time of day, such as at = "08:00".')
        if self.at is not None and self.before % timedelta(days=1):
            raise Refused('A reminder at a time of day is counted in whole days, such as before = "1d".')


@dataclass(frozen=True, slots=True)
class Planned:
    """One step of one appointment. `skipped`: why it is not sent at all; None if it waits for `due_at`."""

    step_id: str
    due_at: datetime
    send_before: datetime
    skipped: str | None


def read_step(step_id: str, before: str, at: str | None = None) -> Step:
    """A step as campaign files write it: before "7d", "2h", "90m" or "1d12h"; at "17:00". Else Refused."""
    span = _SPAN.fullmatch(before)
    if span is None or not any(span.groups()):
        raise Refused("The time before an appointment is written as 7d, 1d, 2h, 90m or 1d12h.")
    days, hours, minutes = (int(part or 0) for part in span.groups())
    clock = _CLOCK.fullmatch(at) if at is not None else None
    if at is not None and clock is None:
        raise Refused("The time of day of a reminder is written as 17:00.")
    time_of_day = time(int(clock[1]), int(clock[2])) if clock else None
    return Step(step_id, timedelta(days=days, hours=hours, minutes=minutes), time_of_day)


def plan(steps: Sequence[Step], starts_at: datetime, zone: Zone, now: datetime) -> list[Planned]:
    """Every step, in the order they fall due; nothing is left out, what cannot be sent says why.

    A step serves until the next one is due or the appointment is too near, whichever comes first. So two
    steps are never waiting at the same time, and `send_before` is never after the appointment.
    """
    dues = sorted((_due_at(step, starts_at, zone), place, step) for place, step in enumerate(steps))
    planned = []
    for place, (due_at, _, step) in enumerate(dues):
        following = dues[place + 1][0] if place + 1 < len(dues) else starts_at
        send_before = min(following, starts_at - _margin(starts_at - due_at))
        planned.append(Planned(step.id, due_at, send_before, _skipped(due_at, following, starts_at, now)))
    return planned


def _due_at(step: Step, starts_at: datetime, zone: Zone) -> datetime:
    starts = starts_at.astimezone(windows.zone_of(zone)).replace(tzinfo=None)
    day = starts - timedelta(days=step.before.days)
    wall = day if step.at is None else datetime.combine(day.date(), step.at)
    if wall == starts:
        return (
            starts_at - step.before
        )  # counted in hours alone: no detour over the calendar, which may be ambiguous
    return windows.instant(wall, zone) - timedelta(seconds=step.before.seconds)


def _margin(lead: timedelta) -> timedelta:
    return max(timedelta(0), min(lead / MARGIN_SHARE, MARGIN_AT_MOST))


def _skipped(due_at: datetime, following: datetime, starts_at: datetime, now: datetime) -> str | None:
    if due_at < now:
        return IN_THE_PAST
    if due_at >= starts_at:
        return NOT_BEFORE_THE_APPOINTMENT
    return SAME_MOMENT if due_at == following else None
