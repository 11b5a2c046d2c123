"""Reports: figures without persons, as a chart, a table and a file for a spreadsheet."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from babel import dates
from flask import Blueprint, request
from werkzeug.wrappers import Response

from gateway.domain import cells, charts
from gateway.domain.errors import Refused
from gateway.domain.reports import BY, REPORTS, Period, Table, period_of, read_period
from gateway.domain.told import N_
from gateway.parts import Gateway
from gateway.store import units
from gateway.store.base import Work
from gateway.usecases import change_channel, read_report, sheets
from gateway.web import page

GRAINS = {"month": (N_("Months"), 14), "quarter": (N_("Quarters"), 6), "week": (N_("Weeks"), 14)}
"""What one may choose of each: heading, and how many back."""


def blueprint(_gateway: Gateway) -> Blueprint:
    """One page, and the same table as a file."""
    routes = Blueprint("reports", __name__, url_prefix="/reports")

    @routes.get("")
    def show() -> str | tuple[str, int]:
        return _page(request.args.get("unit", ""))

    @routes.post("/table")
    def table() -> Response:
        _ = page.gettext()
        found, unit = _Asked.read(request.form.get("unit", "")).table()
        lines = sheets.lines(read_report.headings(found, _), read_report.cells(found, unit, _))
        name = f"{found.name}-{found.unit_code}-{found.period}".replace(" - ", "-")
        return page.file("".join(lines), f"{name}.csv")

    return routes


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the form asks for. A fault in it is found when the table is made."""

    report: str
    by: str
    unit: str
    period: str
    since: str
    until: str

    @classmethod
    def read(cls, unit: str) -> "_Asked":
        given = request.values.get
        return cls(given("report", "attendance"), given("by", "unit"), unit, given("period", ""), given("since", ""), given("until", ""))

    def table(self) -> tuple[Table, units.Unit]:
        """Raises Refused."""
        with page.work() as work:
            unit = _unit(work, self.unit)
        if self.by not in BY:
            raise Refused("the report {name} is not made by {by}", name=self.report, by=self.by)
        with page.system() as work:  # counts of small groups are nobody's to read
            found = read_report.ask(
                work, page.member().actor, self.report, unit, self.by, read_period(self.period) if self.period else None,
                cells.read_date(self.since) if self.since else None, cells.read_date(self.until) if self.until else None,
            )  # fmt: skip
        return found, unit


def _unit(work: Work, code: str) -> units.Unit:
    return units.by_code(work, code) if code else units.get(work, page.member().unit_id)


def _page(code: str) -> str | tuple[str, int]:
    _ = page.gettext()
    with page.work() as work:
        unit, seen = _unit(work, code), units.names(work)
        today = read_report.today_in(work, unit)
    asked, error, found = _Asked.read(unit.code), "", None
    try:
        found, unit = asked.table()
    except Refused as refused:
        error = refused.told(_)
    html = page.render(
        "reports/show.html", asked=asked, error=error, table=found, reports=REPORTS, by=BY, units=seen, periods=_choices(today),
        headings=read_report.headings(found, _) if found else [], cells=list(read_report.cells(found, unit, _)) if found else [],
        chart=charts.draw(found, _) if found else "",
        network_only=_network_only(asked), counted_at=datetime.fromisoformat(found.counted_at) if found and found.counted_at else None,
    )  # fmt: skip
    return (html, 400) if error else html


def _network_only(asked: _Asked) -> list[str]:
    """Channels on which "delivered" does not mean on the phone, where the report speaks of it."""
    if asked.report != "delivery":
        return []
    with page.system() as work:
        return change_channel.network_only(work, page.gateway().vault)


def _choices(today: date) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Periods to choose from, the latest first, by what they are."""
    for grain, (heading, most) in GRAINS.items():
        found = [period_of(today, grain)]
        while len(found) < most:
            found.append(period_of(found[-1].starts_on - timedelta(days=1), grain))
        yield heading, [(str(each), _said(each)) for each in found]


def _said(period: Period) -> str:
    """A period as people say it."""
    locale = page.locale()
    if period.grain != "week":
        return dates.format_skeleton("yMMMM" if period.grain == "month" else "yQQQ", period.starts_on, locale=locale)
    first, last = (dates.format_skeleton("MMMd", day, locale=locale) for day in (period.starts_on, period.ends_before - timedelta(days=1)))
    return f"{period}: {first} – {last}"
