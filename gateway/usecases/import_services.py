"""Take over a list of services, or write the directory down as one. One is known by its code: a second import only updates."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain import cells, service_rows, windows
from gateway.domain.columns import Columns
from gateway.domain.errors import Refused
from gateway.domain.service_rows import HEADINGS, Rejected, Row
from gateway.domain.services import Service
from gateway.domain.told import N_
from gateway.store import audit, services, staff, units
from gateway.store.base import Actor, Work, unit_of_work
from gateway.store.services import Entry
from gateway.usecases import sheets

AT_ONCE = 500
BadRow = Callable[[int, str, str, Sequence[str]], None]


@dataclass(slots=True)
class Counts:
    """What an import did."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    invalid: int = 0


class _DryRun(Exception):
    """Rolls the transaction back."""


def run(engine: Engine, actor: Actor, content: Content, path: Path, bad: BadRow, dry_run: bool = False, now: datetime | None = None) -> Counts:
    """Import a list as the actor, all of it or nothing; `bad` is told of each refused row."""
    counts = Counts()
    try:
        with unit_of_work(engine, actor, now) as work:
            take_over(work, content, path, counts, bad)
            if dry_run:
                raise _DryRun
    except _DryRun:
        pass
    return counts


def take_over(work: Work, content: Content, path: Path, counts: Counts, bad: BadRow) -> None:
    """Import within an open transaction; `counts` rise as it goes. See `run`."""
    keeper = Keeper(work, content)
    seen: dict[str, int] = {}

    def refuse(line: sheets.Line, reason: str) -> None:
        counts.invalid += 1
        bad(line.number, "refused", reason, line.cells)

    with sheets.read(path, keeper.home.region) as sheet:
        found = service_rows.find_columns(sheet.headings)
        for lines in sheets.batches(sheet.rows, AT_ONCE):
            full = [line for line in lines if line.broken or any(cell.strip() for cell in line.cells)]
            read = [(line, _read(line, found, keeper)) for line in full]
            there = services.by_codes(work, [row.code for _, row in read if isinstance(row, Row)])
            for line, row in read:
                try:
                    _take(keeper, counts, line, row, there, seen)
                except Refused as refused:
                    refuse(line, str(refused))
    detail = {name: getattr(counts, name) for name in Counts.__slots__}
    audit.add(work, "service.import", "unit", keeper.home.id, keeper.home.id, detail)


def _read(line: sheets.Line, found: Columns, keeper: "Keeper") -> Row | Rejected:
    if line.broken is not None:
        return Rejected((line.broken,))
    return service_rows.read(line.cells, found, keeper.today, keeper.forbidden)


def _take(
    keeper: "Keeper", counts: Counts, line: sheets.Line, row: Row | Rejected, there: Mapping[str, Entry], seen: dict[str, int]
) -> None:
    """Keep one row. Raises Refused with the reasons."""
    if isinstance(row, Rejected):
        reasons = "; ".join(row.reasons)
        raise Refused(reasons)
    first = seen.setdefault(row.code, line.number)
    if first != line.number:
        raise Refused(N_("code: the same as in line {line}, which was taken").format(line=first))
    done = keeper.keep(row, there.get(row.code))
    setattr(counts, done, getattr(counts, done) + 1)


@dataclass(slots=True)
class Keeper:
    """Keeps entries for an actor: looks up the codes in them, and what the actor may not do is refused."""

    work: Work
    content: Content
    home: units.Unit = field(init=False)
    today: date = field(init=False)
    forbidden: tuple[str, ...] = field(init=False)
    _units: dict[str, UUID] = field(init=False)
    _staff: dict[str, UUID] = field(init=False)

    def __post_init__(self) -> None:
        seen = units.list_seen(self.work)
        self._staff = staff.codes(self.work)
        self._units = {cells.key(unit.code): unit.id for unit in seen}
        self.home = next(unit for unit in seen if unit.id == self.work.actor.unit_id) if self.work.actor.unit_id else seen[0]
        self.today = self.work.now.astimezone(windows.zone_of(self.home.time_zone)).date()
        self.forbidden = tuple(word for language in self.content.languages.values() for word in language.forbidden)

    def keep(self, row: Row, old: Entry | None) -> str:
        """Add the entry, or change the one of its code: "new", "updated" or "unchanged". Raises Refused."""
        served = [self._unit(code) for code in row.units]
        by = self._checked_by(row)
        service = Service(
            id=old.service.id if old else uuid4(), code=row.code, category=row.category, name=row.name, short_name=row.short_name,
            units=served, languages=row.languages, address=row.address, phone=row.phone, hours=row.hours, who=row.who,
            cost=row.cost, checked_on=row.checked_on,
        )  # fmt: skip
        if old is None:
            services.add(self.work, service, by)
            return "new"
        if self.work.actor.staff_id is not None and not units.is_seen(self.work, old.unit_id):
            raise Refused(N_("code: kept by another unit; ask its staff to change it"))
        if _same(old.service, service):
            return "unchanged"
        services.change(self.work, service, by)
        return "updated"

    def _unit(self, code: str) -> UUID:
        unit_id = self._units.get(cells.key(code))
        if unit_id is None:
            raise Refused(N_("units: {code!r} is not among yours").format(code=code))
        return unit_id

    def _checked_by(self, row: Row) -> UUID | None:
        """Whoever is named by code, else whoever brings the list; nobody without a date."""
        if row.checked_on is None or not row.checked_by:
            return self.work.actor.staff_id if row.checked_on else None
        if row.checked_by not in self._staff:
            raise Refused(N_("checked by: no staff member of this code in your units"))
        return self._staff[row.checked_by]


def _same(old: Service, new: Service) -> bool:
    names = [name for name in Service.__slots__ if name not in ("units", "languages")]
    return (
        all(getattr(old, name) == getattr(new, name) for name in names)
        and set(old.units) == set(new.units) and old.units[0] == new.units[0] and list(old.languages) == list(new.languages)
    )  # fmt: skip


def write(file: IO[str], entries: Sequence[Entry]) -> int:
    """The directory as a table that `run` takes back; how many rows. What is gone is left out."""
    out = csv.writer(file)
    out.writerow([words[0] for words in HEADINGS.values()])
    there = [entry for entry in entries if entry.gone_on is None]
    for entry in there:
        s = entry.service
        out.writerow(sheets.harmless(cell) for cell in (
            s.code, s.category, s.name, s.short_name, "; ".join(entry.units), "; ".join(s.languages), s.address, str(s.hours or ""),
            s.phone, s.who, s.cost, s.checked_on.isoformat() if s.checked_on else "", entry.checked_by or "",
        ))  # fmt: skip
    return len(there)
