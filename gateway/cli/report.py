"""`report`: figures without persons."""

from pathlib import Path

import click

from gateway.cli import screen, session
from gateway.cli.language import _
from gateway.domain import charts, reports
from gateway.domain.errors import Refused
from gateway.domain.reports import BY, REPORTS, Table
from gateway.store import units
from gateway.usecases import change_channel, read_report, sheets


@click.group()
def report() -> None:
    """Figures by unit, language, channel and time. Small groups are hidden, and what would give them away."""


@report.command("list")
def list_reports() -> None:
    """The reports there are."""
    screen.table((_("name"), _("what"), _("columns")),
                 [(name, _(each.title), ", ".join(map(_, each.columns.values()))) for name, each in REPORTS.items()])  # fmt: skip


@report.command()
@click.argument("name")
@click.option("--by", type=click.Choice(BY), default="unit", show_default=True, help="week, month and quarter: one unit over time.")
@click.option("--unit", "unit_code", help="Code of a unit; your own by default. Those below count too.")
@click.option("--period", help="2026-W05, 2026-02 or 2026-Q1; by unit, language or channel. The last full month by default.")
@click.option("--from", "since", help="First day, over time; a year ago by default.")
@click.option("--to", "until", help="Last day, over time; today by default.")
@click.option("--csv", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write it as a table.")
@click.option("--svg", "picture", type=click.Path(dir_okay=False, path_type=Path), help="Draw it.")
@session.as_staff
def show(
    name: str, by: str, unit_code: str | None, period: str | None, since: str | None, until: str | None, file: Path | None,
    picture: Path | None, as_code: str,
) -> None:  # fmt: skip
    """One report. "*" stands where a figure is hidden."""
    with session.open(as_code, *session.PEOPLE, "analyst") as s:
        with s.work() as work:
            assert s.actor.unit_id is not None
            unit = units.by_code(work, unit_code) if unit_code else units.get(work, s.actor.unit_id)
        with s.system() as work:
            if by in read_report.GRAINS and period:
                raise Refused("over time give --from and --to, not --period")
            if by not in read_report.GRAINS and (since or until):
                raise Refused("by unit, language or channel give --period, not --from and --to")
            network_only = change_channel.network_only(work, s.vault) if name == "delivery" else []
            found = read_report.ask(
                work, s.actor, name, unit, by, reports.read_period(period) if period else None, screen.day(since) if since else None,
                screen.day(until) if until else None,
            )  # fmt: skip
    if file is not None:
        screen.say("{count} rows in {file}, which only you can read", count=sheets.write(file, read_report.headings(found, _), read_report.cells(found, unit, _)), file=file)
    if picture is not None:
        picture.write_text(charts.draw(found, _), "utf-8")
        screen.say("drawn in {file}", file=picture)
    if file is None and picture is None:
        _print(found, unit)
        if network_only:
            screen.say("“Delivered” means passed to the network, and nobody knows whether it reached the phone, on: {channels}", channels=", ".join(network_only))


def _print(found: Table, unit: units.Unit) -> None:
    click.echo(f"{_(found.report.title)}: {found.unit_code}, {found.period}")
    screen.table(read_report.headings(found, _), [["*" if cell is None else cell for cell in row] for row in read_report.cells(found, unit, _)])
    if found.counted_at is None:
        screen.say("not all of this time is counted yet: the clock does that, within minutes")
    else:
        screen.say("counted {at} UTC; groups of fewer than {smallest} are hidden (*), and what would give them away",
                   at=found.counted_at[:16].replace("T", " "), smallest=found.smallest)  # fmt: skip
