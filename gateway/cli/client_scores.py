"""`client score` and `client scores`: what came of a questionnaire face to face, and how it goes over time."""

from itertools import groupby

import click

from gateway.cli import screen, session
from gateway.cli.language import _
from gateway.domain import scales, windows
from gateway.domain.errors import Refused
from gateway.store import audit, clients, scores


@click.command()
@click.argument("code")
@click.argument("scale", type=click.Choice(list(scales.SCALES)))
@click.argument("value", type=int)
@click.option("--on", "on", metavar="DATE", help="The day of the meeting; today by default.")
@session.as_staff
def score(code: str, scale: str, value: int, on: str | None, as_code: str) -> None:
    """Keep a score from a meeting face to face. The questions are never asked by text."""
    known = scales.SCALES[scale]
    scales.checked(known, value)
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found = clients.by_code(work, code)
        today = work.now.astimezone(windows.zone_of(found.zone)).date()
        day = screen.day(on) if on else today
        if day > today:
            raise Refused("the day of the meeting is still to come")
        new = scores.enter(work, s.vault, found.id, scale, day, value)
        audit.add(work, "client.score", "client", found.id, found.unit_id, {"scale": scale, "on": day.isoformat()},
                  private=audit.private(work, s.vault, found.id, {scale: value}))  # fmt: skip
    said = _("{code}: {scale} {value} on {day} kept") if new else _("{code}: {scale} of {day} is {value} now")
    click.echo(said.format(code=code, scale=known.name, value=value, day=day))


@click.command("scores")
@click.argument("code")
@session.as_staff
def list_scores(code: str, as_code: str) -> None:
    """A client's scores by day, with a line of how they go."""
    with session.open(as_code) as s, s.work() as work:
        found = clients.by_code(work, code)
        audit.add(work, "client.scores", "client", found.id, found.unit_id)
        kept = scores.of_client(work, s.vault, found.id)
    if not kept:
        screen.say("{code} has no scores yet", code=code)
    for name, of_scale in groupby(kept, key=lambda each: each.scale):
        rows, scale = list(of_scale), scales.SCALES[name]
        line = scales.line(scale, [row.value for row in rows if row.value is not None])
        screen.say("{scale}, {low} to {high}, from {cut_off} on a recovery that lasts is likelier: {line}",
                   scale=scale.name, low=scale.low, high=scale.high, cut_off=scale.cut_off, line=line)  # fmt: skip
        screen.table((_("day"), _("score"), _("entered by")), [(row.on, row.value, row.by) for row in rows])
