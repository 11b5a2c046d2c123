"""`clinic-day`: a worker is away; everyone of that day is cancelled or moved, and told."""

from collections.abc import Sequence
from datetime import date

import click

from gateway.cli import screen, session
from gateway.cli.language import _, shown
from gateway.store import staff, units
from gateway.usecases import clinic_day as days


@click.group("clinic-day")
def clinic_day() -> None:
    """All booked appointments of one worker on one day."""


_dry_run = click.option("--dry-run", is_flag=True, help="Show whom it concerns, change nothing.")


@clinic_day.command()
@click.argument("worker")
@click.argument("day")
@_dry_run
@session.as_staff
def cancel(worker: str, day: str, dry_run: bool, as_code: str) -> None:
    """Cancel the day and tell everyone."""
    _run(worker, screen.day(day), None, dry_run, as_code)


@clinic_day.command()
@click.argument("worker")
@click.argument("day")
@click.option("--to", "to", required=True, help="The other day; times of day stay.")
@_dry_run
@session.as_staff
def move(worker: str, day: str, to: str, dry_run: bool, as_code: str) -> None:
    """Move the day to another, each appointment at its time of day, and tell everyone."""
    _run(worker, screen.day(day), screen.day(to), dry_run, as_code)


def _run(worker: str, day: date, to: date | None, dry_run: bool, as_code: str) -> None:
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        member = staff.by_code(work, worker)
        zone, worker_id = units.get(work, member.unit_id).time_zone, member.id
        if dry_run:
            told: Sequence[days.Told] = [days.Told(each, None) for each in days.find(work, worker_id, day, zone)]
        elif to is None:
            told = days.cancel(work, s.vault, s.content, worker_id, day, zone)
        else:
            told = days.move(work, s.vault, s.content, worker_id, day, to, zone)
    _report(told, dry_run)


def _report(told: Sequence[days.Told], dry_run: bool) -> None:
    if not told:
        screen.say("no booked appointments of this worker on that day")
        return
    screen.table(
        (_("client"), _("starts"), _("appointment"), _("to be told") if dry_run else _("told")),
        [(t.appointment.client_code, screen.local(t.appointment.starts_at, t.appointment.zone), t.appointment.id,
          "-" if dry_run else _how(t.reason)) for t in told],
    )  # fmt: skip


def _how(reason: str | None) -> str:
    return _("by text") if reason is None else _("NO, please call: {reason}").format(reason=shown(reason))
