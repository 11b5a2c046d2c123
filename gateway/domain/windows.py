"""The hours in which a client may be texted, read on a clock in the client's own time zone.

A window is about what a clock on the wall shows. So an hour that a clock change leaves out is never waited
for in vain, an hour that comes twice is open twice, and nobody is texted while their own clock shows a time
outside.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from gateway.domain.errors import Refused
from gateway.domain.told import N_

Zone = str | ZoneInfo

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
MINUTES_A_DAY = 24 * 60

# Later than any `send_before`, yet a date that databases and time zones can still count with.
FAR_FUTURE = datetime(9999, 1, 1, tzinfo=UTC)

# Names that a tz database may hold, but that depend on the machine or count leap seconds.
_NOT_ZONES = ("right/", "posix/", "localtime", "posixrules", "Factory")


@dataclass(frozen=True, slots=True)
class Window:
    """Open from `opens` until just before `closes`, each day; over midnight if it closes before it opens.

    With both the same it never opens. Where a window may be absent, None means always open. Both times are
    whole minutes on the client's clock; anything finer is Refused.
    """

    opens: time
    closes: time

    def __post_init__(self) -> None:
        if any(t.second or t.microsecond or t.tzinfo for t in (self.opens, self.closes)):
            raise Refused(
                "Allowed hours are whole minutes on the client's own clock, such as 08:00 to 20:00."
            )

    def holds(self, wall: time) -> bool:
        """Whether a clock that shows `wall` is inside."""
        if self.opens <= self.closes:
            return self.opens <= wall < self.closes
        return wall >= self.opens or wall < self.closes


NEVER = Window(time(0), time(0))


def never_opens(window: Window | None) -> bool:
    """Whether nothing can ever be sent in this window: hours that contradict each other, for a person."""
    return window is not None and window.opens == window.closes


def narrower(a: Window | None, b: Window | None) -> Window | None:
    """The hours inside both (of the unit and of the client); never wider than either.

    Two windows with nothing in common give NEVER, for the caller to flag. Two that share two separate times
    of the day (possible when one is over midnight) give the longer one, at equal length the one that opens
    earlier.
    """
    if a is None or b is None:
        return b if a is None else a
    return _narrower(a, b)


@lru_cache(maxsize=1024)
def _narrower(a: Window, b: Window) -> Window:
    shared = [
        (max(a_from, b_from), min(a_to, b_to))
        for a_from, a_to in _spans(a)
        for b_from, b_to in _spans(b)
        if max(a_from, b_from) < min(a_to, b_to)
    ]
    if len(shared) > 1 and shared[0][0] == 0 and shared[-1][1] == MINUTES_A_DAY:
        shared = [*shared[1:-1], (shared[-1][0], shared[0][1] + MINUTES_A_DAY)]  # one piece over midnight
    if not shared:
        return NEVER
    start, end = max(shared, key=lambda span: (span[1] - span[0], -span[0]))
    return Window(_time(start), _time(end))


def _spans(window: Window) -> list[tuple[int, int]]:
    """The window as spans of minutes of one day, in order."""
    opens, closes = (t.hour * 60 + t.minute for t in (window.opens, window.closes))
    if opens <= closes:
        return [(opens, closes)] if opens < closes else []
    return [(0, closes), (opens, MINUTES_A_DAY)] if closes else [(opens, MINUTES_A_DAY)]


def _time(minute: int) -> time:
    return time(minute // 60 % 24, minute % 60)


def is_open(window: Window | None, zone: Zone, at: datetime) -> bool:
    """Whether a text may reach the client at this moment."""
    return next_open(window, zone, at) <= at


def next_open(window: Window | None, zone: Zone, at: datetime) -> datetime:
    """The first moment, not before `at`, when the window is open: `at` itself if it is open now.

    A window that never opens gives FAR_FUTURE, so that whatever waits for it expires. An unknown zone is
    Refused; use `zone_or` first where the name comes from outside.
    """
    if window is None:
        return at
    minute = _minute(at)
    return at if window.holds(minute.astimezone(zone_of(zone)).time()) else max(at, _period(window, zone, minute)[0])


def last_moment(window: Window | None, zone: Zone, at: datetime) -> datetime:
    """When the period open at `at`, or else the next one, closes: from then on it is too late.

    FAR_FUTURE for a window that is always, or never, open.
    """
    return FAR_FUTURE if window is None else _period(window, zone, _minute(at))[1]


def open_time(window: Window | None, zone: Zone, start: datetime, end: datetime) -> timedelta:
    """How long the window is open between two moments; all the time where it is always, or never, open."""
    if window is None or never_opens(window):
        return max(end - start, timedelta(0))
    total, at = timedelta(0), next_open(window, zone, start)
    while at < end:
        closes_at = last_moment(window, zone, at)
        total += min(closes_at, end) - at
        at = next_open(window, zone, closes_at)
    return total


def _minute(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("a moment without a time zone; moments are aware UTC everywhere")
    return at.replace(second=0, microsecond=0)


# Windows and clock changes fall on whole minutes: one answer serves the minute and everybody in the zone.
@lru_cache(maxsize=4096)
def _period(window: Window, zone: Zone, minute: datetime) -> tuple[datetime, datetime]:
    """When the window opens (at the latest `minute`, if open then) and when it closes after that."""
    if never_opens(window):
        return FAR_FUTURE, FAR_FUTURE
    clock = zone_of(zone)
    opens_at = _first(window, True, clock, minute.astimezone(UTC))
    return opens_at, _first(window, False, clock, opens_at)


def _first(window: Window, wanted: bool, clock: ZoneInfo, at: datetime) -> datetime:
    """The first moment, not before `at`, when the window is open (or, not `wanted`, when it is closed)."""
    wall = at.astimezone(clock)
    if window.holds(wall.time()) == wanted:
        return at
    edge = window.opens if wanted else window.closes
    wait = timedelta(hours=edge.hour - wall.hour, minutes=edge.minute - wall.minute) % DAY
    # Across a clock change this sum is wrong: go on from the change, where the hour may already be right.
    changed_at = _clock_change(clock, at, at + wait)
    return _first(window, wanted, clock, changed_at) if changed_at else at + wait


def _clock_change(clock: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The minute in (start, end], within a day, from which the zone's offset differs from that at `start`."""
    offset = start.astimezone(clock).utcoffset()
    if end.astimezone(clock).utcoffset() == offset:
        return None
    before, after = 0, (end - start) // MINUTE
    while after - before > 1:
        middle = (before + after) // 2
        same = (start + middle * MINUTE).astimezone(clock).utcoffset() == offset
        before, after = (middle, after) if same else (before, middle)
    return start + after * MINUTE


