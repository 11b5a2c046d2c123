"""When a text that comes again falls due: its days, moved off holidays, at a time of day, spread over a window.

A round is one day that the plan names (`on`), whatever day it moves to: that is what makes it the same round when it is
planned again with other holidays or hours.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Literal, get_args

from gateway.domain import recurrence, windows
from gateway.domain.errors import Refused
from gateway.domain.recurrence import Rule
from gateway.domain.schedules import LASTS
from gateway.domain.told import N_
from gateway.domain.windows import Window, Zone

Policy = Literal["send", "skip", "before", "after"]
Calendar = frozenset[date]
"""The holidays of a unit."""

ON_A_HOLIDAY = N_("holiday")
MOVED_BEFORE, MOVED_AFTER = N_("moved to before a holiday"), N_("moved to after a holiday")
ANOTHER_WEEKDAY = N_("moved to a chosen weekday")
SAME_DAY = N_("another text of this step falls on the same day")
NOWHERE = N_("holiday, and no other day within two weeks")

DAY = timedelta(days=1)
FURTHEST = 14  # days that a holiday moves a text at most
SLACK = timedelta(days=FURTHEST + 8)  # and a week for the choice of weekdays, a day for time zones
WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
WORKING = frozenset(range(5))

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(:00)?")
_SPAN = re.compile(r"(?:(\d{1,3})h)?(?:(\d{1,4})m)?")


@dataclass(frozen=True, slots=True)
class Timing:
    """The time of day, and what happens to a day on which nothing should be sent.

    `spread`: each client at a moment of their own in so long a time from `at` on. `lasts`: how long after `at` a text
    is still worth sending. `weekdays`: 0 for Monday; a day that is not among them moves to the next that is.
    """

    at: time
    lasts: timedelta = LASTS
    spread: timedelta = timedelta(0)
    weekdays: frozenset[int] = frozenset(range(7))
    holidays: Policy = "send"


@dataclass(frozen=True, slots=True)
class Recurring:
    """The days of a rule, from `start` on (None: from when the campaign starts)."""

    rule: Rule
    timing: Timing
    start: date | None = None


@dataclass(frozen=True, slots=True)
class StepDays:
    """The days of a programme's step, counted from a client's day 0: `day`, and `times` in all, each `every` days."""

    day: int
    timing: Timing
    every: int = 0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Round:
    """One day of the plan. `at`: the moment it is due at the earliest; `skipped`: why it is not sent at all."""

    on: date
    at: datetime
    send_before: datetime
    moved: str | None = None
    skipped: str | None = None


# --- reading --------------------------------------------------------------------------------------------------------

TIMING = frozenset({"at", "lasts", "spread", "weekdays", "holidays"})


def read_timing(data: Mapping[str, Any]) -> Timing:
    """What a campaign file says of the time of day. Raises Refused."""
    clock = _CLOCK.fullmatch(str(data.get("at", "09:00")))
    if clock is None:
        raise Refused("the time of day is written as 17:00")
    lasts, spread = (_span(data, name) for name in ("lasts", "spread"))
    weekdays = data.get("weekdays", WEEKDAYS)
    if not isinstance(weekdays, list | tuple) or not weekdays or not set(weekdays) <= set(WEEKDAYS):
        raise Refused("weekdays are written as {days}", days='["mo", "tu", "we", "th", "fr", "sa", "su"]')
    holidays = data.get("holidays", "send")
    if holidays not in get_args(Policy):
        raise Refused("holidays is one of send, skip, before, after: what happens to a text that falls on one")
    if lasts is not None and not timedelta(hours=1) <= lasts <= timedelta(hours=720):
        raise Refused("lasts is written as hours, 1h to 720h: how long the text is still worth sending")
    if spread is not None and spread > timedelta(hours=12):
        raise Refused("spread is written as 30m or 2h, and at most 12h")
    return Timing(
        time(int(clock[1]), int(clock[2])), lasts or LASTS, spread or timedelta(0),
        frozenset(WEEKDAYS.index(day) for day in weekdays), holidays,
    )  # fmt: skip


def _span(data: Mapping[str, Any], name: str) -> timedelta | None:
    if name not in data:
        return None
    span = _SPAN.fullmatch(str(data[name]))
    if span is None or not any(span.groups()):
        raise Refused("{name} is written as 30m, 2h or 1h30m", name=name)
    return timedelta(hours=int(span[1] or 0), minutes=int(span[2] or 0))


def read_recurring(data: Mapping[str, Any]) -> Recurring:
    """What a recurring campaign's [schedule] says. Raises Refused."""
    every = str(data.get("every", ""))
    timing = read_timing(data)
    if every in recurrence.WORKING_DAYS:
        every, way = recurrence.WORKING_DAYS[every]
        timing = Timing(timing.at, timing.lasts, timing.spread, WORKING, way)  # type: ignore[arg-type]
    return Recurring(recurrence.read(every), timing, read_day(data["start"]) if "start" in data else None)


