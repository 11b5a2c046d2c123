"""Appointments: when a client is expected, with whom, what they answered, and whether they came."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.errors import NotFound
from gateway.store.base import Work


@dataclass(frozen=True, slots=True)
class Appointment:
    """One appointment; `zone` is that of the place, the client's unit."""

    id: UUID
    client_id: UUID
    unit_id: UUID
    worker_id: UUID | None
    outside_id: str | None
    starts_at: datetime
    status: str
    answer: str | None
    revision: int
    client_code: str
    worker_code: str | None
    zone: str


_COLUMNS = """a.id, a.client_id, a.unit_id, a.worker_id, a.outside_id, a.starts_at, a.status, a.answer, a.revision,
  c.code AS client_code, s.code AS worker_code, u.time_zone AS zone
  FROM appointments a JOIN clients c ON c.id = a.client_id JOIN units u ON u.id = a.unit_id
    LEFT JOIN staff s ON s.id = a.worker_id"""
_GET = text(f"SELECT {_COLUMNS} WHERE a.id = :id")
_BY_OUTSIDE_ID = text(f"SELECT {_COLUMNS} WHERE a.unit_id = :unit AND a.outside_id = :outside")
_LIST = text(f"""
  SELECT {_COLUMNS} WHERE a.starts_at >= :since AND a.starts_at < :until
    AND (CAST(:client AS uuid) IS NULL OR a.client_id = :client)
    AND (CAST(:worker AS uuid) IS NULL OR a.worker_id = :worker)
    AND (CAST(:unit AS uuid) IS NULL OR a.unit_id IN (SELECT unit_id FROM unit_tree WHERE ancestor_id = :unit))
    AND (CAST(:status AS text) IS NULL OR a.status = :status) AND (:cancelled OR a.status <> 'cancelled')
  ORDER BY a.starts_at, a.id LIMIT :most""")
_EXPECTED = text("SELECT count(*) FROM appointments WHERE starts_at >= :since AND starts_at < :until AND status <> 'cancelled'")


def get(work: Work, appointment_id: UUID) -> Appointment:
    """The appointment. Raises NotFound."""
    row = work.one(_GET, id=appointment_id)
    if row is None:
        raise NotFound("no such appointment in your units: `python -m gateway appointment list` shows them")
    return Appointment(**row._asdict())


def by_outside_id(work: Work, unit_id: UUID, outside_id: str) -> Appointment | None:
    """The appointment that another system calls by this id."""
    row = work.one(_BY_OUTSIDE_ID, unit=unit_id, outside=outside_id)
    return None if row is None else Appointment(**row._asdict())


def list_between(
    work: Work, since: datetime, until: datetime, *, client_id: UUID | None = None, worker_id: UUID | None = None,
    unit_id: UUID | None = None, status: str | None = None, cancelled: bool = True, most: int = 1000,
) -> Sequence[Appointment]:  # fmt: skip
    """The actor's appointments that begin in [since, until), in order; of a unit and all below it; with those cancelled or without."""
    rows = work.all(_LIST, since=since, until=until, client=client_id, worker=worker_id, unit=unit_id, status=status, cancelled=cancelled, most=most)
    return [Appointment(**row._asdict()) for row in rows]


def count_expected(work: Work, since: datetime, until: datetime) -> int:
    """How many of them there are that are not cancelled."""
    return int(work.value(_EXPECTED, since=since, until=until))


_NEXT = text(f"SELECT {_COLUMNS} WHERE a.client_id = :client AND a.status = 'booked' AND a.starts_at > :now ORDER BY a.starts_at, a.id LIMIT 1")
_NEXT_HELD = text(f"{_NEXT.text} FOR NO KEY UPDATE OF a")


def next_booked(work: Work, client_id: UUID, hold: bool = False) -> Appointment | None:
    """The client's next appointment. `hold`: nobody moves it before the transaction ends."""
    row = work.one(_NEXT_HELD if hold else _NEXT, client=client_id, now=work.now)
    return None if row is None else Appointment(**row._asdict())


_BOOKED_AT = text("SELECT id FROM appointments WHERE client_id = :client AND starts_at = :at AND status = 'booked' ORDER BY id LIMIT 1")


def booked_at(work: Work, client_id: UUID, starts_at: datetime) -> UUID | None:
    """The client's booked appointment at this very time, if there is one."""
    found: UUID | None = work.value(_BOOKED_AT, client=client_id, at=starts_at)
    return found


def starts_at(work: Work, appointment_id: UUID) -> datetime | None:
    """When it begins; None when there is no such appointment."""
    at: datetime | None = work.value(text("SELECT starts_at FROM appointments WHERE id = :id"), id=appointment_id)
    return at


_ADD = text("""
  INSERT INTO appointments (id, client_id, unit_id, worker_id, outside_id, starts_at, created_at, updated_at)
  SELECT :id, c.id, c.unit_id, :worker, :outside, :starts_at, :now, :now FROM clients c WHERE c.id = :client""")


