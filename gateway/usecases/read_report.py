"""Read a report as it may be shown: small groups hidden, and so much more that they cannot be worked out.

The same figure stands in several tables: a unit's own line is a row in the table of the unit above it and the totals of its
own, a quarter is three months. Whether it is shown is decided once, from the top of the tree down, and a cell of which all
parts but one are shown is hidden with that part. By language and channel everybody gets their own unit alone, since those
tables of units within each other would have to agree too.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from gateway.domain import reports as rules
from gateway.domain import small_numbers, windows
from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.reports import REPORTS, Period, Report, Row, Table, periods
from gateway.domain.small_numbers import Grid, Place
from gateway.domain.told import N_, Gettext
from gateway.store import audit, channels, reports, units
from gateway.store.base import Actor, Work

SMALLEST = "smallest_group"
"""Among the details of a unit: the smallest group that is shown of it and all below it, where it is more than five."""
Key = UUID | str
_NOBODY = (0, 0)
GRAINS = ("week", "month", "quarter")
N_("unit"), N_("language"), N_("channel"), N_("week"), N_("month"), N_("quarter")


def ask(
    work: Work, actor: Actor, name: str, unit: units.Unit, by: str, period: Period | None = None, since: date | None = None, until: date | None = None
) -> Table:
    """The table that was asked for. What is not given: the last full month; over time, from a year ago until today."""
    today = today_in(work, unit)
    if by in GRAINS:
        return over_time(work, actor, name, unit, since or date(today.year - 1, today.month, 1), until or today, by)
    this = rules.period_of(today, "month").starts_on
    return of_period(work, actor, name, unit, period or rules.period_of(date.fromordinal(this.toordinal() - 1), "month"), by)


def today_in(work: Work, unit: units.Unit) -> date:
    """The day that the unit's clock shows."""
    return work.now.astimezone(windows.zone_of(unit.time_zone)).date()


def headings(found: Table, _: Gettext) -> list[str]:
    """What stands above its columns."""
    last = [_("all")] if found.report.across else [_("cost"), _("cost for each visit")]
    return [_(found.by), *map(_, found.report.columns.values()), *last]


def cells(found: Table, unit: units.Unit, _: Gettext) -> Iterator[list[str | int | None]]:
    """Its rows, totals last. None: hidden, or not known."""
    for row in (*found.rows, *([found.totals] if found.totals else [])):
        yield [row.label or _("all"), *row.counts, *([row.total] if found.report.across else _cost(row, unit))]


def _cost(row: Row, unit: units.Unit) -> list[str | None]:
    """What its segments cost, and that for each visit, by the unit's price of a segment."""
    price, currency = price_of(unit)
    return [None if cost is None else f"{cost:.2f} {currency}".rstrip() for cost in rules.cost_of(row, price)]


def of_period(work: Work, actor: Actor, name: str, unit: units.Unit, period: Period, by: str) -> Table:
    """One period's figures by unit, language or channel. Runs as the system, for an actor who sees the unit (`units.by_code`).

    Raises Refused, NotAllowed.
    """
    report = _report(name)
    if by not in ("unit", "language", "channel") or (by == "channel" and not report.by_channel):
        raise Refused("the report {name} is not made by {by}", name=name, by=by)
    if by != "unit" and unit.id != actor.unit_id:
        raise NotAllowed("by language and by channel there are only the figures of your own unit")
    reading = _Reading(work, name, report)
    shape = reading.of(unit, period, by)
    hidden = reading.hidden(unit, period, by)
    names = {str(key): label for key, label in channels.names(work).items()} if by == "channel" else {}
    rows = [_row(names.get(label, label), shape, hidden, r) for r, label in enumerate(shape.labels)]
    _note(work, actor, unit, {"report": name, "by": by, "period": str(period)})
    return Table(name, by, unit.code, str(period), rows, _row("", shape, hidden, len(shape.keys)), _smallest(unit), _counted_at(work, period))


def over_time(work: Work, actor: Actor, name: str, unit: units.Unit, since: date, until: date, grain: str) -> Table:
    """A unit's figures week by week, month by month or quarter by quarter. Runs as the system, as `of_period` does."""
    reading, wanted = _Reading(work, name, _report(name)), periods(since, until, grain)
    rows = []
    for period in wanted:
        shape = reading.of(unit, period, "unit")
        rows.append(_row(str(period), shape, reading.hidden(unit, period, "unit"), len(shape.keys)))
    _note(work, actor, unit, {"report": name, "by": grain, "period": f"{wanted[0]} - {wanted[-1]}"})
    return Table(name, grain, unit.code, f"{wanted[0]} - {wanted[-1]}", rows, None, _smallest(unit), _counted_at(work, wanted[-1]))


def _report(name: str) -> Report:
    if name not in REPORTS:
        raise Refused("there is no report {name!r}; there are: {names}", name=name, names=[*REPORTS])
    return REPORTS[name]


def _smallest(unit: units.Unit) -> int:
    try:
        return max(small_numbers.LEAST, int(unit.known.get(SMALLEST, 0)))
    except (TypeError, ValueError):
        return small_numbers.LEAST


def price_of(unit: units.Unit) -> tuple[float | None, str]:
    """What a segment costs the unit, and in which money: its details `segment_price` and `currency`, or those of a unit above it."""
    try:
        return float(str(unit.known["segment_price"])), str(unit.known.get("currency", ""))
    except (KeyError, ValueError):
        return None, ""


