"""`report`: figures without persons."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain import charts, reports, windows
from gateway.domain.errors import Refused
from gateway.domain.reports import BY, REPORTS, Row, Table
from gateway.domain.told import N_
from gateway.store import units
from gateway.usecases import read_report, sheets

GRAINS = ("week", "month", "quarter")
N_("week"), N_("month"), N_("quarter")


@click.group()
def report() -> None:
    """Figures by unit, language, channel and time. Small groups are hidden, and what would give them away."""


@report.command("list")
def list_reports() -> None:
    """The reports there are."""
    screen.table((_("name"), _("what"), _("columns")),
                 [(name, _(each.title), ", ".join(map(_, each.columns.values()))) for name, each in REPORTS.items()])  # fmt: skip


@report.command()
@click.argument("name")
@click.option("--by", type=click.Choice(BY), default="unit", show_default=True, help="week, month and quarter: one unit over time.")
@click.option("--unit", "unit_code", help="Code of a unit; your own by default. Those below count too.")
@click.option("--period", help="2026-W05, 2026-02 or 2026-Q1; by unit, language or channel. The last full month by default.")
@click.option("--from", "since", help="First day, over time; a year ago by default.")
@click.option("--to", "until", help="Last day, over time; today by default.")
@click.option("--csv", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a table.")
@click.option("--svg", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw it.")
@session.as_staff
def show(
    name: str, by: str, unit_code: str | None, period: str | None, since: str | None, until: str | None, file: Path | None,
    picture: Path | None, as_code: str,
) -> None:  # fmt: skip
    """One report. "*" stands where a figure is hidden."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s:
        with s.work() as work:
            assert s.actor.unit_id is not None
            unit = units.by_code(work, unit_code) if unit_code else units.get(work, s.actor.unit_id)
            today = work.now.astimezone(windows.zone_of(unit.time_zone)).date()
        with s.system() as work:
            if by in GRAINS:
                if period:
                    raise Refused("over time give --from and --to, not --period")
                first, last = screen.day(since) if since else _a_year_before(today), screen.day(until) if until else today
                found = read_report.over_time(work, s.actor, name, unit, first, last, by)
            else:
                if since or until:
                    raise Refused("by unit, language or channel give --period, not --from and --to")
                found = read_report.of_period(work, s.actor, name, unit, _period(period, today), by)
    if file is not None:
        screen.say("{count} rows in {file}, which only you can read", count=sheets.write(file, _headings(found), _cells(found, unit)), file=file)
    if picture is not None:
        picture.write_text(charts.draw(found, _), "utf-8")
        screen.say("drawn in {file}", file=picture)
    if file is None and picture is None:
        _print(found, unit)


def _a_year_before(today: date) -> date:
    return date(today.year - 1, today.month, 1)


def _period(typed: str | None, today: date) -> reports.Period:
    if typed:
        return reports.read_period(typed)
    this = reports.period_of(today, "month").starts_on
    return reports.period_of(date.fromordinal(this.toordinal() - 1), "month")


def _print(found: Table, unit: units.Unit) -> None:
    click.echo(f"{_(found.report.title)}: {found.unit_code}, {found.period}")
    screen.table(_headings(found), [["*" if cell is None else cell for cell in row] for row in _cells(found, unit)])
    if found.counted_at is None:
        screen.say("not all of this time is counted yet: the clock does that, within minutes")
    else:
        screen.say("counted {at} UTC; groups of fewer than {smallest} are hidden (*), and what would give them away",
                   at=found.counted_at[:16].replace("T", " "), smallest=found.smallest)  # fmt: skip


def _headings(found: Table) -> list[str]:
    last = [_("all")] if found.report.across else [_("cost"), _("cost for each visit")]
    return [shown(found.by), *map(_, found.report.columns.values()), *last]


def _cells(found: Table, unit: units.Unit) -> Iterator[list[object]]:
    for row in (*found.rows, *([found.totals] if found.totals else [])):
        yield [row.label or _("all"), *row.counts, *([row.total] if found.report.across else _cost(row, unit))]


def _cost(row: Row, unit: units.Unit) -> list[str | None]:
    """What its segments cost, and that for each visit, by the unit's price of a segment."""
    price, currency = read_report.price_of(unit)
    return [None if cost is None else f"{cost:.2f} {currency}".rstrip() for cost in reports.cost_of(row, price)]
