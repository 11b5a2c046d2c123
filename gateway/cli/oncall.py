"""`oncall`: who hears of urgent flags, in which order and hours, and the second way."""

import os
from datetime import timedelta
from uuid import uuid4

import click

from gateway import parts
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.config import Settings
from gateway.domain import escalation, opening
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import audit, escalations, staff, units
from gateway.store.base import Work
from gateway.usecases import second_way

# Ways and results of steps, as they are shown.
N_("text"), N_("second way"), N_("next round")
N_("texted"), N_("could not be texted"), N_("somebody took it"), N_("began again"), N_("the next round began")
N_("answered over another channel"), N_("nothing to do"), N_("the client's answer")
N_("mailed"), N_("posted"), N_("mailed, posted"), N_("no second way is set up")
WAYS = {"text": "text", "answer": "the client's answer", "second": "second way", "again": "next round"}


@click.group()
def oncall() -> None:
    """Who is on call. The first of a list hears of an urgent flag at once, the next after 2 minutes, the supervisor after 5."""


@oncall.command("list")
@session.as_staff
def list_places(as_code: str) -> None:
    """The on-call lists of your units. Whoever was put on duty by `staff duty` is on call besides."""
    with session.open(as_code) as s, s.work() as work:
        screen.table(
            (_("unit"), _("place"), _("staff"), _("on call at"), _("can be texted")),
            [(p.unit_code, p.position, p.staff_code, p.hours, _("yes") if p.has_phone else _("no")) for p in escalations.places(work)],
        )  # fmt: skip


@oncall.command("set")
@click.argument("unit")
@click.argument("people", nargs=-1, metavar="[STAFF[=HOURS]]...")
@session.as_staff
def set_places(unit: str, people: tuple[str, ...], as_code: str) -> None:
    """Make these the unit's list, in this order, for it and all below: ann "bea=Mon-Fri 08:00-17:00". Nobody: no list of its own."""
    with session.open(as_code, *session.LEAD) as s, s.system() as work:
        home = units.by_code(work, unit)
        if not units.sees(work, s.actor.staff_id, home.id):
            raise Refused("no unit {code!r} among yours: `python -m gateway unit list` shows them", code=unit)
        places = [_place(work, home, each) for each in people]
        escalations.set_places(work, home.id, [(member.id, hours) for member, hours in places])
        listed = [f"{member.code} {hours}" for member, hours in places]
        audit.add(work, "oncall.set", "unit", home.id, home.id, {"list": listed}, by=s.actor)
        silent = [member.code for member, _hours in places if member.id not in staff.alerted(work, s.vault, [member.id])]
    screen.say("on call in {unit}: {list}", unit=unit, list="; ".join(listed) or "-")
    for code in silent:
        screen.say("{code} has no phone on file: alerts go to the next person", code=code)


def _place(work: Work, home: units.Unit, typed: str) -> tuple[staff.Member, str]:
    code, _is, hours = typed.partition("=")
    member = staff.by_code(work, code)
    if not member.active or member.role == "analyst":
        raise Refused("an inactive staff member or an analyst is not put on duty")
    if not units.sees(work, member.id, home.id):
        raise Refused("{code} does not see the unit {unit}, so could not open its flags", code=code, unit=home.code)
    return member, str(opening.read(hours)) if hours else opening.ALWAYS


@oncall.command()
@click.argument("unit")
@session.as_staff
def show(unit: str, as_code: str) -> None:
    """Who would hear of an urgent flag of the unit that is raised now, and after how many minutes."""
    with session.open(as_code) as s:
        with s.work() as work:
            home = units.by_code(work, unit)
        with s.system() as work:  # whoever hears may be of a unit above
            steps = escalation.steps(escalations.candidates(work, home.id), work.now)
            codes = staff.codes_of(work, [step.staff_id for step in steps if step.staff_id is not None])
            rows = [((step.due_at - work.now) // timedelta(minutes=1), shown(WAYS[step.way]), codes.get(step.staff_id) if step.staff_id else None)
                    for step in steps]  # fmt: skip
    screen.table((_("minutes"), _("way"), _("staff")), rows)
    if not codes:
        screen.say("nobody can be texted about {unit}: `oncall set` or `staff duty` changes that", unit=unit)


@oncall.command()
@session.as_staff
def test(as_code: str) -> None:
    """Send a test by the second way: e-mail and webhook, as far as they are set up."""
    with session.open(as_code, *session.LEAD) as s:
        alarm = second_way.Alarm(uuid4(), "test", second_way.words(s.content, "test"))
        told = parts.second_way(Settings.from_env(os.environ)).tell(alarm)
    if told is None:
        raise Refused("the second way did not work: the lines above say why")
    click.echo(shown(told))
