"""`appointment`: when clients are expected."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import click

from gateway.cli import client_file, screen, session
from gateway.cli.language import _, shown
from gateway.store import appointments, base, clients, staff, units
from gateway.usecases import book_appointment, clinic_day


@click.group()
def appointment() -> None:
    """Appointments. Reminders follow them by themselves when they are booked, moved or cancelled."""


_worker = click.option("--worker", help="Code of the staff member who expects the client.")
_tell = click.option("--tell", is_flag=True, help="Text the client about it too.")


def _worker_id(work: base.Work, code: str | None) -> UUID | None:
    return staff.by_code(work, code).id if code else None


@appointment.command()
@click.argument("client")
@click.argument("starts")
@_worker
@click.option("--outside-id", help="What another system calls it.")
@session.as_staff
def book(client: str, starts: str, worker: str | None, outside_id: str | None, as_code: str) -> None:
    """Book a client's appointment, on the clock of the client's unit: 2026-12-01 09:30 or 1/12/2026 9h30."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found = clients.by_code(work, client)
        zone = units.get(work, found.unit_id).time_zone
        at = screen.moment(starts, zone)
        appointment_id = book_appointment.book(work, found, at, _worker_id(work, worker), outside_id)
    screen.say("{id} booked for {client} at {at}", id=appointment_id, client=client, at=screen.local(at, zone))


@appointment.command()
@click.argument("appointment_id", type=click.UUID)
@click.argument("starts")
@_worker
@_tell
@session.as_staff
def move(appointment_id: UUID, starts: str, worker: str | None, tell: bool, as_code: str) -> None:
    """Give it a new time; unsent reminders are replaced."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        found = appointments.get(work, appointment_id)
        at = screen.moment(starts, found.zone)
        if worker:
            book_appointment.give(work, appointment_id, staff.by_code(work, worker))
        if tell:
            said = _said(clinic_day.move_one(work, s.vault, s.content, appointment_id, at))
        else:
            book_appointment.move(work, appointment_id, at)
            said = ""
    click.echo(_("{id} is at {at}").format(id=appointment_id, at=screen.local(at, found.zone)) + said)


@appointment.command()
@click.argument("appointment_id", type=click.UUID)
@_tell
@session.as_staff
def cancel(appointment_id: UUID, tell: bool, as_code: str) -> None:
    """It will not take place; unsent reminders are cancelled."""
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        if tell:
            said = _said(clinic_day.cancel_one(work, s.vault, s.content, appointment_id))
        else:
            book_appointment.cancel(work, appointment_id)
            said = ""
    click.echo(_("{id} is cancelled").format(id=appointment_id) + said)


def _said(told: clinic_day.Told) -> str:
    if told.reason is None:
        return _("; the client is told")
    return _("; NOT told by text, please call: {reason}").format(reason=shown(told.reason))


@appointment.command()
@click.argument("appointment_id", type=click.UUID)
@session.as_staff
def attended(appointment_id: UUID, as_code: str) -> None:
    """The client came."""
    _close(appointment_id, as_code, "attended")


@appointment.command()
@click.argument("appointment_id", type=click.UUID)
@session.as_staff
def missed(appointment_id: UUID, as_code: str) -> None:
    """The client did not come."""
    _close(appointment_id, as_code, "missed")


def _close(appointment_id: UUID, as_code: str, status: str) -> None:
    with session.open(as_code, *session.CARE) as s, s.work() as work:
        book_appointment.close(work, appointment_id, status)
    screen.say("appointment {id}: {status}", id=appointment_id, status=shown(status))


@appointment.command("list")
@click.option("--client", help="Code of one client.")
@_worker
@click.option("--day", help="First day; today by default.")
@click.option("--days", type=click.IntRange(1, 3660), default=14, show_default=True)
@session.as_staff
def list_appointments(client: str | None, worker: str | None, day: str | None, days: int, as_code: str) -> None:
    """Appointments of your units in the days to come."""
    with session.open(as_code) as s, s.work() as work:
        zone = s.zone(work)
        since = screen.moment(f"{screen.day(day)} 00:00", zone) if day else screen.midnight(work.now, zone)
        found = appointments.list_between(
            work, since, since + timedelta(days=days), client_id=clients.by_code(work, client).id if client else None,
            worker_id=_worker_id(work, worker),
        )  # fmt: skip
        _table(found)


def _table(found: Sequence[appointments.Appointment]) -> None:
    screen.table(
        (_("id"), _("client"), _("starts"), _("worker"), _("status"), _("answer"), _("outside id")),
        [(a.id, a.client_code, screen.local(a.starts_at, a.zone), a.worker_code, shown(a.status), shown(a.answer), a.outside_id)
         for a in found],
    )  # fmt: skip


@appointment.command("import")
@client_file.a_file
@session.as_staff
def import_file(file: Path, dry_run: bool, bad_rows: Path | None, as_code: str) -> None:
    """Take over a list (.xlsx or CSV) from another system; an appointment is known by its outside id, so a second import only updates."""
    with session.open(as_code, *session.CARE) as s:
        counts = client_file.take_over(s, "appointments", file, dry_run, bad_rows)
    screen.say("new {new}, moved {moved}, other changes {changed}, unchanged {unchanged}, invalid {invalid}",
               **{name: getattr(counts, name) for name in counts.__slots__})  # fmt: skip
