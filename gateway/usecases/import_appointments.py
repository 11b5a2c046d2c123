"""Take over appointments of another system. One is known by its client and outside id: a second import only updates."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from gateway.domain import appointments as visits
from gateway.domain import cells, windows
from gateway.domain.columns import Columns
from gateway.domain.register_words import APPOINTMENT_HEADINGS
from gateway.domain.told import N_
from gateway.store import appointments, clients, import_rows, units
from gateway.store.base import Work
from gateway.usecases import book_appointment, sheets, tables
from gateway.usecases.tables import BadRow, Table


@dataclass(slots=True)
class Counts:
    """What an import did. `changed`: cancelled, attended or missed since."""

    new: int = 0
    moved: int = 0
    changed: int = 0
    unchanged: int = 0
    invalid: int = 0


def take_over(work: Work, table: Table, counts: Counts) -> None:
    """Import a list within an open transaction; `counts` rise as it goes. Raises Refused when the file cannot be taken."""
    at = tables.home(work)
    zones = {cells.key(unit.code): unit.time_zone for unit in units.list_seen(work)}
    today = work.now.astimezone(windows.zone_of(at.time_zone)).date()
    with table.open(at.region) as sheet:
        found = visits.find_columns(table.headings(sheet, APPOINTMENT_HEADINGS)[0])
        rows = _Rows(work, counts, table.bad, table.options.import_id, zones)
        for batch in table.rows(sheet, lambda line: _read(line, found, today)):
            rows.take(batch)
    tables.log(work, "appointment.import", at, counts)


def _read(line: sheets.Line, found: Columns, today: date) -> visits.Visit | visits.Rejected:
    if line.broken is not None:
        return visits.Rejected(None, (line.broken,))
    return visits.read(line.cells, found, today)


@dataclass(slots=True)
class _Rows:
    """Takes over rows batch by batch."""

    work: Work
    counts: Counts
    bad: BadRow
    import_id: UUID | None
    zones: dict[str, str]
    seen: dict[str, int] = field(default_factory=dict)  # outside id -> its first line

    def take(self, rows: Sequence[tuple[sheets.Line, visits.Visit | visits.Rejected]]) -> None:
        """Write what is new or different about some rows."""
        people = clients.by_codes(self.work, [row.client for _, row in rows if isinstance(row, visits.Visit)])
        good = [(line, row, people[row.client]) for line, row in rows
                if isinstance(row, visits.Visit) and self._is_good(line, row, people)]  # fmt: skip
        for line, row in rows:
            if isinstance(row, visits.Rejected):
                self._refuse(line, "; ".join(row.reasons))
        clients.lock(self.work, [client.id for _, _, client in good])
        there = appointments.by_outside_ids(self.work, [(client.id, row.outside_id) for _, row, client in good])
        taken = appointments.taken(self.work, [(client.unit_id, row.outside_id) for _, row, client in good])
        news = []
        for line, row, client in good:
            starts_at = row.starts_at(self.zones[cells.key(row.unit or client.unit_code)])
            old = there.get((client.id, row.outside_id))
            if old is not None:
                self._update(old, starts_at, row.state)
            elif (client.unit_id, row.outside_id) in taken:
                self._refuse(line, N_("appointment id: it is another client's"))
            else:
                news.append(appointments.New(client.id, row.outside_id, starts_at, row.state or "booked"))
        self.counts.new += len(news)
        appointments.add_many(self.work, news)
        self._remember([new.id for new in news], are_new=True)

    def _is_good(self, line: sheets.Line, row: visits.Visit, people: dict[str, clients.Found]) -> bool:
        first = self.seen.setdefault(row.outside_id, line.number)
        if first != line.number:
            return self._refuse(line, N_("appointment id: the same as in line {line}, which was taken").format(line=first))
        if row.client not in people:
            return self._refuse(line, N_("client: no such code in your units"))
        if row.unit and cells.key(row.unit) not in self.zones:
            return self._refuse(line, N_("unit: not among yours"))
        return True

    def _refuse(self, line: sheets.Line, reason: str) -> bool:
        self.counts.invalid += 1
        self.bad(line.number, "refused", reason, line.cells)
        return False

    def _update(self, old: appointments.Appointment, starts_at: datetime, state: str | None) -> None:
        """A move plans reminders anew; the other states end them. What the row does not say stays."""
        status = state or old.status
        is_moved = status == "booked" and (old.status != "booked" or old.starts_at != starts_at)
        if is_moved or status != old.status:
            self._remember([old.id], are_new=False)
        if is_moved:
            appointments.move(self.work, old.id, starts_at)
            book_appointment.drop_reminders(self.work, old, book_appointment.MOVED)
            self.counts.moved += 1
        elif status != old.status:
            appointments.set_status(self.work, old.id, status)
            book_appointment.drop_reminders(self.work, old, f"appointment {status}")
            self.counts.changed += 1
        else:
            self.counts.unchanged += 1

    def _remember(self, ids: Sequence[UUID], are_new: bool) -> None:
        if self.import_id is not None:
            import_rows.remember_appointments(self.work, self.import_id, ids, are_new)
