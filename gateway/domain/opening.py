"""When a place is open: a week of hours as people write them, and what they mean at a moment.

Hours are what a clock on the wall of the place shows. A span belongs to the day it begins on, so that Friday 20:00-02:00 ends on
Saturday, and a holiday on Saturday does not shorten it.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache

from gateway.domain import cells, segments, windows
from gateway.domain.errors import Refused
from gateway.domain.windows import Zone

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MIDNIGHT = time(0)
ALWAYS = "24/7"
# So far ahead an opening is looked for: the longest holidays are shorter.
HORIZON_DAYS = 31

_WEEK = tuple(range(7))
_DAYS: dict[str, tuple[int, ...]] = {
    word: (day,)
    for day, words in enumerate((
        "monday mon lundi lun t2", "tuesday tues tue mardi mar t3", "wednesday wed mercredi mer t4", "thursday thurs thur thu jeudi jeu t5",
        "friday fri vendredi ven t6", "saturday sat samedi sam t7", "sunday sun dimanche dim cn",
    ))
    for word in words.split()
}  # fmt: skip
_DAYS |= {f"thu {word}": (day,) for day, word in enumerate(("hai", "ba", "tu", "nam", "sau", "bay"))}
_DAYS |= {f"thu {day + 2}": (day,) for day in range(6)}
_DAYS |= {"chu nhat": (6,)}
_DAYS |= dict.fromkeys(("daily", "every day", "hang ngay", "moi ngay", "ca tuan", "tous les jours"), _WEEK)
_TIME = r"\d{1,2}(?:\s?(?:[:.hg]|gio)\s?\d{2}|\s?[hg](?![a-z])|\s?gio)?(?:\s?(?:am|pm|sa|ch)\b)?"
_TOKEN = re.compile(
    rf"(?P<day>{'|'.join(sorted(_DAYS, key=len, reverse=True))})(?![a-z0-9])|(?P<time>{_TIME})|(?P<to>[-~]|(?:to|den|toi|a)\b)"
    r"|(?P<closed>(?:closed|nghi|dong cua|ferme)\b)|(?P<and>[,;&:+\n]|(?:and|va|et)\b)|(?P<space>\s+)|(?P<wrong>.)"
)
_UNREAD = "hours that cannot be read; write them as Mon-Fri 07:30-11:30, 13:30-17:00; Sat 08:00-12:00, or 24/7"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Open on a weekday (0: Monday) from `opens` until just before `closes`; on the next day if it closes before it opens.

    Both at midnight is the whole day.
    """

    day: int
    opens: time
    closes: time


@dataclass(frozen=True, slots=True)
class Hours:
    """The spans of a week, in order. Every day as a whole is `always`, and then no holiday closes the place."""

    spans: tuple[Span, ...]

    @property
    def always(self) -> bool:
        """Whether it never closes."""
        return self == NEVER_CLOSED

    def __str__(self) -> str:
        """As `read` takes it: days with the same hours together."""
        if self.always:
            return ALWAYS
        by_day = {day: ", ".join(_span(span) for span in self.spans if span.day == day) for day in _WEEK}
        return "; ".join(f"{_named(days)} {by_day[days[0]]}" for days in _alike(by_day))


NEVER_CLOSED = Hours(tuple(Span(day, MIDNIGHT, MIDNIGHT) for day in _WEEK))


@dataclass(frozen=True, slots=True)
class Opening:
    """How a place stands at a moment: open until `closes_at` (None: it does not close), or closed until `opens_at` (None: not
    within a month)."""

    is_open: bool
    opens_at: datetime | None = None
    closes_at: datetime | None = None


def _span(span: Span) -> str:
    closes = "24:00" if span.closes == MIDNIGHT else f"{span.closes:%H:%M}"
    return f"{span.opens:%H:%M}-{closes}"


def _alike(by_day: dict[int, str]) -> Iterator[tuple[int, ...]]:
    """Days in a row with the same hours; those without any are left out."""
    run: tuple[int, ...] = ()
    for day in (*_WEEK, None):
        if run and (day is None or by_day[day] != by_day[run[0]]):
            yield run
            run = ()
        if day is not None and by_day[day]:
            run = (*run, day)


