"""A worker is away, or the clinic closed: everyone of that day is cancelled or moved, and told."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain import windows
from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.store import appointments, clients
from gateway.store.appointments import Appointment
from gateway.store.base import Actor, Work, unit_of_work
from gateway.usecases import book_appointment, tell_client
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Told:
    """One appointment of the day. `reason` says why its client is not told by text; somebody has to call them."""

    appointment: Appointment
    reason: str | None


def find(work: Work, worker_id: UUID, day: date, zone: str) -> list[Appointment]:
    """The worker's booked appointments of a day on the wall in `zone` that lie ahead."""
    since, until = (_midnight(each, zone) for each in (day, day + timedelta(days=1)))
    found = appointments.list_between(work, max(since, work.now), until, worker_id=worker_id, status="booked", most=10_000)
    clients.lock(work, [each.client_id for each in found])
    return list(found)


def preview(
    engine: Engine, actor: Actor, vault: Vault, content: Content, worker_id: UUID, day: date, to: date | None, zone: str, now: datetime | None = None
) -> list[Told]:  # fmt: skip
    """What `cancel`, or with `to` `move`, would do and whom it could not tell; nothing is changed."""
    told: list[Told] = []
    try:
        with unit_of_work(engine, actor, now) as work:
            told += cancel(work, vault, content, worker_id, day, zone) if to is None else move(work, vault, content, worker_id, day, to, zone)
            raise _DryRun
    except _DryRun:
        return told


class _DryRun(Exception):
    """Rolls the transaction back."""


def cancel(work: Work, vault: Vault, content: Content, worker_id: UUID, day: date, zone: str) -> list[Told]:
    """Cancel the day; each client is told."""
    return [cancel_one(work, vault, content, each.id) for each in find(work, worker_id, day, zone)]


def move(work: Work, vault: Vault, content: Content, worker_id: UUID, day: date, to: date, zone: str) -> list[Told]:
    """Move the day to another, each appointment at the same time of day; each client is told."""
    if to == day:
        raise Refused("both days are the same: nothing to move")
    told = []
    for each in find(work, worker_id, day, zone):
        wall = each.starts_at.astimezone(windows.zone_of(zone)).replace(tzinfo=None)
        told.append(move_one(work, vault, content, each.id, windows.instant(datetime.combine(to, wall.time()), zone)))
    return told


def cancel_one(work: Work, vault: Vault, content: Content, appointment_id: UUID) -> Told:
    """Cancel one appointment and tell its client."""
    old = book_appointment.cancel(work, appointment_id)
    return _told(work, vault, content, old, "appointment_cancelled", old.starts_at, old.starts_at)


def move_one(work: Work, vault: Vault, content: Content, appointment_id: UUID, starts_at: datetime) -> Told:
    """Move one appointment and tell its client the new time, of use until the earlier of both."""
    old = book_appointment.move(work, appointment_id, starts_at)
    return _told(work, vault, content, old, "appointment_moved", starts_at, min(old.starts_at, starts_at))


def _told(
    work: Work, vault: Vault, content: Content, old: Appointment, purpose: str, when: datetime, send_before: datetime
) -> Told:
    if send_before <= work.now:
        return Told(old, N_("its time has come: a text would be too late"))
    reason = tell_client.tell(
        work, vault, content, old.client_id, purpose, {"when": when}, dedupe_key=f"{purpose}:{old.id}:{old.revision}",
        send_before=send_before, about_id=old.id,
    )  # fmt: skip
    return Told(old, reason)


def _midnight(day: date, zone: str) -> datetime:
    return windows.instant(datetime.combine(day, datetime.min.time()), zone)
