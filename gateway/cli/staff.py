"""`staff`: who works here, who is on duty."""

from collections.abc import Iterator
from contextlib import contextmanager

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.cli.session import Session
from gateway.domain.errors import NotAllowed, Refused
from gateway.store import staff as members
from gateway.store import units
from gateway.store.base import Work
from gateway.store.staff import Member
from gateway.usecases import change_staff, sign_in


@contextmanager
def _changing(as_code: str, code: str) -> Iterator[tuple[Session, Work, Member]]:
    """An administrator's session, the system's transaction in it, and a staff member whom that administrator sees. Raises NotFound."""
    with session.open(as_code, *session.ADMIN) as s:
        with s.work() as work:
            member = members.by_code(work, code)
        with s.system() as work:
            yield s, work, member


@click.group()
def staff() -> None:
    """Staff members. Whoever is on duty is texted about urgent flags."""


@staff.command()
@click.argument("code")
@click.argument("name")
@click.option("--unit", required=True, help="Code of their unit; they see it and all below.")
@click.option("--role", type=click.Choice(members.ROLES), required=True)
@click.option("--phone", help="Their own mobile number, for alerts.")
@click.option("--language", help="Of alerts; the unit's by default.")
@session.as_administrator
def add(code: str, name: str, unit: str, role: str, phone: str | None, language: str | None, as_code: str | None) -> None:
    """Add a staff member. The first one of all is an administrator and is added without --as."""
    with session.open(as_code, *session.ADMIN) as s:
        if as_code is None and role != "administrator":
            raise Refused("the first staff member is an administrator, who then adds the others")
        with s.work() as work:
            home = units.by_code(work, unit)
        with s.system() as work:
            change_staff.add(work, s.vault, home, s.actor, code=code, name=name, role=role, phone=phone, language=language, languages=s.content.languages)
    screen.say("staff member {code} added", code=code)


@staff.command()
@click.argument("code")
@click.argument("on_off", type=click.Choice(["on", "off"]))
@session.as_staff
def duty(code: str, on_off: str, as_code: str) -> None:
    """Put a staff member on duty or take them off. Everyone may for themselves, supervisors for their units."""
    with session.open(as_code, *session.PEOPLE) as s, s.work() as work:
        member = members.by_code(work, code)
        change_staff.set_duty(work, member, on_off == "on")
        phone = members.named(work, s.vault, member.id).phone
    click.echo((_("{code} is on duty") if on_off == "on" else _("{code} is off duty")).format(code=code))
    if on_off == "on" and not phone:
        screen.say("{code} has no phone on file: alerts go to the next person", code=code)


@staff.command()
@click.argument("code")
@session.as_staff
def deactivate(code: str, as_code: str) -> None:
    """Take every right from a staff member, at once."""
    with _changing(as_code, code) as (s, work, member):
        change_staff.deactivate(work, s.vault, s.content, member, s.actor)
    screen.say("{code} can do nothing any more", code=code)


@staff.command()
@click.argument("code")
@click.option("--language", help="Of pages, commands and alerts. Everyone may change their own.")
@click.option("--role", type=click.Choice(members.ROLES), help="Their browsers are signed out.")
@click.option("--unit", help="Code of another unit: they see it and all below, and nothing else.")
@click.option("--name", help="What colleagues call them.")
@click.option("--phone", help="Their own mobile number, for alerts; \"\" takes it out. Both numbers are told.")
@session.as_staff
def edit(code: str, language: str | None, role: str | None, unit: str | None, name: str | None, phone: str | None, as_code: str) -> None:
    """Change a staff member's name, phone, language, role or unit; an administrator's deed."""
    with session.open(as_code, *members.ROLES) as s:
        if s.actor.role not in session.ADMIN and (code != as_code or role or unit or name or phone is not None):
            raise NotAllowed("only an administrator changes the name, phone, role or unit of staff, or the language of others")
        home = None
        if code != as_code or unit:
            with s.work() as work:
                members.by_code(work, code)
                home = units.by_code(work, unit) if unit else None
        with s.system() as work:
            found = members.by_code(work, code)
            change_staff.edit(work, s.vault, s.content, found, s.actor, language=language, role=role, home=home, name=name, phone=phone)
    screen.say("staff member {code} changed", code=code)


@staff.command()
@click.argument("code")
@click.option("--lost-second-factor", "reset_second", is_flag=True, help="Drop their second factor too: the phone it was on is lost.")
@session.as_staff
def invite(code: str, reset_second: bool, as_code: str) -> None:
    """Print the address at which a staff member chooses a password, once, within 72 hours. Hand it to nobody else.

    An administrator invites anybody of their units. Passwords are never typed here.
    """
    with _changing(as_code, code) as (s, work, member):
        invitation = change_staff.invite(work, s.vault, member, s.actor, reset_second)
    click.echo(sign_in.invitation_address(s.settings.public_url, invitation))


@staff.command()
@click.argument("code")
@session.as_staff
def reactivate(code: str, as_code: str) -> None:
    """Let in again somebody who was deactivated: prints the address of a new invitation. Nothing of before lets them in."""
    with _changing(as_code, code) as (s, work, member):
        invitation = change_staff.reactivate(work, s.vault, member, s.actor)
    click.echo(sign_in.invitation_address(s.settings.public_url, invitation))


@staff.command("list")
@session.as_staff
def list_staff(as_code: str) -> None:
    """The staff of your units."""
    with session.open(as_code, *session.PEOPLE) as s, s.work() as work:
        codes = {unit.id: unit.code for unit in units.list_seen(work)}
        screen.table(
            (_("code"), _("name"), _("role"), _("unit"), _("phone"), _("duty"), _("active")),
            [(m.code, m.name, shown(m.role), codes.get(m.unit_id), screen.number(m.phone), _("on") if m.on_duty else _("off"),
              _("yes") if m.active else _("no")) for m in members.list_all(work, s.vault)],
        )  # fmt: skip
