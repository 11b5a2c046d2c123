"""`inbox`: the latest texts of clients."""

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.store import clients, threads
from gateway.usecases import look_at_client


@click.command()
@click.option("--client", "code", help="Code of one client.")
@click.option("--most", type=click.IntRange(1, 1000), default=20, show_default=True)
@session.as_staff
def inbox(code: str | None, most: int, as_code: str) -> None:
    """The latest texts that came in to your units, what was understood, and the flags they raised. Every view is logged."""
    with session.open(as_code) as s, s.work() as work:
        client = clients.by_code(work, code) if code else None
        zone = s.zone(work)
        found = look_at_client.inbox(work, s.vault, client, most)
        for each in found:
            _print(each, zone)
    if not found:
        screen.say("no texts yet")


def _print(each: threads.Received, zone: str) -> None:
    understood = shown(each.meaning) if each.meaning else _("NOT HANDLED YET")
    understood += f" {each.value}" if each.value else ""
    understood += _(", perhaps {meaning}").format(meaning=shown(each.doubt)) if each.doubt else ""
    late = " " + _("(late)") if each.late else ""
    sender = each.client_code or _("unknown or shared phone")
    click.echo(f"{str(each.id)[:8]}  {screen.local(each.received_at, zone)}  {sender}  {understood}{late}")
    click.echo(f"    {screen.words(each.text, each.called)}")
    for flag in each.flags:
        screen.say("    flag {flag}", flag=shown(flag))