def _note(work: Work, actor: Actor, unit: units.Unit, detail: Mapping[str, str]) -> None:
    audit.add(work, "report.show", "unit", unit.id, unit.id, detail, by=actor)


def _counted_at(work: Work, period: Period) -> str | None:
    at = reports.counted_at(work, period)
    return None if at is None else at.isoformat()


def _row(label: str, shape: "_Shape", hidden: set[Place], r: int) -> Row:
    counts = shape.grid.counts[r]
    shown = [None if (r, c) in hidden else count for c, count in enumerate(counts)]
    return Row(label, shown[:-1], shown[-1])


@dataclass(frozen=True, slots=True)
class _Shape:
    """A table with what is to be hidden still in it."""

    keys: list[Key]
    labels: list[str]
    grid: Grid
    least: list[int]


@dataclass
class _Reading:
    """One report, with every table that has a say in what of it may be shown."""

    work: Work
    name: str
    report: Report
    _shapes: dict[tuple[UUID, Period, str], _Shape] = field(default_factory=dict)
    _hidden: dict[tuple[UUID, Period, str], set[Place]] = field(default_factory=dict)
    _of_units: dict[Period, list[reports.Count]] = field(default_factory=dict)
    _ways: dict[UUID, dict[UUID, UUID]] = field(default_factory=dict)

    def of(self, unit: units.Unit, period: Period, by: str) -> _Shape:
        """The counts of a unit in a period."""
        known = self._shapes.get((unit.id, period, by))
        if known is None:
            known = self._shapes[unit.id, period, by] = self._shape(unit, period, by)
        return known

    def _shape(self, unit: units.Unit, period: Period, by: str) -> _Shape:
        below: dict[Key, units.Unit] = {child.id: child for child in units.children(self.work, unit.id)} if by == "unit" else {}
        cells = self._cells(unit, period, by)
        keys = [*below, *sorted({key for key, _ in cells if key not in below}, key=str)]
        parts = [*self.report.columns]
        counts = [[cells.get((key, part), _NOBODY)[0] for part in parts] for key in keys]
        counts = [[*row, sum(row)] for row in counts]
        people = [[cells.get((key, part), _NOBODY)[1] for part in (*parts, "")] for key in keys]
        together = max if by == "channel" else sum  # the same people are texted through several channels
        nothing = [0] * (len(parts) + 1)
        totals = [sum(column) for column in zip(*counts, strict=True)] if keys else nothing
        total_people = [together(column) for column in zip(*people, strict=True)] if keys else nothing
        labels = [below[key].code if key in below else unit.code if key == unit.id else str(key) for key in keys]
        least = [_smallest(below.get(key, unit)) for key in keys]
        return _Shape(keys, labels, Grid([*counts, totals], [*people, total_people], self.report.across), [*least, _smallest(unit)])

    def _cells(self, unit: units.Unit, period: Period, by: str) -> dict[tuple[Key, str], tuple[int, int]]:
        """Count and people of each key and part."""
        ways = self._ways.get(unit.id) or self._ways.setdefault(unit.id, units.ways_down(self.work, unit.id))
        if by != "unit":
            found = reports.read(self.work, self.name, by, period, [*ways])
            return {(each.key, each.part): (each.count, each.people) for each in found}
        if period not in self._of_units:
            self._of_units[period] = reports.read(self.work, self.name, by, period)
        cells: dict[tuple[Key, str], tuple[int, int]] = {}
        for each in self._of_units[period]:
            if isinstance(each.key, UUID) and (child := ways.get(each.key)) is not None:
                count, people = cells.get((child, each.part), _NOBODY)
                cells[child, each.part] = count + each.count, people + each.people
        return cells

    def hidden(self, unit: units.Unit, period: Period, by: str) -> set[Place]:
        """Which cells of it are not shown."""
        known = self._hidden.get((unit.id, period, by))
        if known is None:
            shape = self.of(unit, period, by)
            known = small_numbers.hide(shape.grid, shape.least, self._own_line(unit, period, by), self._told_by_parts(unit, period, by))
            self._hidden[unit.id, period, by] = known
        return known

    def _own_line(self, unit: units.Unit, period: Period, by: str) -> set[int] | None:
        """Which of the unit's own figures are hidden, as decided in the table of the unit above it; None at the top."""
        if by != "unit":
            shape = self.of(unit, period, "unit")
            return {c for r, c in self.hidden(unit, period, "unit") if r == len(shape.keys)}
        if unit.parent_id is None:
            return None
        above = units.get(self.work, unit.parent_id)
        own = self.of(above, period, "unit").keys.index(unit.id)
        return {c for r, c in self.hidden(above, period, "unit") if r == own}

    def _told_by_parts(self, unit: units.Unit, period: Period, by: str) -> set[Place]:
        """Cells of which all shorter periods but one are shown: they would give that one away."""
        shape = self.of(unit, period, by)
        places = {key: r for r, key in enumerate(shape.keys)}
        times: dict[Place, int] = {}
        for part in period.parts:
            of_part = self.of(unit, part, by)
            for r, c in self.hidden(unit, part, by):
                at = places[of_part.keys[r]] if r < len(of_part.keys) else len(places)
                times[at, c] = times.get((at, c), 0) + 1
        return {place for place, often in times.items() if often == 1}
