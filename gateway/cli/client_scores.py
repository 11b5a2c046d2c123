"""`client score` and `client scores`: what came of a questionnaire face to face, and how it goes over time."""

from itertools import groupby

import click

from gateway.cli import screen, session
from gateway.cli.language import _
from gateway.domain import scales
from gateway.store import audit, clients, scores
from gateway.usecases import enter_score


@click.command()
@click.argument("code")
@click.argument("scale", type=click.Choice(list(scales.SCALES)))
@click.argument("value", type=int)
@click.option("--on", "on", metavar="DATE", help="The day of the meeting; today by default.")
@session.as_staff
def score(code: str, scale: str, value: int, on: str | None, as_code: str) -> None:
    """Keep a score from a meeting face to face. The questions are never asked by text."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        day, new = enter_score.enter(work, s.vault, clients.by_code(work, code), scale, value, screen.day(on) if on else None)
    said = _("{code}: {scale} {value} on {day} kept") if new else _("{code}: {scale} of {day} is {value} now")
    click.echo(said.format(code=code, scale=scales.SCALES[scale].name, value=value, day=day))


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