def _named(days: tuple[int, ...]) -> str:
    first, last = DAY_NAMES[days[0]], DAY_NAMES[days[-1]]
    return first if len(days) == 1 else f"{first}-{last}"


@lru_cache(maxsize=2048)
def read(text: str) -> Hours:
    """The hours in a cell: "Mon-Fri 7:30-11:30, 13:30-17:00; Sat 8-12", "T2-T6 7h30-16h30", "24/7". Raises Refused.

    Days are named; hours without days are refused, since nobody says whether they hold on a Sunday.
    """
    plain = segments.fold(re.sub("[–—−]", "-", cells.clean(text.replace("\n", ";")))).casefold()
    if plain.replace(" ", "") in (ALWAYS, "24/24", "24h/24", "24/24h"):
        return NEVER_CLOSED
    spans = [Span(day, *times) for days, ways in _groups(plain) for times in ways for day in days]
    if not spans:
        raise Refused(_UNREAD)
    return Hours(tuple(sorted(set(spans))))


Times = tuple[time, time]


def _groups(plain: str) -> Iterator[tuple[list[int], list[Times]]]:
    """Days, and the hours that were written after them."""
    days, times, to, closed = list[int](), list[str](), False, False
    ways: list[Times] = []
    for found in [*_TOKEN.finditer(plain), None]:
        kind = found.lastgroup if found else "end"
        if kind in ("day", "end") and (ways or closed):
            if times or not days:
                raise Refused(_UNREAD)
            yield days, ways
            days, ways, closed = [], [], False
        match kind:
            case "day":
                assert found is not None
                days += _range(days, _DAYS[found[0]]) if to else _DAYS[found[0]]
                to = False
            case "time":
                assert found is not None
                times.append(found[0])
                if len(times) == 2 and to:
                    ways.append(_times(times))
                    times = []
                elif len(times) != 1:
                    raise Refused(_UNREAD)
                to = False
            case "to":
                to = True
            case "closed":
                closed = True
            case "wrong":
                raise Refused(_UNREAD)
    if days or times:
        raise Refused(_UNREAD)


def _range(days: list[int], until: tuple[int, ...]) -> list[int]:
    """The days after the last one, up to that one: Mon-Fri, also Sat-Mon."""
    if not days or len(until) != 1:
        raise Refused(_UNREAD)
    count = (until[0] - days[-1]) % 7
    return [(days[-1] + step) % 7 for step in range(1, count + 1)]


def _times(pair: list[str]) -> Times:
    window = cells.read_window("-".join(pair))
    return (MIDNIGHT, MIDNIGHT) if window is None else (window.opens, window.closes)


def look(hours: Hours, zone: Zone, now: datetime, holidays: Collection[date] = ()) -> Opening:
    """Whether a place is open now and until when, or when it opens next. What begins on a holiday does not take place."""
    if hours.always:
        return Opening(True)
    today = now.astimezone(windows.zone_of(zone)).date()
    days = (today + timedelta(days=step) for step in range(-1, HORIZON_DAYS))
    opens_at = closes_at = None
    for start, end in sorted(_taking_place(hours, zone, days, holidays)):
        if opens_at is None and end > now:
            opens_at, closes_at = start, end
        elif closes_at is not None and start <= closes_at:
            closes_at = max(closes_at, end)
    if opens_at is None or closes_at is None:
        return Opening(False)
    is_open = opens_at <= now
    last = windows.instant(datetime.combine(today + timedelta(days=HORIZON_DAYS - 1), MIDNIGHT), zone)
    return Opening(is_open, None if is_open else opens_at, closes_at if closes_at < last else None)


def _taking_place(
    hours: Hours, zone: Zone, days: Iterator[date], holidays: Collection[date]
) -> Iterator[tuple[datetime, datetime]]:
    """The spans of some days as moments. One that a clock change swallows does not take place."""
    for day in days:
        for span in hours.spans if day not in holidays else ():
            if span.day != day.weekday():
                continue
            start = windows.instant(datetime.combine(day, span.opens), zone)
            ends_on = day if span.closes > span.opens else day + timedelta(days=1)
            end = windows.instant(datetime.combine(ends_on, span.closes), zone).astimezone(UTC)
            if start < end:
                yield start, end
