"""`oncall`: who hears of urgent flags, in which order and hours, and the second way."""

import os
from uuid import uuid4

import click

from gateway import parts
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.config import Settings
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import escalations, units
from gateway.usecases import second_way, set_on_call

# Ways and results of steps, as they are shown.
N_("texted"), N_("could not be texted"), N_("somebody took it"), N_("began again"), N_("the next round began")
N_("answered over another channel"), N_("nothing to do")
N_("mailed"), N_("posted"), N_("mailed, posted"), N_("no second way is set up")


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
        typed = [(code, hours) for code, _is, hours in (each.partition("=") for each in people)]
        listed, silent = set_on_call.set_places(work, s.vault, home, typed, s.actor)
    screen.say("on call in {unit}: {list}", unit=unit, list="; ".join(listed) or "-")
    for code in silent:
        screen.say("{code} has no phone on file: alerts go to the next person", code=code)


@oncall.command()
@click.argument("unit")
@session.as_staff
def show(unit: str, as_code: str) -> None:
    """Who would hear of an urgent flag of the unit that is raised now, and after how many minutes."""
    with session.open(as_code) as s:
        with s.work() as work:
            home = units.by_code(work, unit)
        with s.system() as work:  # whoever hears may be of a unit above
            rows = [(minutes, shown(way), code) for minutes, way, code in set_on_call.who_hears(work, home.id)]
    screen.table((_("minutes"), _("way"), _("staff")), rows)
    if not any(code for _minutes, _way, code in rows):
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
