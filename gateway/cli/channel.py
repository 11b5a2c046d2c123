"""`channel`: our connections to carriers. `sending`: the switch that stops all but urgent texts."""

from datetime import timedelta
from uuid import uuid4

import click

from gateway.channels import base, registry
from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain import messages as lanes
from gateway.domain.errors import NotFound, Refused
from gateway.domain.told import N_
from gateway.store import audit, channels, staff, switches, units
from gateway.store.base import Work
from gateway.usecases import escalate, send_text
from gateway.wire import Wire


@click.group()
def channel() -> None:
    """Channels: one is our connection to one carrier."""


@channel.command()
@click.argument("name")
@click.option("--kind", required=True, help="Which carrier: " + ", ".join(registry.kinds()) + ".")
@click.option("--unit", required=True, help="Code of the unit it belongs to: texts from unknown phones go there.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A setting of the carrier; a secret one is asked for if left out.")
@click.option("--prefix", default="+", show_default=True, help="Of the phones it reaches; the longest that fits wins.")
@click.option("--rate", type=click.FloatRange(min=0.01), help="Messages a second; as fast as the carrier answers by default.")
@click.option("--replies-cost", is_flag=True, help="A reply costs the client money: texts that ask for one say so.")
@session.as_staff
def add(
    name: str, kind: str, unit: str, pairs: tuple[str, ...], prefix: str, rate: float | None, replies_cost: bool, as_code: str
) -> None:
    """Add a channel; its secrets are stored encrypted and never shown again."""
    carrier = registry.by_kind(kind)
    settings = screen.pairs(pairs, N_("a setting"))
    for field in carrier.fields:
        if field.required and field.secret and field.name not in settings:
            settings[field.name] = click.prompt(shown(field.about), hide_input=True)
    if faults := carrier.check(settings):
        raise Refused("the channel was not added:", *faults)
    with session.open(as_code, *session.ADMIN) as s:
        with s.work() as work:
            home = units.by_code(work, unit)
        with s.system() as work:
            channel_id = channels.add(
                work, s.vault, unit_id=home.id, name=name, kind=kind, settings=settings, prefix=prefix, rate=rate,
                texts=carrier.capabilities.texts,
            )  # fmt: skip
            channels.set_replies_cost(work, channel_id, replies_cost)
            audit.add(work, "channel.add", "channel", channel_id, home.id, {"name": name, "kind": kind}, by=s.actor)
        address = f"{s.settings.public_url}/c/{channel_id}"
    screen.say("channel {name} added. Tell the carrier to post here:", name=name)
    if carrier.capabilities.texts:
        screen.say("  texts    {address}", address=f"{address}/inbound")
        screen.say("  reports  {address}", address=f"{address}/report")
    if carrier.capabilities.calls:
        screen.say("  calls    {address}", address=f"{address}/call")
    if carrier.capabilities.ussd:
        screen.say("  USSD     {address}", address=f"{address}/ussd")
    if carrier.capabilities.texts and not carrier.capabilities.two_way:
        screen.say("It cannot receive: clients have no way to answer or to stop by text.")


@channel.command("list")
@session.as_staff
def list_channels(as_code: str) -> None:
    """All channels, what they can do and how they are."""
    with session.open(as_code, *session.PEOPLE) as s, s.system() as work:
        screen.table(
            (_("name"), _("kind"), _("state"), _("why"), _("prefix"), _("rate/s"), _("two-way"), _("delivered means"), _("replies")),
            [(c.name, c.kind, shown(c.state), shown(c.state_reason), c.prefix, c.rate, _("yes") if can(c).two_way else _("no"),
              {"handset": _("on the phone"), "network": _("passed to the network"), "none": _("never known")}[can(c).receipts],
              _("cost the client") if c.replies_cost else _("free"))
             for c in channels.list_all(work, s.vault)],
        )  # fmt: skip


def can(found: channels.Channel) -> base.Capabilities:
    """What the channel's carrier can do."""
    return registry.by_kind(found.kind).capabilities


@channel.command()
@click.argument("name")
@click.option("--send-to", metavar="STAFF", help="Also text the staff member's own phone through it; this may cost a segment.")
@session.as_staff
def test(name: str, send_to: str | None, as_code: str) -> None:
    """Ask the carrier something that changes nothing: does it answer, and does it know us?"""
    with session.open(as_code, *session.ADMIN) as s:
        with s.system() as work:
            found = _by_name(work, s, name)
        click.echo(_answer(found, s.settings.public_url))
        if send_to:
            with s.system() as work:
                _text_staff(work, s, found, send_to)
            screen.say("a text to {staff} is planned: it should be there within seconds", staff=send_to)


def _answer(found: channels.Channel, public_url: str) -> str:
    carrier = registry.by_kind(found.kind)
    settings = found.settings | {"callback_url": f"{public_url}/c/{found.id}"}
    numbers = carrier.own_numbers(settings)
    request = carrier.list_request(settings, numbers[0]) if numbers else None
    if request is None:
        return _("{kind} has nothing that can be asked without sending: use --send-to STAFF").format(kind=found.kind)
    wire = Wire(max_open=1).start()
    try:
        result = wire.call(request)
    finally:
        wire.close()
    if result.reply is None:
        raise Refused(
            "the carrier could not be reached ({error}): check its address and this machine's way out", error=result.error
        )
    try:
        carrier.read_list(result.reply)
    except base.BadList:
        raise Refused(
            "the carrier answered {status}: check the account's id and token", status=result.reply.status
        ) from None
    return _("{name}: the carrier answers and knows us").format(name=found.name)


def _text_staff(work: Work, s: session.Session, found: channels.Channel, code: str) -> None:
    member = staff.with_phone(work, s.vault, code)
    send_text.queue(
        work, s.vault, s.content, escalate.recipient(member), "manual", {"text": "Test 1 2 3"}, lane=lanes.URGENT, dedupe_key=f"test:{uuid4()}",
        send_before=work.now + timedelta(minutes=10), channel_id=found.id,
    )  # fmt: skip
    audit.add(work, "channel.test", "channel", found.id, found.unit_id, {"to": code}, by=s.actor)


@channel.command()
@click.argument("name")
@click.argument("replies", type=click.Choice(["cost", "free"]))
@session.as_staff
def replies(name: str, replies: str, as_code: str) -> None:
    """Say whether a reply through it costs the client money. Texts that ask for one then say so, at no segment more if possible."""
    with session.open(as_code, *session.ADMIN) as s, s.system() as work:
        found = _by_name(work, s, name)
        channels.set_replies_cost(work, found.id, replies == "cost")
        audit.add(work, f"channel.replies_{replies}", "channel", found.id, found.unit_id, {"name": name}, by=s.actor)
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
        channels.set_state(work, found.id, state)
        audit.add(work, f"channel.{state}", "channel", found.id, found.unit_id, {"name": name}, by=s.actor)
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
        switches.turn(work, "sending", on_off == "on", s.actor)
        assert s.actor.unit_id is not None
        audit.add(work, f"sending.{on_off}", "switch", "sending", s.actor.unit_id, {}, by=s.actor)
    click.echo(_("sending is on") if on_off == "on" else _("sending is off"))
