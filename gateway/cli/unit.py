"""`unit`: provinces, districts, communes, clinics and services."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import units
from gateway.usecases import change_unit


@click.group()
def unit() -> None:
    """Provinces, districts, communes, clinics: a tree. A staff member sees their own unit and all below it."""


_hours = click.option("--hours", help="When clients may be texted, on their own clock: 08:00-20:00, or always.")
_tones = click.option("--tones", type=click.Choice(change_unit.TONES), help="When to fold Vietnamese.")
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
@session.as_administrator
def add(
    code: str, name: str, kind: str, parent: str | None, zone: str, language: str, region: str, hours: str | None,
    tones: str | None, details: Sequence[str], as_code: str | None,
) -> None:  # fmt: skip
    """Add a unit below another."""
    with session.open(as_code, *session.ADMIN) as s:
        parent_id = _parent(s, parent)
        with s.system() as work:
            change_unit.add(
                work, s.actor, s.content.languages, code=code, name=name, kind=kind, parent_id=parent_id, zone=zone, language=language, region=region,
                hours=screen.hours(hours) if hours else None, tones=tones or "saves", details=_details({}, details),
            )  # fmt: skip
    screen.say("unit {code} added", code=code)


def _parent(s: session.Session, code: str | None) -> Any:
    if code is None:
        if s.actor.staff_id is not None:
            raise Refused("--parent is missing: a new unit lies below one of yours")
        return None
    with s.work() as work:
        return units.by_code(work, code).id


def _details(kept: Mapping[str, Any], typed: Sequence[str]) -> dict[str, Any]:
    return change_unit.read_details(kept, screen.pairs(typed, N_("a detail")))


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
        with s.system() as work:
            changed = change_unit.edit(
                work, old, s.actor, s.content.languages, hours=screen.hours(hours) if hours else old.hours, details=_details(old.details, details),
                name=name, zone=zone, language=language, region=region, tones=tones, texts_a_day=texts_a_day, texts_a_week=texts_a_week,
            )  # fmt: skip
    click.echo((_("unit {code} changed") if changed else _("unit {code} is as it was")).format(code=code))


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
