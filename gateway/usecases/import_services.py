"""Take over a list of services, or write the directory down as one. A service is known by its code: a second import only updates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from uuid import UUID, uuid4

from gateway.content import Content
from gateway.domain import cells, service_rows, windows
from gateway.domain.columns import Columns
from gateway.domain.errors import Refused
from gateway.domain.service_rows import HEADINGS, Rejected, Row
from gateway.domain.services import Service
from gateway.domain.told import N_
from gateway.store import import_rows, services, staff, units
from gateway.store.base import Work
from gateway.store.services import Entry
from gateway.usecases import sheets, tables
from gateway.usecases.tables import Table


@dataclass(slots=True)
class Counts:
    """What an import did."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    invalid: int = 0


def take_over(work: Work, content: Content, table: Table, counts: Counts) -> None:
    """Import a list within an open transaction; `counts` rise as it goes. Raises Refused when the file cannot be taken."""
    keeper = Keeper(work, content, table.options.import_id)
    seen: dict[str, int] = {}
    with table.open(keeper.home.region) as sheet:
        found = service_rows.find_columns(table.headings(sheet, HEADINGS)[0])
        for batch in table.rows(sheet, lambda line: _read(line, found, keeper)):
            there = services.by_codes(work, [row.code for _, row in batch if isinstance(row, Row)])
            for line, row in batch:
                try:
                    _take(keeper, counts, line, row, there, seen)
                except Refused as refused:
                    counts.invalid += 1
                    table.bad(line.number, "refused", str(refused), line.cells)
    tables.log(work, "service.import", keeper.home, counts)


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
    import_id: UUID | None = None
    home: units.Unit = field(init=False)
    today: date = field(init=False)
    forbidden: tuple[str, ...] = field(init=False)
    _units: dict[str, UUID] = field(init=False)
    _staff: dict[str, UUID] = field(init=False)

    def __post_init__(self) -> None:
        seen = units.list_seen(self.work)
        self._staff = staff.codes(self.work)
        self._units = {cells.key(unit.code): unit.id for unit in seen}
        self.home = tables.home(self.work)
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
            self._remember(service.id, is_new=True)
            return "new"
        if self.work.actor.staff_id is not None and not units.is_seen(self.work, old.unit_id):
            raise Refused(N_("code: kept by another unit; ask its staff to change it"))
        if _same(old.service, service):
            return "unchanged"
        self._remember(service.id, is_new=False)
        services.change(self.work, service, by)
        return "updated"

    def _remember(self, service_id: UUID, is_new: bool) -> None:
        if self.import_id is not None:
            import_rows.remember_service(self.work, self.import_id, service_id, is_new)

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


def lines(entries: Sequence[Entry]) -> Iterator[str]:
    """The directory as lines of a table that an import takes back. What is gone is left out."""
    there = [entry for entry in entries if entry.gone_on is None]
    return sheets.lines([words[0] for words in HEADINGS.values()], (
        (s.code, s.category, s.name, s.short_name, "; ".join(entry.units), "; ".join(s.languages), s.address, str(s.hours or ""),
         s.phone, s.who, s.cost, s.checked_on and s.checked_on.isoformat(), entry.checked_by)
        for entry in there for s in [entry.service]
    ))  # fmt: skip
