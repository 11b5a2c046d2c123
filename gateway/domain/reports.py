"""The reports there are, the periods they are for, and what a table of one holds. Nothing else can be asked for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from gateway.domain.errors import Refused
from gateway.domain.told import N_


@dataclass(frozen=True, slots=True)
class Report:
    """A fixed table: its columns, and whether a row of it adds up."""

    title: str
    columns: Mapping[str, str]
    across: bool = True
    by_channel: bool = False


REPORTS: Mapping[str, Report] = {
    "attendance": Report(N_("Appointments: who came"), {
        "attended": N_("attended"), "missed": N_("missed"), "cancelled": N_("cancelled"), "open": N_("not recorded")}),
    "confirmations": Report(N_("Appointments: what was answered"), {
        "confirmed": N_("confirmed"), "declined": N_("declined"), "reschedule": N_("asked for another time"), "no_answer": N_("no answer")}),
    "replies": Report(N_("Texts that asked for an answer"), {"answered": N_("answered"), "not_answered": N_("not answered")}),
    "silence": Report(N_("Check-ins"), {"answered": N_("answered"), "silent": N_("silent"), "waiting": N_("still waiting")}),
    "delivery": Report(N_("Delivery of texts"), {
        "delivered": N_("delivered"), "sent": N_("sent, no report"), "failed": N_("failed"), "expired": N_("expired"),
        "unknown": N_("unknown"), "not_sent": N_("never sent"), "waiting": N_("still waiting")}, by_channel=True),
    "first_answer": Report(N_("Time until a person answered"), {
        "minutes": N_("within 15 minutes"), "hour": N_("within an hour"), "half_day": N_("within 4 hours"), "day": N_("within a day"),
        "later": N_("later"), "not_yet": N_("not yet")}),
    "opt_outs": Report(N_("Who wants no texts any more"), {
        "stop": N_("said stop"), "wrong_number": N_("wrong number"), "in_doubt": N_("in doubt"), "carrier": N_("told by the carrier")}),
    "cost": Report(N_("What a visit costs in texts"), {"visits": N_("attended visits"), "segments": N_("segments about appointments")}, across=False),
}  # fmt: skip
BY = ("unit", "language", "channel", "week", "month", "quarter")


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """A week from Monday, a month or a quarter of the year, on the clock of each unit."""

    grain: str
    starts_on: date

    @property
    def ends_before(self) -> date:
        """The day after its last one."""
        if self.grain == "week":
            return self.starts_on + timedelta(days=7)
        return _months_on(self.starts_on, 1 if self.grain == "month" else 3)

    @property
    def parts(self) -> tuple["Period", ...]:
        """The shorter periods that make it up exactly: whoever knows all but one of them knows that one."""
        if self.grain == "quarter":
            return tuple(Period("month", _months_on(self.starts_on, n)) for n in range(3))
        if self.grain == "month" and self.starts_on.weekday() == 0 and (self.ends_before - self.starts_on).days == 28:
            return tuple(Period("week", self.starts_on + timedelta(weeks=n)) for n in range(4))
        return ()

    def __str__(self) -> str:
        if self.grain == "week":
            year, week, _ = self.starts_on.isocalendar()
            return f"{year}-W{week:02d}"
        if self.grain == "month":
            return f"{self.starts_on:%Y-%m}"
        return f"{self.starts_on.year}-Q{(self.starts_on.month + 2) // 3}"


def period_of(on: date, grain: str) -> Period:
    """The week, month or quarter that holds a day."""
    match grain:
        case "week":
            return Period(grain, on - timedelta(days=on.weekday()))
        case "month":
            return Period(grain, on.replace(day=1))
        case "quarter":
            return Period(grain, date(on.year, on.month - (on.month - 1) % 3, 1))
    raise ValueError(grain)


_WRITTEN = re.compile(r"(\d{4})-(?:W(\d{2})|Q([1-4])|(\d{2}))", re.IGNORECASE)


def read_period(typed: str) -> Period:
    """2026-W05, 2026-02 or 2026-Q1. Raises Refused."""
    found = _WRITTEN.fullmatch(typed.strip())
    try:
        if found is not None and found[2]:
            return Period("week", date.fromisocalendar(int(found[1]), int(found[2]), 1))
        if found is not None and found[3]:
            return Period("quarter", date(int(found[1]), int(found[3]) * 3 - 2, 1))
        if found is not None:
            return Period("month", date(int(found[1]), int(found[4]), 1))
    except ValueError:
        pass
    raise Refused("a period is written as 2026-W05, 2026-02 or 2026-Q1")


def periods(since: date, until: date, grain: str, most: int = 60) -> list[Period]:
    """The periods from the one that holds the first day to the one that holds the last. Raises Refused for more than `most`."""
    found = [period_of(since, grain)]
    while found[-1].ends_before <= until:
        found.append(Period(grain, found[-1].ends_before))
        if len(found) > most:
            raise Refused("that is more than {most} rows: ask for a shorter time, or for longer periods", most=most)
    return found


def _months_on(day: date, months: int) -> date:
    at = day.year * 12 + day.month - 1 + months
    return date(at // 12, at % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. None: hidden, since the group is small or would give a small one away."""

    label: str
    counts: Sequence[int | None]
    total: int | None


@dataclass(frozen=True, slots=True)
class Table:
    """A report as it may be shown. `totals` is None where rows do not add up to anything that is shown (periods)."""

    name: str
    by: str
    unit_code: str
    period: str
    rows: Sequence[Row]
    totals: Row | None
    smallest: int  # group that is shown
    counted_at: str | None = None

    @property
    def report(self) -> Report:
        """What it is a table of."""
        return REPORTS[self.name]


def cost_of(row: Row, price: float | None) -> tuple[float | None, float | None]:
    """Of a row of the report "cost": what its segments cost, and what that is for each visit; None where it is not known."""
    visits, segments = row.counts
    cost = None if segments is None or price is None else segments * price
    return cost, None if cost is None or not visits else cost / visits
