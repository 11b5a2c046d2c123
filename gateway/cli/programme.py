"""Who is in a programme: `campaign enrol`, `campaign leave`, and the dates of clients that its days count from."""

from collections.abc import Sequence

import click

from gateway.cli import screen, session
from gateway.store import clients, enrolments
from gateway.usecases import change_client, join_programme


@click.command()
@click.argument("name")
@click.argument("codes", nargs=-1, required=True, metavar="CLIENT...")
@session.as_staff
def enrol(name: str, codes: Sequence[str], as_code: str) -> None:
    """Take clients of the audience into a programme; who left it begins anew."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        ids = [clients.by_code(work, code).id for code in codes]
        taken = join_programme.join(work, name, ids)
    screen.say("{count} enrolled in {name}; {others} were in it already", count=taken, name=name, others=len(set(ids)) - taken)


@click.command()
@click.argument("name")
@click.argument("codes", nargs=-1, required=True, metavar="CLIENT...")
@session.as_staff
def leave(name: str, codes: Sequence[str], as_code: str) -> None:
    """End a programme for clients; what waits for them is cancelled."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        ended = join_programme.leave(work, name, [clients.by_code(work, code).id for code in codes])
    screen.say("ended for {count} clients", count=ended)


@click.command()
@click.argument("code")
@click.argument("name")
@click.argument("day")
@session.as_staff
def date(code: str, name: str, day: str, as_code: str) -> None:
    """Keep a DAY of a client under a NAME that programmes count from, such as discharge; "-" forgets it."""
    on = None if day == "-" else screen.day(day)
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found = clients.by_code(work, code)
        change_client.set_date(work, s.vault, found, name, on)
        kept = enrolments.dates(work, found.id)
    screen.say("dates of client {code}: {dates}", code=code, dates=", ".join(f"{each} {at}" for each, at in kept) or "-")
