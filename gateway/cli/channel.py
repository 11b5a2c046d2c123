"""`channel`: our connections to carriers. `sending`: the switch that stops all but urgent texts."""

import click

from gateway.channels import registry
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain.errors import NotFound
from gateway.domain.told import N_
from gateway.store import channels, units
from gateway.store.base import Work
from gateway.usecases import change_channel

POSTED = {
    "inbound": N_("  texts    {address}"), "report": N_("  reports  {address}"), "call": N_("  calls    {address}"), "ussd": N_("  USSD     {address}"),
}  # fmt: skip


@click.group()
def channel() -> None:
    """Channels: one is our connection to one carrier."""


@channel.command()
@click.argument("name")
@click.option("--kind", required=True, help="Which carrier: " + ", ".join(registry.kinds()) + ".")
@click.option("--unit", required=True, help="Code of the unit it belongs to: texts from unknown phones go there.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the carrier; a secret one is asked for if left out or left empty, one of many lines may be @FILE.")
@click.option("--prefix", default="+", show_default=True, help="Of the phones it reaches; the longest that fits wins.")
@click.option("--rate", type=click.FloatRange(min=0.01), help="Messages a second; as fast as the carrier answers by default.")
@click.option("--replies-cost", is_flag=True, help="A reply costs the client money: texts that ask for one say so.")
@session.as_staff
def add(
    name: str, kind: str, unit: str, pairs: tuple[str, ...], prefix: str, rate: float | None, replies_cost: bool, as_code: str
) -> None:
    """Add a channel; its secrets are stored encrypted and never shown again."""
    settings = _typed(kind, pairs)
    for field in registry.by_kind(kind).fields:
        if field.secret and field.required and field.name not in settings:
            settings[field.name] = click.prompt(shown(field.about), hide_input=True)
    change_channel.check(kind, settings)
    can = registry.capabilities(kind, settings)
    with session.open(as_code, *session.ADMIN) as s:
        with s.work() as work:
            home = units.by_code(work, unit)
        with s.system() as work:
            channel_id = change_channel.add(
                work, s.vault, home.id, s.actor, name=name, kind=kind, settings=settings, prefix=prefix, rate=rate, replies_cost=replies_cost
            )
        addresses = change_channel.addresses(channel_id, can, s.settings.public_url)
    screen.say("channel {name} added. Tell the carrier to post here:", name=name)
    for what, address in addresses.items():
        screen.say(POSTED[what], address=address)
    if can.texts and not can.two_way:
        screen.say("It cannot receive: clients have no way to answer or to stop by text.")


def _typed(kind: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """Settings as they were typed: an empty secret is asked for, a long one may be in a file."""
    settings = screen.pairs(pairs, N_("a setting"))
    for field in registry.by_kind(kind).fields:
        given = settings.get(field.name)
        if field.secret and given == "":
            settings[field.name] = click.prompt(shown(field.about), hide_input=True)
        elif field.long and given and given.startswith("@"):
            settings[field.name] = screen.text_of(given[1:])
    return settings


@channel.command("set")
@click.argument("name")
@click.option("--set", "pairs", multiple=True, required=True, metavar="NAME=VALUE", help="A setting; an empty secret is asked for, a long one may be @FILE.")
@session.as_staff
def set_settings(name: str, pairs: tuple[str, ...], as_code: str) -> None:
    """Change settings of a channel: a secret, the sender, a description. Its addresses stay."""
    with session.open(as_code, *session.ADMIN) as s:
        with s.system() as work:
            found = _by_name(work, s, name)
        changes = _typed(found.kind, pairs)
        with s.system() as work:
            change_channel.set_settings(work, s.vault, found, changes, s.actor)
    screen.say("channel {name} is changed; every process uses it within seconds", name=name)


@channel.command("list")
@session.as_staff
def list_channels(as_code: str) -> None:
    """All channels, what they can do and how they are."""
    with session.open(as_code, *session.PEOPLE) as s, s.system() as work:
        can = change_channel.abilities(work, s.vault)
        screen.table(
            (_("name"), _("kind"), _("state"), _("why"), _("prefix"), _("rate/s"), _("two-way"), _("delivered means"), _("replies")),
            [(c.name, c.kind, shown(c.state), shown(c.state_reason), c.prefix, c.rate, _("yes") if can[c.id].two_way else _("no"),
              {"handset": _("on the phone"), "network": _("passed to the network"), "none": _("never known")}[can[c.id].receipts],
              _("cost the client") if c.replies_cost else _("free"))
             for c in channels.list_all(work, s.vault)],
        )  # fmt: skip


@channel.command()
@click.argument("name")
@click.option("--send-to", metavar="STAFF", help="Also text the staff member's own phone through it; this may cost a segment.")
@session.as_staff
def test(name: str, send_to: str | None, as_code: str) -> None:
    """Ask the carrier something that changes nothing: does it answer, and does it know us?"""
    with session.open(as_code, *session.ADMIN) as s:
        with s.system() as work:
            found = _by_name(work, s, name)
        asked = change_channel.ask(found, s.settings.public_url)
        known = _("{name}: the carrier answers and knows us") if asked else _("{kind} has nothing that can be asked without sending: use --send-to STAFF")
        click.echo(known.format(name=found.name, kind=found.kind))
        if send_to:
            with s.system() as work:
                change_channel.text_staff(work, s.vault, s.content, found, send_to, s.actor)
            screen.say("a text to {staff} is planned: it should be there within seconds", staff=send_to)


@channel.command()
@click.argument("name")
@click.argument("replies", type=click.Choice(["cost", "free"]))
@session.as_staff
def replies(name: str, replies: str, as_code: str) -> None:
    """Say whether a reply through it costs the client money. Texts that ask for one then say so, at no segment more if possible."""
    with session.open(as_code, *session.ADMIN) as s, s.system() as work:
        found = _by_name(work, s, name)
        change_channel.set_replies(work, found.id, found.unit_id, name, replies == "cost", s.actor)
    click.echo((_("channel {name}: replies cost the client") if replies == "cost" else _("channel {name}: replies are free")).format(name=name))


@channel.command()
@click.argument("name")
@session.as_staff
def disable(name: str, as_code: str) -> None:
    """Send nothing more through it and take nothing more from it. What is planned on it stays and expires."""
    _set_state(name, "disabled", as_code)


@channel.command()
@click.argument("name")
@session.as_staff
def resume(name: str, as_code: str) -> None:
    """Use it (again), after it was paused by a fault or disabled."""
    _set_state(name, "active", as_code)


def _set_state(name: str, state: str, as_code: str) -> None:
    with session.open(as_code, *session.ADMIN) as s, s.system() as work:
        found = _by_name(work, s, name)
        change_channel.set_state(work, found.id, found.unit_id, name, state, s.actor)
    screen.say("channel {name} is {state}", name=name, state=shown(state))


def _by_name(work: Work, s: session.Session, name: str) -> channels.Channel:
    found = next((each for each in channels.list_all(work, s.vault) if each.name == name), None)
    if found is None:
        raise NotFound("no channel {name!r}: `python -m gateway channel list` shows them", name=name)
    return found


@click.command()
@click.argument("on_off", type=click.Choice(["on", "off"]))
@session.as_staff
def sending(on_off: str, as_code: str) -> None:
    """Stop everything that goes out but urgent texts, at once, or let it go again."""
    with session.open(as_code, *session.ADMIN) as s, s.system() as work:
        change_channel.switch_sending(work, on_off == "on", s.actor)
    click.echo(_("sending is on") if on_off == "on" else _("sending is off"))