def add(
    work: Work, client_id: UUID, starts_at: datetime, worker_id: UUID | None = None, outside_id: str | None = None,
    appointment_id: UUID | None = None,
) -> UUID:  # fmt: skip
    """Keep an appointment; its reminders are planned by the clock."""
    appointment_id = appointment_id or uuid4()
    work.execute(_ADD, {"id": appointment_id, "client": client_id, "worker": worker_id, "outside": outside_id,
                        "starts_at": starts_at, "now": work.now})  # fmt: skip
    return appointment_id


# A yes to the old time says nothing about the new one.
_MOVE = text("""
  UPDATE appointments SET starts_at = :starts_at, worker_id = coalesce(:worker, worker_id), status = 'booked',
    answer = NULL, answered_at = NULL, revision = revision + 1, updated_at = :now WHERE id = :id""")


def move(work: Work, appointment_id: UUID, starts_at: datetime, worker_id: UUID | None = None) -> None:
    """Give it a new time; its revision rises, so that the clock plans its reminders anew."""
    work.execute(_MOVE, {"id": appointment_id, "starts_at": starts_at, "worker": worker_id, "now": work.now})


def set_worker(work: Work, appointment_id: UUID, worker_id: UUID) -> None:
    """Who expects the client; reminders do not name them, so nothing is planned anew."""
    work.execute(
        text("UPDATE appointments SET worker_id = :worker, updated_at = :now WHERE id = :id"),
        {"id": appointment_id, "worker": worker_id, "now": work.now},
    )


def set_status(work: Work, appointment_id: UUID, status: str) -> None:
    """cancelled, attended or missed."""
    work.execute(
        text("UPDATE appointments SET status = :status, updated_at = :now WHERE id = :id"),
        {"id": appointment_id, "status": status, "now": work.now},
    )


def answer(work: Work, appointment_id: UUID, answer: str) -> None:
    """What the client said: confirmed, declined or reschedule. The latest answer holds."""
    work.execute(
        text("UPDATE appointments SET answer = :answer, answered_at = :now, updated_at = :now WHERE id = :id"),
        {"id": appointment_id, "answer": answer, "now": work.now},
    )


_CANCEL_STEPS = text("""
  UPDATE occurrences o SET state = 'cancelled', reason = :reason WHERE appointment_id = :id AND (state = 'waiting' OR EXISTS (
    SELECT FROM outbound m WHERE m.client_id = o.client_id AND m.occurrence_id = o.id AND m.state = 'cancelled'))""")


def cancel_steps(work: Work, appointment_id: UUID, reason: str) -> int:
    """Cancel the reminders not planned yet, and those whose text was cancelled; the number. Take the client's row first (`clients.lock`)."""
    return int(work.execute(_CANCEL_STEPS, {"id": appointment_id, "reason": reason}).rowcount)


# --- many at once ---------------------------------------------------------------------------------------------------

_BY_OUTSIDE_IDS = text(f"""
  SELECT {_COLUMNS} WHERE (a.client_id, a.outside_id) IN (
    SELECT * FROM unnest(CAST(:clients AS uuid[]), CAST(:outside AS text[])))""")
_TAKEN = text("""
  SELECT a.unit_id, a.outside_id FROM appointments a JOIN unnest(CAST(:units AS uuid[]), CAST(:outside AS text[])) n(unit_id, outside_id)
    ON a.unit_id = n.unit_id AND a.outside_id = n.outside_id""")
_ADD_MANY = text("""
  INSERT INTO appointments (id, client_id, unit_id, outside_id, starts_at, status, created_at, updated_at)
  SELECT n.id, c.id, c.unit_id, n.outside_id, n.starts_at, n.status, :now, :now
  FROM unnest(CAST(:ids AS uuid[]), CAST(:clients AS uuid[]), CAST(:outside AS text[]), CAST(:starts AS timestamptz[]),
    CAST(:statuses AS text[])) n(id, client_id, outside_id, starts_at, status) JOIN clients c ON c.id = n.client_id""")


@dataclass(frozen=True, slots=True)
class New:
    """An appointment of another system."""

    client_id: UUID
    outside_id: str
    starts_at: datetime
    status: str = "booked"
    id: UUID = field(default_factory=uuid4)


def by_outside_ids(work: Work, keys: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], Appointment]:
    """Those of these (client, outside id) that are there."""
    rows = work.all(_BY_OUTSIDE_IDS, clients=[client_id for client_id, _ in keys], outside=[outside for _, outside in keys])
    found = [Appointment(**row._asdict()) for row in rows]
    return {(each.client_id, each.outside_id or ""): each for each in found}


def taken(work: Work, keys: Sequence[tuple[UUID, str]]) -> set[tuple[UUID, str]]:
    """Which of these (unit, outside id) are in use."""
    rows = work.all(_TAKEN, units=[unit_id for unit_id, _ in keys], outside=[outside for _, outside in keys])
    return {(row.unit_id, row.outside_id) for row in rows}


def add_many(work: Work, news: Sequence[New]) -> None:
    """Keep appointments of another system; their reminders are planned by the clock."""
    work.execute(_ADD_MANY, {
        "ids": [new.id for new in news], "clients": [new.client_id for new in news], "outside": [new.outside_id for new in news],
        "starts": [new.starts_at for new in news], "statuses": [new.status for new in news], "now": work.now,
    })  # fmt: skip