def read_step(data: Mapping[str, Any]) -> StepDays:
    """What a programme's step says, with what its [schedule] says for all steps. Raises Refused."""
    try:
        day, every, times = (int(data.get(name, default)) for name, default in (("day", ""), ("every", 0), ("times", 1)))
    except (ValueError, TypeError):
        raise Refused("day, every and times of a step are whole numbers of days and of texts") from None
    if not (-366 <= day <= 3660 and 0 <= every <= 366 and 1 <= times <= 1000) or (times > 1) != (every > 0):
        raise Refused("a step is sent on its day (-366 to 3660); to send it again, both every (days) and times are needed")
    return StepDays(day, read_timing(data), every, times)


def read_day(typed: Any) -> date:
    """A day as files write it. Raises Refused."""
    try:
        return date.fromisoformat(str(typed))
    except ValueError:
        raise Refused("a day is written as 2030-01-31") from None


# --- planning -------------------------------------------------------------------------------------------------------


def of_rule(plan: Recurring, start: date, zone: Zone, calendar: Calendar, since: datetime, until: datetime) -> list[Round]:
    """The rounds of a rule, counted from `start`, whose moment lies in [since, until)."""
    first, last = _local(since, zone) - SLACK, _local(until, zone) + SLACK
    return _within(_placed(recurrence.days(plan.rule, plan.start or start, first, last), plan.timing, zone, calendar), since, until)


def of_step(step: StepDays, day_zero: date, zone: Zone, calendar: Calendar) -> list[Round]:
    """All rounds of a programme's step for a client with this day 0."""
    days = (day_zero + (step.day + n * step.every) * DAY for n in range(step.times))
    return list(_placed(days, step.timing, zone, calendar))


def overtaken(named: Iterable[Round], placed: Iterable[Round], since: datetime) -> list[Round]:
    """Rounds `named` without holidays that those took to a day before `since`: too late to send, they are listed as skipped."""
    gone = {each.on for each in placed if not each.skipped and each.at < since}
    return [replace(each, moved=None, skipped=ON_A_HOLIDAY) for each in named if each.on in gone and each.at >= since and not each.skipped]


def missed(plan: Recurring, start: date, zone: Zone, calendar: Calendar, since: datetime, until: datetime) -> list[Round]:
    """The rounds of a rule that would lie in [since, until), had holidays not taken them to a day before."""
    if plan.timing.holidays != "before" or not calendar:
        return []
    named = of_rule(plan, start, zone, frozenset(), since, until)
    return overtaken(named, of_rule(plan, start, zone, calendar, since - SLACK, since), since) if named else []


def ends(plan: Recurring, start: date) -> date | None:
    """The last day that the plan names, None if it goes on for ever."""
    return recurrence.ends(plan.rule, plan.start or start)


def _local(at: datetime, zone: Zone) -> date:
    return at.astimezone(windows.zone_of(zone)).date()


def _within(found: Iterable[Round], since: datetime, until: datetime) -> list[Round]:
    return [each for each in found if since <= each.at < until]


def _placed(days: Iterable[date], timing: Timing, zone: Zone, calendar: Calendar) -> Iterator[Round]:
    """Each day with its moment. Of two that come to fall on one day, the one that did not move is sent, else the first.

    What is not sent stays at its own day's moment, so that no two rounds share one.
    """
    found = [(on, *_moved(on, timing, calendar)) for on in days]
    kept: dict[date, date] = {}
    for on, day, _, skipped in found:
        if not skipped and (day not in kept or on == day):
            kept[day] = on
    for on, day, moved, skipped in found:
        reason = skipped or (SAME_DAY if kept[day] != on else None)
        at = windows.instant(datetime.combine(on if reason else day, timing.at), zone)
        yield Round(on, at, at + timing.lasts, None if reason else moved, reason)


def _moved(on: date, timing: Timing, calendar: Calendar) -> tuple[date, str | None, str | None]:
    """The day it is sent on, why that is another one, and why it is not sent."""
    day = next(on + n * DAY for n in range(7) if (on + n * DAY).weekday() in timing.weekdays)
    moved = None if day == on else ANOTHER_WEEKDAY
    if day not in calendar or timing.holidays == "send":
        return day, moved, None
    if timing.holidays == "skip":
        return day, None, ON_A_HOLIDAY
    way, reason = (-DAY, MOVED_BEFORE) if timing.holidays == "before" else (DAY, MOVED_AFTER)
    days = (day + n * way for n in range(1, FURTHEST + 1))
    free = next((other for other in days if other not in calendar and other.weekday() in timing.weekdays), None)
    return (day, None, NOWHERE) if free is None else (free, reason, None)


def due(found: Round, spread: timedelta, key: str, window: Window | None, zone: Zone) -> datetime:
    """The moment for one client: theirs alone in the spread, within the hours in which they may be texted.

    Always the same for the same `key`. Where the hours never open in time, it is the round's own moment.
    """
    if not spread:
        return found.at
    opens_at = windows.next_open(window, zone, found.at)
    closes_at = min(opens_at + spread, windows.last_moment(window, zone, opens_at), found.send_before)
    if opens_at >= closes_at:
        return found.at
    return opens_at + timedelta(seconds=int((closes_at - opens_at).total_seconds() * share(key)))


def share(key: str) -> float:
    """A number from 0 up to 1 that looks drawn by chance, and is the same for the same key."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=6).digest()) / (1 << 48)
