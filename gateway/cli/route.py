"""`route`: rules for which channel carries which texts."""

import click

from gateway.cli import screen, session
from gateway.cli.language import _
from gateway.domain.routing import Asked
from gateway.store import channels, routes, units
from gateway.usecases import change_routes


@click.group()
def route() -> None:
    """Rules: which channel carries which texts. A channel with rules carries what they say and nothing else."""


@route.command()
@click.argument("channel")
@click.option("--unit", default="", help="Code of a unit: of its clients and those of all units below it.")
@click.option("--prefix", default="", help="How the phones begin: +84.")
@click.option("--language", default="", help="Of the client: vi.")
@click.option("--purpose", default="", help="A template, or dialogue:NAME.")
@session.as_staff
def add(channel: str, unit: str, prefix: str, language: str, purpose: str, as_code: str) -> None:
    """Let CHANNEL carry the texts for which all that is given holds. Channels of equal rules and price share them."""
    with session.open(as_code, *session.ADMIN) as s:
        if unit:
            with s.work() as work:
                units.by_code(work, unit)  # one of theirs
        with s.system() as work:
            number = change_routes.add(work, s.content, s.actor, channel=channel, unit=unit, prefix=prefix, language=language, purpose=purpose)
    screen.say("rule {number} is kept", number=number)


@route.command()
@click.argument("number", type=int)
@session.as_staff
def remove(number: int, as_code: str) -> None:
    """Drop a rule."""
    with session.open(as_code, *session.ADMIN) as s, s.system() as work:
        change_routes.remove(work, number, s.actor)
    screen.say("rule {number} is gone", number=number)


@route.command("list")
@session.as_staff
def list_routes(as_code: str) -> None:
    """All rules."""
    with session.open(as_code, *session.PEOPLE) as s, s.system() as work:
        screen.table(
            (_("rule"), _("channel"), _("unit"), _("prefix"), _("language"), _("purpose")),
            [(each.number, each.channel, each.unit, each.prefix, each.language, each.purpose) for each in routes.list_all(work)],
        )  # fmt: skip


@route.command()
@click.argument("number")
@click.option("--unit", help="Code of the client's unit. Default: yours.")
@click.option("--language", help="Of the client. Default: the unit's.")
@click.option("--purpose", default="", help="A template, or dialogue:NAME.")
@click.option("--answers", is_flag=True, help="The text asks for an answer, which must come back.")
@session.as_staff
def show(number: str, unit: str | None, language: str | None, purpose: str, answers: bool, as_code: str) -> None:
    """By which channels a text to NUMBER would leave, the best first. Nothing is sent."""
    with session.open(as_code, *session.LEAD) as s, s.system() as work:
        assert s.actor.unit_id is not None
        home = units.by_code(work, unit) if unit else units.get(work, s.actor.unit_id)
        to = screen.phones([number], home.region)[0].e164
        asked = Asked(to, s.vault.hash_phone(to), home.id, language or home.language, purpose, answers)
        table = routes.table(work)
        chosen, states = table.choose(asked), {each.id: each for each in channels.states(work)}
        rows = [
            (place, road.name, road.price(to), f"{road.weight} %", _("yes") if road.is_open else _("no"), _("yes") if road.is_two_way(to) else _("no"),
             states[road.id].kind, _("this one") if chosen is road else "")
            for place, tier in enumerate((tier for tier in table.order(asked) if tier), 1) for road in tier
        ]  # fmt: skip
        screen.table((_("place"), _("channel"), _("a segment"), _("weight"), _("open"), _("two-way"), _("kind"), ""), rows)
