"""`service`: what there is near clients, told to whoever texts INFO or TT and a kind of service."""

import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import click

from gateway.cli import client_file, screen, session
from gateway.cli.language import _, shown
from gateway.domain import opening, windows
from gateway.domain import services as rules
from gateway.store import services, units
from gateway.store.base import Work
from gateway.store.services import Entry
from gateway.usecases import find_services, import_services, keep_service


@click.group()
def service() -> None:
    """The directory: places that clients are told of when they text INFO or TT. Each has a discreet short name for texts."""


_category = click.option("--category", type=click.Choice([*rules.CATEGORIES]), help="Of this kind alone.")


@service.command("list")
@_category
@click.option("--unit", help="What a client of this unit would be told just now, best first; at most three.")
@session.as_staff
def list_services(category: str | None, unit: str | None, as_code: str) -> None:
    """What serves your units."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s, s.work() as work:
        if unit is not None:
            _show_found(work, units.by_code(work, unit), category)
            return
        _show_entries(work, services.list_seen(work, category), s.zone(work))


def _show_entries(work: Work, found: list[Entry], zone: str) -> None:
    today, calendars = _today(work, zone), find_services.calendars(work)
    screen.table(
        (_("code"), _("category"), _("short name"), _("units"), _("now"), _("checked"), ""),
        [(e.service.code, shown(rules.CATEGORIES[e.service.category]), e.service.short_name, _few(e.units), _now(work, e, zone, calendars),
          e.service.checked_on, _marked(e, today)) for e in found],
    )  # fmt: skip


def _few(codes: Sequence[str]) -> str:
    return ", ".join(codes[:3]) + (f" +{len(codes) - 3}" if len(codes) > 3 else "")


def _marked(entry: Entry, today: date) -> str:
    if entry.gone_on is not None:
        return _("gone since {day}").format(day=entry.gone_on)
    return _("to be checked") if rules.is_due(entry.service.checked_on, today) else ""


def _now(work: Work, entry: Entry, zone: str, calendars: Mapping[str, Collection[date]]) -> str:
    hours = entry.service.hours
    if hours is None:
        return _("hours not known")
    return _standing(opening.look(hours, zone, work.now, calendars.get(str(entry.unit_id), ())), zone)


def _standing(state: opening.Opening, zone: str) -> str:
    if state.is_open:
        return _("open until {at}").format(at=screen.local(state.closes_at, zone)) if state.closes_at else _("always open")
    return _("opens {at}").format(at=screen.local(state.opens_at, zone))


def _show_found(work: Work, unit: units.Unit, category: str | None) -> None:
    found = find_services.find(work, unit, unit.language, category or rules.ANY)
    screen.table(
        (_("code"), _("short name"), _("address"), _("phone"), _("now")),
        [(f.service.code, f.service.short_name, f.service.address, f.service.phone,
          _standing(f.opening, unit.time_zone) if f.opening else _("hours not known")) for f in found],
    )  # fmt: skip


@service.command()
@click.argument("code")
@session.as_staff
def show(code: str, as_code: str) -> None:
    """All about one."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s, s.work() as work:
        entry = services.by_code(work, code)
        found, zone = entry.service, s.zone(work)
        screen.say("service {code}: {name}", code=found.code, name=found.name)
        screen.say("in texts: {short_name}", short_name=", ".join(part for part in (found.short_name, found.address, found.phone) if part))
        screen.say("category {category}, for units {units}", category=shown(rules.CATEGORIES[found.category]), units=", ".join(entry.units))
        screen.say("hours {hours}: {now}", hours=found.hours or "-", now=_now(work, entry, zone, find_services.calendars(work)))
        screen.say("who may come: {who}; cost: {cost}; languages: {languages}", who=found.who or "-", cost=found.cost or "-",
                   languages=", ".join(found.languages) or "-")  # fmt: skip
        screen.say("checked {day} by {staff} {mark}", day=found.checked_on or "-", staff=entry.checked_by or "-",
                   mark=_marked(entry, _today(work, zone)))  # fmt: skip


def _today(work: Work, zone: str) -> date:
    return work.now.astimezone(windows.zone_of(zone)).date()


@service.command()
@click.argument("code")
@click.argument("name")
@click.option("--category", required=True, type=click.Choice([*rules.CATEGORIES]))
@click.option("--short-name", required=True, help="What texts call it: says nothing about who goes there.")
@click.option("--unit", "served", multiple=True, required=True, help="Code of a unit it serves, with all below it; the first keeps the entry.")
@click.option("--languages", default="", help="Spoken there: vi, en.")
@click.option("--address", default="")
@click.option("--hours", default="", help="Mon-Fri 07:30-11:30, 13:30-17:00; Sat 08:00-12:00, or 24/7; left out when not known.")
@click.option("--phone", default="")
@click.option("--who", default="", help="Who may come. Not in texts.")
@click.option("--cost", default="", help="Not in texts.")
@session.as_staff
def add(as_code: str, served: tuple[str, ...], **typed: str) -> None:
    """Add a service that you checked today."""
    with session.open(as_code, *session.LEAD) as s, s.work() as work:
        entry = keep_service.add(work, s.content, typed | {"units": "; ".join(served)})
    screen.say("service {code} added", code=entry.service.code)


@service.command("import")
@client_file.a_file
@session.as_staff
def import_list(file: Path, dry_run: bool, bad_rows: Path | None, as_code: str) -> None:
    """Take over a list (.xlsx or CSV) with English or Vietnamese headings; what is there already is changed where the row says something else."""
    with session.open(as_code, *session.LEAD) as s:
        counts = client_file.take_over(s, "services", file, dry_run, bad_rows)
    screen.say("new {new}, updated {updated}, unchanged {unchanged}, invalid {invalid}", **{name: getattr(counts, name) for name in counts.__slots__})


@service.command()
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@_category
@session.as_staff
def export(file: Path | None, category: str | None, as_code: str) -> None:
    """Write what serves your units as a table (CSV) that `service import` takes back; to the screen without FILE."""
    with session.open(as_code, *session.PEOPLE) as s, s.work() as work:
        found = services.list_seen(work, category)
    lines = list(import_services.lines(found))
    if file is None:
        sys.stdout.writelines(lines)
        return
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        out.writelines(lines)
    screen.say("{count} services: {file}", count=len(lines) - 1, file=file)


@service.command()
@click.argument("code")
@click.option("--gone", is_flag=True, help="It is no longer there: tell nobody of it. Checked again without this, it is back.")
@session.as_staff
def check(code: str, gone: bool, as_code: str) -> None:
    """Say that you looked today: all of it still holds, or it is gone."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        entry = services.by_code(work, code)
        keep_service.check(work, entry, _today(work, s.zone(work)), gone)
    click.echo((_("service {code} is gone: nobody is told of it") if gone else _("service {code} is checked")).format(code=code))


@service.command()
@session.as_staff
def due(as_code: str) -> None:
    """What nobody has checked for six months, the longest ago first. Clients are told of it last."""
    with session.open(as_code, *session.PEOPLE) as s, s.work() as work:
        found = keep_service.due(services.list_seen(work), _today(work, s.zone(work)))
        screen.table(
            (_("code"), _("name"), _("phone"), _("units"), _("checked"), _("by")),
            [(e.service.code, e.service.name, e.service.phone, _few(e.units), e.service.checked_on, e.checked_by) for e in found],
        )
