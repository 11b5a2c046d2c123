"""`misread`: texts that were understood wrongly, for whoever keeps the word lists."""

import json

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain import interpret, masking
from gateway.store import audit, misreads


@click.group()
def misread() -> None:
    """Texts that a person says were understood wrongly: candidates for the word lists."""


@misread.command()
@click.argument("text_id", metavar="TEXT")
@click.argument("meaning", type=click.Choice(interpret.MEANINGS))
@session.as_staff
def mark(text_id: str, meaning: str, as_code: str) -> None:
    """Say what a text meant. TEXT is the id that `inbox` shows.

    What followed from the text stays as it is: stop a client, book an appointment or close a flag by their own commands.
    """
    with session.open(as_code) as s, s.work() as work:
        inbound_id, unit_id = misreads.find(work, text_id)
        misreads.mark(work, inbound_id, meaning, s.actor.staff_id)
        audit.add(work, "misread.mark", "inbound", inbound_id, unit_id, {"meaning": meaning})
    screen.say("Marked: the text is on the list of `misread list`.")


@misread.command("list")
@click.option("--most", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--anonymous", is_flag=True, help="One JSON object per line, without ids, times, the client's name or long numbers.")
@session.as_staff
def list_misread(most: int, anonymous: bool, as_code: str) -> None:
    """The texts marked as misread, the newest first. Read each before it leaves your house: other names stay in it."""
    with session.open(as_code) as s, s.work() as work:
        zone = s.zone(work)
        found = misreads.listed(work, s.vault, most)
        for unit_id in {each.unit_id for each in found}:
            seen = [str(each.id) for each in found if each.unit_id == unit_id]
            audit.add(work, "misread.list", "unit", unit_id, unit_id, {"inbound": seen, "anonymous": anonymous})
    for each in found:
        if anonymous and each.text is not None:
            masked = masking.mask(each.text, [each.name or ""])
            understood = (each.meaning or "other") + (f", perhaps {each.doubt}" if each.doubt else "")
            line = {"text": masked, "language": each.language, "understood": understood, "meant": each.should_be}
            click.echo(json.dumps(line, ensure_ascii=False))
        elif not anonymous:
            understood = shown(each.meaning or "other")
            understood += _(", perhaps {meaning}").format(meaning=shown(each.doubt)) if each.doubt else ""
            click.echo(f"{str(each.id)[:8]}  {screen.local(each.misread_at, zone)}  {understood} -> {shown(each.should_be)}")
            click.echo(f"    {_('(cannot be read from here)') if each.text is None else screen.one_line(each.text)}")
    if not found:
        click.echo(_("Nothing is marked as misread."), err=anonymous)
