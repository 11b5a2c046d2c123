"""`campaign rehearse`: everything a campaign would send until a day, as a table, CSV and a drawn timeline."""

from collections import Counter
from datetime import datetime, time, timedelta
from pathlib import Path

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.domain import windows
from gateway.domain.errors import Refused
from gateway.store import audit, campaigns
from gateway.usecases import draw_timeline, rehearse_campaign, sheets
from gateway.usecases.rehearse_campaign import Day, Rehearsal

LONGEST = timedelta(days=3660)
_file = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("name")
@click.option("--until", required=True, metavar="DATE", help="The last day.")
@click.option("--csv", "csv_file", type=_file, help="Write the days to this file, too.")
@click.option("--svg", "svg_file", type=_file, help="Draw a timeline into this file, too.")
@session.as_staff
def rehearse(name: str, until: str, csv_file: Path | None, svg_file: Path | None, as_code: str) -> None:
    """Everything it would send until a day: when, to how many, what is held or skipped and why, and what it costs."""
    with session.open(as_code) as s, s.work() as work:
        found = campaigns.by_name(work, name)
        if found.state not in ("draft", "running", "paused"):
            raise Refused("the campaign is over: nothing would be sent any more")
        end = windows.instant(datetime.combine(screen.day(until), time()), s.zone(work)) + timedelta(days=1)
        if not work.now < end <= work.now + LONGEST:
            raise Refused("the last day of a rehearsal lies ahead, and no more than ten years")
        seen = rehearse_campaign.rehearse(work, s.vault, s.content, found, end)
        audit.add(work, "campaign.rehearse", "campaign", found.id, found.unit_id)
    currency = found.spec.currency
    _show(seen, currency)
    if csv_file is not None:
        _write_csv(csv_file, seen, currency)
        screen.say("the days are in {file}", file=csv_file)
    if svg_file is not None:
        svg_file.write_text(draw_timeline.draw(name, seen, _, shown), "utf-8")
        screen.say("the timeline is in {file}", file=svg_file)


def _cost(day: Day, currency: str) -> str:
    if day.unpriced:
        return _("no price known")
    return f"{day.cost:.2f} {currency}".rstrip()


def _whys(counts: Counter[str]) -> str:
    return "; ".join(f"{count} {shown(why)}" for why, count in counts.most_common())


def _news(counts: Counter[str], before: Counter[str]) -> str:
    """How many, and for which reasons where those are others than on the line above."""
    return str(counts.total() or "") if counts == before else _whys(counts)


def _span(day: Day) -> str:
    return day.first if day.first == day.last else f"{day.first}-{day.last}"


def _show(seen: Rehearsal, currency: str) -> None:
    rows, before = [], Day()
    for (on, purpose), day in sorted(seen.days.items()):
        held, skipped = _news(day.held, before.held), _news(day.skipped, before.skipped)
        rows.append((on, screen.weekday(on), purpose, day.sent, _span(day), held, skipped))
        before = day
    screen.table((_("day"), _("weekday"), _("text"), _("sent"), _("at"), _("held or moved"), _("skipped")), rows)
    click.echo()
    weeks = seen.weeks()
    screen.table(
        (_("week from"), _("sent"), _("skipped"), _("texts"), _("segments"), _("cost")),
        [(on, week.sent, week.skipped.total(), week.texts, week.segments, _cost(week, currency)) for on, week in weeks.items()],
    )
    click.echo()
    _show_sums(seen, list(weeks.values()), currency)


def _show_sums(seen: Rehearsal, weeks: list[Day], currency: str) -> None:
    whole = Day(cost=sum(week.cost for week in weeks), unpriced=sum(week.unpriced for week in weeks))
    screen.say("{reached} of {clients} clients; {sent} sent; {texts} texts with first texts; {segments} segments; {cost}",
               reached=seen.reached, clients=seen.clients, sent=sum(week.sent for week in weeks), texts=sum(week.texts for week in weeks),
               segments=sum(week.segments for week in weeks), cost=_cost(whole, currency))  # fmt: skip
    for heading, counts in ((_("held or moved"), [week.held for week in weeks]), (_("skipped"), [week.skipped for week in weeks])):
        summed = sum(counts, Counter())
        if summed:
            click.echo(f"{heading}: {summed.total()}")
        for why, count in summed.most_common():
            click.echo(f"  {count:>7}  {shown(why)}")
    for year in seen.no_holidays:
        screen.say("no holidays are known for {year}: the campaign heeds none then. Add them with `python -m gateway holiday seed`", year=year)
    for on, zones in sorted(seen.clock_changes.items()):
        screen.say("{day}: clocks change ({zones})", day=on, zones=zones)


def _write_csv(file: Path, seen: Rehearsal, currency: str) -> None:
    """One line for each text and day; for spreadsheets."""
    headings = ("week", "day", "text", "sent", "first", "last", "held", "held_why", "skipped", "skipped_why", "texts", "segments",
                "cost", "currency", "segments_without_price", "holiday")  # fmt: skip
    sheets.write(file, headings, (
        (on - timedelta(days=on.weekday()), on, purpose, day.sent, day.first, day.last, day.held.total(), _whys(day.held),
         day.skipped.total(), _whys(day.skipped), day.texts, day.segments, f"{day.cost:.2f}", currency, day.unpriced,
         seen.holidays.get(on, ""))
        for (on, purpose), day in sorted(seen.days.items())
    ))  # fmt: skip
