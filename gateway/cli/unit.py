"""`unit`: provinces, districts, communes, clinics and services."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain import phone, windows
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import audit, base, units


@click.group()
def unit() -> None:
    """Provinces, districts, communes, clinics: a tree. A staff member sees their own unit and all below it."""


_as = click.option("--as", "as_code", metavar="STAFF", help="Code of an administrator; left out before the first one exists.")
_hours = click.option("--hours", help="When clients may be texted, on their own clock: 08:00-20:00, or always.")
_tones = click.option("--tones", type=click.Choice(["never", "saves", "always"]), help="When to fold Vietnamese.")
_detail = click.option("--detail", "details", multiple=True, metavar="NAME=VALUE",
                       help="Words for texts: service, phone, helplines; NAME.LANGUAGE=VALUE for one language.")  # fmt: skip


@unit.command()
@click.argument("code")
@click.argument("name")
@click.option("--kind", type=click.Choice(units.KINDS), required=True)
@click.option("--parent", help="Code of the unit above.")
@click.option("--zone", default="Asia/Ho_Chi_Minh", show_default=True, help="Time zone.")
@click.option("--language", default="vi", show_default=True)
@click.option("--region", default="VN", show_default=True, help="Country of phone numbers without a country code.")
@_hours
@_tones
@_detail
@_as
def add(
    code: str, name: str, kind: str, parent: str | None, zone: str, language: str, region: str, hours: str | None,
    tones: str | None, details: Sequence[str], as_code: str | None,
) -> None:  # fmt: skip
    """Add a unit below another."""
    with session.open(as_code, *session.ADMIN) as s:
        parent_id = _parent(s, parent)
        with s.system() as work:
            unit_id = units.add(
                work, kind=kind, code=code, name=name, time_zone=windows.zone_of(zone).key, language=_language(s, language),
                region=phone.known_region(region), parent_id=parent_id, hours=screen.hours(hours) if hours else None,
                tones=tones or "saves", details=read_details({}, details),
            )  # fmt: skip
            audit.add(work, "unit.add", "unit", unit_id, unit_id, {"code": code}, by=s.actor)
    screen.say("unit {code} added", code=code)


def _parent(s: session.Session, code: str | None) -> Any:
    if code is None:
        if s.actor.staff_id is not None:
            raise Refused("--parent is missing: a new unit lies below one of yours")
        return None
    with s.work() as work:
        return units.by_code(work, code).id


def _language(s: session.Session, language: str) -> str:
    if language not in s.content.languages:
        raise Refused("there are no texts in {language!r}, only in: {languages}", language=language, languages=[*s.content.languages])
    return language


def read_details(kept: Mapping[str, Any], typed: Sequence[str]) -> dict[str, Any]:
    """The details with those typed put in; an empty value takes one out."""
    details = {name: dict(value) if isinstance(value, Mapping) else value for name, value in kept.items()}
    for name, value in screen.pairs(typed, N_("a detail")).items():
        name, _dot, language = name.partition(".")
        if language:
            before = details.get(name)
            details[name] = {**(before if isinstance(before, dict) else {}), language: value}
        elif value:
            details[name] = value
        else:
            details.pop(name, None)
    return details


@unit.command()
@click.argument("code")
@click.option("--name")
@click.option("--zone")
@click.option("--language")
@click.option("--region")
@_hours
@_tones
@_detail
@click.option("--texts-a-day", type=click.IntRange(0, 3), help="At most so many texts of our own accord for a client; 0: as the units above.")
@click.option("--texts-a-week", type=click.IntRange(0, 21), help="The same for any seven days.")
@session.as_staff
def edit(
    code: str, name: str | None, zone: str | None, language: str | None, region: str | None, hours: str | None,
    tones: str | None, details: Sequence[str], texts_a_day: int | None, texts_a_week: int | None, as_code: str,
) -> None:  # fmt: skip
    """Change what is given, leave the rest."""
    with session.open(as_code, *session.ADMIN) as s:
        with s.work() as work:
            old = units.by_code(work, code)
        window = screen.hours(hours) if hours else old.hours
        new = replace(
            old, name=name or old.name, time_zone=windows.zone_of(zone).key if zone else old.time_zone,
            language=_language(s, language) if language else old.language, tones=tones or old.tones,
            region=phone.known_region(region) if region else old.region, opens=window.opens if window else None,
            closes=window.closes if window else None, details=read_details(old.details, details),
            texts_a_day=old.texts_a_day if texts_a_day is None else texts_a_day or None,
            texts_a_week=old.texts_a_week if texts_a_week is None else texts_a_week or None,
        )  # fmt: skip
        with s.system() as work:
            _save(work, old, new, s.actor)
    click.echo((_("unit {code} changed") if new != old else _("unit {code} is as it was")).format(code=code))


def _save(work: base.Work, old: units.Unit, new: units.Unit, by: base.Actor) -> None:
    if new == old:
        return
    units.save(work, new)
    changed = {name: [getattr(old, name), getattr(new, name)] for name in units.Unit.__slots__ if getattr(old, name) != getattr(new, name)}
    audit.add(work, "unit.edit", "unit", old.id, old.id, {"changed": changed}, by=by)


@unit.command("list")
@session.as_staff
def list_units(as_code: str) -> None:
    """Your units."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s, s.work() as work:
        found = units.list_seen(work)
        codes = {each.id: each.code for each in found}
        screen.table(
            (_("code"), _("kind"), _("name"), _("above"), _("hours"), _("zone"), _("language"), _("texts a day"), _("a week"), _("details")),
            [(u.code, shown(u.kind), u.name, codes.get(u.parent_id) if u.parent_id else None, screen.span(u.opens, u.closes),
              u.time_zone, u.language, u.texts_a_day, u.texts_a_week, ", ".join(u.details)) for u in found],
        )  # fmt: skip
