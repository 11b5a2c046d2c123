"""`channel`: our connections to carriers. `sending`: the switch that stops all but urgent texts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import click

from gateway.channels import registry
from gateway.channels.base import Capabilities, Field
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain.errors import NotFound, Refused
from gateway.domain.told import N_
from gateway.store import channels, units
from gateway.store.base import Work
from gateway.store.channels import State, Terms
from gateway.usecases import change_channel

POSTED = {
    "inbound": N_("  texts    {address}"), "report": N_("  reports  {address}"), "call": N_("  calls    {address}"), "ussd": N_("  USSD     {address}"),
}  # fmt: skip


F = TypeVar("F", bound=Callable[..., Any])


def _terms(command: F) -> F:
    """The options that say what it costs and carries."""
    for option in (
        click.option("--price", "prices", multiple=True, metavar="PREFIX=PRICE", help="Of one segment to phones of a prefix: +84=450."),
        click.option("--daily", type=click.IntRange(min=0), help="Segments that it may send in a day; 0: any number."),
        click.option("--one-way", multiple=True, metavar="PREFIX", help="Answers from these phones do not come back: +84."),
        click.option("--two-way", is_flag=True, help="Answers come back from all phones, whatever is known of the carrier."),
    ):
        command = option(command)
    return command


@click.group()
def channel() -> None:
    """Channels: one is our connection to one carrier."""


@channel.command()
@click.argument("name")
@click.option("--kind", required=True, help="Which carrier: " + ", ".join(registry.kinds()) + ".")
@click.option("--unit", required=True, help="Code of the unit it belongs to: texts from unknown phones go there.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the carrier; a secret one is asked for if left out or left empty, one of many lines may be @FILE.")
@click.option("--prefix", default="+", show_default=True, help="Of the phones it reaches; the longest that fits wins.")
@click.option("--rate", type=click.FloatRange(min=0.01), help="Segments a second; as fast as the carrier answers by default.")
@_terms
@click.option("--replies-cost", is_flag=True, help="A reply costs the client money: texts that ask for one say so.")
@session.as_staff
def add(
    name: str, kind: str, unit: str, pairs: tuple[str, ...], prefix: str, rate: float | None, replies_cost: bool, as_code: str, **options: Any
) -> None:
    """Add a channel; its secrets are stored encrypted and never shown again."""
    settings = _typed(kind, pairs)
    for field in registry.by_kind(kind).fields:
        if field.secret and field.required and field.name not in settings:
            settings[field.name] = _secret(field)
    change_channel.check(kind, settings)
    can = registry.capabilities(kind, settings)
    with session.open(as_code, *session.ADMIN) as s:
        with s.work() as work:
            home = units.by_code(work, unit)
        with s.system() as work:
            channel_id = change_channel.add(
                work, s.vault, home.id, s.actor, name=name, kind=kind, settings=settings, prefix=prefix, rate=rate, replies_cost=replies_cost
            )
            terms = channels.terms(work, channel_id)
            if (asked := _asked(terms, options)) != terms:
                change_channel.set_terms(work, channel_id, home.id, name, asked, s.actor)
            one_way = channels.terms(work, channel_id).one_way
        addresses = change_channel.addresses(channel_id, can, s.settings.public_url)
    if addresses:
        screen.say("channel {name} added. Tell the carrier to post here:", name=name)
    else:
        screen.say("channel {name} added. The process `lines` holds a line to it: the carrier is to be told nothing.", name=name)
    for what, address in addresses.items():
        screen.say(POSTED[what], address=address)
    if can.texts and one_way:
        screen.say("It cannot receive from {phones}: those clients have no way to answer or to stop by text.", phones=_phones(one_way))


def _phones(prefixes: Sequence[str]) -> str:
    """Beginnings of phones in words."""
    return _("any phone") if "+" in prefixes else change_channel.beginnings(prefixes)


def _asked(before: Terms, options: dict[str, Any]) -> Terms:
    """The terms with what was given changed."""
    given: dict[str, Any] = {name: options[name] for name in ("prefix", "rate", "daily", "reserved") if options.get(name) is not None}
    given |= {name: None for name in ("rate", "daily") if options.get(name) == 0}
    if options["prices"]:
        given["prices"] = {prefix: screen.price(price) for prefix, price in screen.pairs(options["prices"], N_("a price")).items()}
    if options["two_way"] and options["one_way"]:
        raise Refused("give --one-way or --two-way, not both")
    if options["two_way"] or options["one_way"]:
        given["one_way"] = list(options["one_way"])
    return replace(before, **given)


def _secret(field: Field) -> str:
    """Asked for by its name: what it is may speak of the setting before it, which nobody was asked for."""
    typed: str = click.prompt(f"{field.name} ({shown(field.about)})", hide_input=True)
    return typed


def _typed(kind: str, pairs: tuple[str, ...]) -> dict[str, str]:
    """Settings as they were typed: an empty secret is asked for, a long one may be in a file."""
    settings = screen.pairs(pairs, N_("a setting"))
    for field in registry.by_kind(kind).fields:
        given = settings.get(field.name)
        if field.secret and given == "":
            settings[field.name] = _secret(field)
        elif field.long and given and given.startswith("@"):
            settings[field.name] = screen.text_of(given[1:])
    return settings


@channel.command("set")
@click.argument("name")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the carrier; an empty secret is asked for, one of many lines may be @FILE.")
@click.option("--prefix", help="Of the phones it reaches.")
@click.option("--rate", type=click.FloatRange(min=0), help="Segments a second; 0: as fast as the carrier answers.")
@click.option("--reserved", type=click.FloatRange(0, 0.99), help="Share of rate and day that is kept for urgent texts and answers: 0.2.")
@_terms
@session.as_staff
def change(name: str, pairs: tuple[str, ...], as_code: str, **options: Any) -> None:
    """Change settings of the carrier, what a channel reaches, at what price, how fast and how much in a day. Its addresses stay."""
    with session.open(as_code, *session.ADMIN) as s:
        with s.system() as work:
            found = _by_name(work, s, name)
        settings = _typed(found.kind, pairs)
        with s.system() as work:
            if settings:
                change_channel.set_settings(work, s.vault, found, settings, s.actor)
            terms = channels.terms(work, found.id)
            if (asked := _asked(terms, options)) != terms or not settings:
                change_channel.set_terms(work, found.id, found.unit_id, name, asked, s.actor)
    screen.say("channel {name} is changed; every process uses it within seconds", name=name)


@channel.command("list")
@session.as_staff
def list_channels(as_code: str) -> None:
    """All channels, what they can do and how they are. Weight: the share of its clients that a channel keeps while it works badly."""
    with session.open(as_code, *session.PEOPLE) as s, s.system() as work:
        can = change_channel.abilities(work, s.vault)
        screen.table(
            (_("name"), _("kind"), _("state"), _("why"), _("weight"), _("last hour: well, bad, slow, reports"), _("segments today"), _("prefix"), _("rate/s"), _("carries"), _("comes from"),
             _("two-way"), _("delivered means"), _("replies"), _("a segment")),
            [_row(each, can[each.id]) for each in channels.states(work, measured=True)],
        )  # fmt: skip


def _delivered(each: State, can: Capabilities) -> str:
    """What "delivered" means."""
    if alone := change_channel.no_handset(each, can):
        return _("on the phone; {phones} passed to the network").format(phones=change_channel.beginnings(alone))
    return {"handset": _("on the phone"), "network": _("passed to the network"), "none": _("never known")}[can.receipts]


def _row(each: State, can: Capabilities) -> tuple[object, ...]:
    return (
        each.name, each.kind, shown(each.state), " ".join(filter(None, (shown(each.state_reason) if each.state_reason else "", *each.off))),
        f"{each.weight} %", f"{each.well}, {each.bad}, {each.slow}, {each.reported}", "" if each.daily is None else f"{each.used}/{each.daily}", each.prefix, each.rate,
        ", ".join((can.charset, str(can.max_chars), *(("USSD",) if can.ussd else ()))), ", ".join(map(shown, can.senders)),
        _("no") if "+" in each.one_way else _("not {phones}").format(phones=_phones(each.one_way)) if each.one_way else _("yes"),
        _delivered(each, can),
        _("cost the client") if each.replies_cost else _("free"), " ".join(f"{prefix}={price:g}" for prefix, price in each.prices.items()),
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
        if asked:
            screen.say("{name}: the carrier answers and knows us", name=found.name)
        elif not send_to:
            screen.say("{kind} has nothing that can be asked without sending: use --send-to STAFF", kind=found.kind)
        if send_to:
            with s.system() as work:
                change_channel.text_staff(work, s.vault, s.content, found, send_to, s.actor)
            screen.say("a text to {staff} is planned: it should be there within seconds; if it is not, `python -m gateway message list --as {actor}` says why",
                       staff=send_to, actor=as_code)  # fmt: skip


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
    """Send nothing more through it and take nothing more from it. What is planned on it leaves by another channel, or expires."""
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
