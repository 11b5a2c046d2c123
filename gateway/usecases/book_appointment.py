"""Book, move, cancel and close appointments; what was planned about an old time is cancelled in the same transaction."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from gateway.domain.errors import Refused
from gateway.domain.told import N_, Word
from gateway.store import appointments, audit, clients, messages, staff
from gateway.store.appointments import Appointment
from gateway.store.base import Work

MOVED, CANCELLED = N_("appointment moved"), N_("appointment cancelled")
N_("appointment attended"), N_("appointment missed"), N_("appointment booked")


def book(
    work: Work, client: clients.Found, starts_at: datetime, worker_id: UUID | None = None, outside_id: str | None = None,
    appointment_id: UUID | None = None,
) -> UUID:  # fmt: skip
    """Keep an appointment, under the id given; one that the client has at that very time already is the same.

    The clock plans its reminders. Raises Refused for a closed client, a past time, a known outside id.
    """
    if client.status == "closed":
        raise Refused("this client is closed: resume them first if they are back")
    if starts_at <= work.now:
        raise Refused("this time has passed: give one that lies ahead")
    if outside_id is not None and appointments.by_outside_id(work, client.unit_id, outside_id) is not None:
        raise Refused(
            "the unit has an appointment with the outside id {outside_id!r} already: move that one", outside_id=outside_id
        )
    clients.lock(work, [client.id])
    if (same := appointments.booked_at(work, client.id, starts_at)) is not None and outside_id is None:
        return same
    appointment_id = appointments.add(work, client.id, starts_at, worker_id, outside_id, appointment_id)
    _audit(work, "appointment.book", appointment_id, client.id, client.unit_id, {"starts_at": starts_at, "worker": worker_id})
    return appointment_id


def move(work: Work, appointment_id: UUID, starts_at: datetime, worker_id: UUID | None = None) -> Appointment:
    """Give it a new time; unsent reminders go, the clock plans new ones. Returns it as it was."""
    old = _locked(work, appointment_id)
    if starts_at <= work.now:
        raise Refused("this time has passed: give one that lies ahead")
    if old.starts_at != starts_at:
        appointments.move(work, old.id, starts_at, worker_id)
        drop_reminders(work, old, MOVED)
        _audit(work, "appointment.move", old.id, old.client_id, old.unit_id, {"from": old.starts_at, "to": starts_at})
    return old


def give(work: Work, appointment_id: UUID, worker: staff.Member) -> None:
    """Have another staff member expect the client."""
    old = _locked(work, appointment_id)
    appointments.set_worker(work, old.id, worker.id)
    _audit(work, "appointment.give", old.id, old.client_id, old.unit_id, {"from": old.worker_code, "to": worker.code})


def cancel(work: Work, appointment_id: UUID) -> Appointment:
    """It will not take place; its unsent reminders go. Returns it as it was."""
    old = _locked(work, appointment_id)
    appointments.set_status(work, old.id, "cancelled")
    drop_reminders(work, old, CANCELLED)
    _audit(work, "appointment.cancel", old.id, old.client_id, old.unit_id)
    return old


def close(work: Work, appointment_id: UUID, status: str) -> None:
    """The client came (attended) or did not (missed); the one may be corrected to the other. Raises Refused before its time."""
    old = _locked(work, appointment_id, ("booked", "attended", "missed"))
    if old.starts_at > work.now:
        raise Refused("this appointment has not begun yet: cancel or move it instead")
    appointments.set_status(work, old.id, status)
    drop_reminders(work, old, f"appointment {status}")
    _audit(work, f"appointment.{status}", old.id, old.client_id, old.unit_id)


def drop_reminders(work: Work, old: Appointment, reason: str) -> None:
    """Cancel what waits and what is planned but not sent, about an appointment. The client's row is held already."""
    messages.cancel_about(work, old.client_id, old.id, reason)
    appointments.cancel_steps(work, old.id, reason)


def _locked(work: Work, appointment_id: UUID, allowed: Sequence[str] = ("booked",)) -> Appointment:
    """The appointment, in an allowed status, its client's row held so that no planner or sender is at work on it."""
    clients.lock(work, [appointments.get(work, appointment_id).client_id])
    now = appointments.get(work, appointment_id)
    if now.status not in allowed:
        raise Refused("this appointment is {status} already: nothing was changed", status=Word(now.status))
    return now


def _audit(
    work: Work, action: str, appointment_id: UUID, client_id: UUID, unit_id: UUID, detail: Mapping[str, object] | None = None
) -> None:
    audit.add(work, action, "appointment", appointment_id, unit_id, detail, client_id=client_id)