def instant(wall: datetime, zone: Zone) -> datetime:
    """The moment (UTC) at which a clock in `zone` shows `wall`, which has no time zone.

    A time that comes twice means its first coming; one that a clock change leaves out means as much later as
    the clock jumps (02:30 becomes 03:30).
    """
    return wall.replace(tzinfo=zone_of(zone), fold=0).astimezone(UTC)


@lru_cache(maxsize=1024)
def zone_of(zone: Zone) -> ZoneInfo:
    """The time zone of a name such as Europe/London; anything unknown is Refused."""
    if isinstance(zone, ZoneInfo):
        return zone
    try:
        if zone.startswith(_NOT_ZONES):
            raise ValueError
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise Refused(
            "This time zone is not known. Use a name of the tz database, such as Asia/Ho_Chi_Minh."
        ) from None


def is_known(zone: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        return bool(zone_of(zone))
    except Refused:
        return False


def zone_or(zone: str | None, fallback: Zone) -> tuple[ZoneInfo, str | None]:
    """The client's zone, or the site's with a warning: a missing or bad zone never drops a person."""
    name = (zone or "").strip()
    if not name:
        return zone_of(fallback), N_("no time zone given; the unit's is used")
    try:
        return zone_of(name), None
    except Refused:
        return zone_of(fallback), N_("the time zone is not known; the unit's is used")
