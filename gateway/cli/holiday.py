"""`holiday`: days on which texts that come again stay away or move, as their campaign says."""

from datetime import date

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain.errors import Refused
from gateway.store import holidays, units
from gateway.usecases import change_holidays, seed_holidays

_unit = click.option("--unit", "unit_code", help="Code of the unit; all below it follow. Default: yours.")


@click.group()
def holiday() -> None:
    """Holidays of a unit and all below it. A unit may say otherwise for itself."""


def _unit_of(s: session.Session, code: str | None) -> units.Unit:
    assert s.actor.unit_id is not None
    with s.work() as work:
        return units.by_code(work, code) if code else units.get(work, s.actor.unit_id)


@holiday.command("list")
@click.option("--year", type=click.IntRange(1900, 2200), help="Default: this year and the next.")
@_unit
@session.as_staff
def list_holidays(year: int | None, unit_code: str | None, as_code: str) -> None:
    """What a unit knows, from itself or from those above it."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s:
        unit = _unit_of(s, unit_code)
        with s.work() as work:
            first, last = (year, year) if year else (work.now.year, work.now.year + 1)
            found = holidays.list_for(work, unit.id, date(first, 1, 1), date(last, 12, 31))
    screen.table(
        (_("day"), _("weekday"), _("name"), _("holiday"), _("from"), _("unit")),
        [(each.on_date, screen.weekday(each.on_date), screen.one_line(each.name), _("yes") if each.is_holiday else _("no, a working day"),
          shown(each.source), each.unit_code) for each in found],
    )  # fmt: skip


@holiday.command()
@click.argument("day")
@click.argument("name")
@_unit
@session.as_staff
def add(day: str, name: str, unit_code: str | None, as_code: str) -> None:
    """Make DAY a holiday."""
    on = screen.day(day)
    with session.open(as_code, *session.LEAD) as s:
        unit = _unit_of(s, unit_code)
        with s.work() as work:
            change_holidays.add(work, unit, on, name)
    screen.say("{day} is a holiday for {unit} and all below it", day=on, unit=unit.code)


@holiday.command()
@click.argument("day")
@_unit
@session.as_staff
def remove(day: str, unit_code: str | None, as_code: str) -> None:
    """Make DAY a working day, though a unit above or a country's list says otherwise."""
    on = screen.day(day)
    with session.open(as_code, *session.LEAD) as s:
        unit = _unit_of(s, unit_code)
        with s.work() as work:
            change_holidays.remove(work, unit, on)
    screen.say("{day} is a working day for {unit} and all below it", day=on, unit=unit.code)


@holiday.command()
@click.option("--country", help="Two letters, such as VN or GB. Default: the country of the unit's phone numbers.")
@click.option("--part", help="Part of the country with holidays of its own, such as ENG.")
@click.option("--years", help="2027, or 2027-2029. Default: this year and the two after it.")
@_unit
@session.as_staff
def seed(country: str | None, part: str | None, years: str | None, unit_code: str | None, as_code: str) -> None:
    """Begin with a country's public holidays (of Vietnam with the days of Tết). What staff said of a day stays."""
    with session.open(as_code, *session.LEAD) as s:
        unit = _unit_of(s, unit_code)
        with s.work() as work:
            span = _years(years) if years else range(work.now.year, work.now.year + 3)
            added = seed_holidays.seed(work, unit.id, (country or unit.region).upper(), part, span, unit.language)
    screen.say("{added} holidays added for {unit} and all below it; check them with `python -m gateway holiday list`", added=added, unit=unit.code)


def _years(typed: str) -> range:
    first, _dash, last = typed.partition("-")
    try:
        found = range(int(first), int(last or first) + 1)
    except ValueError:
        found = range(0)
    if not found or not 1900 <= found[0] <= found[-1] <= 2200 or len(found) > 50:
        raise Refused("years are written as 2027 or 2027-2029")
    return found
