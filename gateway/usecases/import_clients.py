"""Take over a register of clients: every row is read and judged, then one transaction writes, all of it or nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from gateway.domain import cells, register
from gateway.domain.columns import Columns
from gateway.domain.errors import Refused
from gateway.domain.register_words import DATE_HEADINGS, HEADINGS
from gateway.domain.told import N_
from gateway.store import clients, consents, erasure, staff, units
from gateway.store import register as staging
from gateway.store.base import Work
from gateway.usecases import change_client, sheets, tables
from gateway.usecases.tables import BadRow, Options, Table
from gateway.vault import DataKey, Vault


@dataclass(slots=True)
class Counts:
    """What an import did, or with `dry_run` would have done. `opted_out`: of the rows taken, those who get no texts."""

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    duplicate: int = 0
    invalid: int = 0
    opted_out: int = 0
    to_verify: int = 0
    ignored_columns: tuple[str, ...] = ()


WORDS = HEADINGS | DATE_HEADINGS
"""What a column may be taken for -> headings that say so."""


def take_over(work: Work, vault: Vault, table: Table, counts: Counts) -> None:
    """Import a register within an open transaction; `counts` rise as it goes. A second import of the same file changes nothing.

    Clients are known by their code, never by a phone. Raises Refused when the file as a whole cannot be taken.
    """
    options = table.options
    places = _Places.of(work, options.unit)
    reading = register.Reading(places.home.region, options.basis, options.yes_means)
    with table.open(places.home.region) as sheet:
        headings, own = table.headings(sheet, WORDS)
        found = register.find_columns(headings, own, options.dates)
        counts.ignored_columns = found.ignored
        staging.begin(work)
        rows = _Rows(work, vault, options, counts, table.bad, places)
        for batch in table.rows(sheet, lambda line: _read(line, found, reading)):
            rows.take(batch)
    staging.stop(work)
    tables.log(work, "client.import", places.home, counts)


def _read(line: sheets.Line, found: Columns, reading: register.Reading) -> register.Row | register.Rejected:
    return register.Rejected(None, False, (line.broken,)) if line.broken else register.read(line.cells, found, reading)


@dataclass(frozen=True, slots=True)
class _Places:
    """The units and staff that rows may name."""

    home: units.Unit
    units: Mapping[str, units.Unit | None]  # by code and by name; None: several have this name
    staff: Mapping[str, UUID]

    @classmethod
    def of(cls, work: Work, home: str | None) -> "_Places":
        seen = units.list_seen(work)
        named: dict[str, units.Unit | None] = {}
        for unit in seen:
            name = cells.key(unit.name)
            named[name] = None if name in named else unit
        named |= {cells.key(unit.code): unit for unit in seen}
        own = units.get(work, work.actor.unit_id) if work.actor.unit_id else None
        at = units.by_code(work, home) if home else own
        if at is None:
            raise Refused("no unit is given: say in which unit clients are who name none")
        return cls(at, named, {code.casefold(): id_ for code, id_ in staff.codes(work).items()})


@dataclass(slots=True)
class _Taken:
    """A row to be written, with where it belongs."""

    line: int
    row: register.Row
    unit: units.Unit | None  # None: the row names none
    worker_id: UUID | None
    phones: dict[str, bytes]
    row_hash: bytes


@dataclass(slots=True)
class _Rows:
    """Judges rows batch by batch and writes what is to be written."""

    work: Work
    vault: Vault
    options: Options
    counts: Counts
    bad: BadRow
    places: _Places
    seen: dict[str, tuple[int, bytes]] = field(default_factory=dict)  # code -> its first line and what that says
    hash_word: Callable[[str], bytes] = field(init=False)

    def __post_init__(self) -> None:
        self.hash_word = lru_cache(maxsize=50_000)(self.vault.hash_word)  # a register has few different words

    def take(self, lines: Sequence[tuple[sheets.Line, register.Row | register.Rejected]]) -> None:
        """Judge some rows and write what is new about them."""
        taken: list[_Taken] = []
        stops: set[str] = set()  # codes; an opt-out counts in a row that is refused or doubled too
        for line, row in lines:
            if (kept := self._judge(line, row)) is not None:
                taken.append(kept)
            elif row.opted_out and row.code:
                stops.add(row.code)
        self._stage(taken, stops)

    def _judge(self, line: sheets.Line, row: register.Row | register.Rejected) -> _Taken | None:
        """The row as it is to be written; None when it is refused or doubled, which has been told."""
        if isinstance(row, register.Rejected):
            self._refuse(line, "; ".join(row.reasons))
            return None
        if row.code.startswith(erasure.PREFIX):
            self._refuse(line, N_("code: begins with {prefix}, which marks people who were erased").format(prefix=erasure.PREFIX))
            return None
        unit = self.places.units.get(cells.key(row.unit)) if row.unit else None
        if row.unit and unit is None:
            several = cells.key(row.unit) in self.places.units
            self._refuse(line, N_("unit: several have this name; give its code") if several else N_("unit: not among yours"))
            return None
        worker_id = self.places.staff.get(row.worker.casefold()) if row.worker else None
        said = repr((row, unit.id if unit else None, worker_id, sorted(self.options.consents.items())))
        row_hash = self.vault.hash_body(said)
        first, same = self.seen.setdefault(row.code, (line.number, row_hash))
        if first != line.number:
            self.counts.duplicate += 1
            reason = N_("the same as line {line}") if same == row_hash else N_("line {line} has the same code and was taken")
            self.bad(line.number, N_("duplicate"), reason.format(line=first), line.cells)
            return None
        warnings = [*row.warnings, *([N_("worker: no such code among your staff")] if row.worker and worker_id is None else [])]
        if warnings:
            self.bad(line.number, N_("taken"), "; ".join(warnings), line.cells)
        phones = {phone.e164: self.vault.hash_phone(phone.e164) for phone in row.phones}
        return _Taken(line.number, row, unit, worker_id, phones, row_hash)

    def _refuse(self, line: sheets.Line, reason: str) -> None:
        self.counts.invalid += 1
        self.bad(line.number, "refused", reason, line.cells)

    def _stage(self, taken: Sequence[_Taken], stops: set[str]) -> None:
        known = staging.known(self.work, [each.row.code for each in taken])
        stopped = consents.stopped(self.work, [phone_hash for each in taken for phone_hash in each.phones.values()])
        gone = self._erased([each.row.code for each in taken if each.row.code not in known])
        staged: dict[str, list[dict[str, Any]]] = {"keys": [], "clients": [], "phones": [], "words": [], "consents": [], "dates": []}
        for each in taken:
            before = known.get(each.row.code)
            if each.row.code in gone:
                self.counts.invalid += 1
                self.bad(each.line, "refused", N_("code: this person was erased at their wish and is not brought back"), ())
                continue
            self.counts.opted_out += each.row.opted_out or any(hashed in stopped for hashed in each.phones.values())
            self.counts.to_verify += any(phone.changed for phone in each.row.phones)
            if before is not None and before.row_hash == each.row_hash:
                self.counts.unchanged += 1  # opted out or not: they may have said START since
                continue
            if each.row.opted_out:
                stops.add(each.row.code)
            self._write(each, before, staged)
        for name, rows in staged.items():
            staging.stage(self.work, name, rows)
        staging.stage(self.work, "stops", ({"code": code} for code in sorted(stops)))
        for number in staging.take(self.work, self.options.import_id) if staged["clients"] else ():
            self.bad(number, "refused", N_("code: in use already (perhaps in another unit)"), ())
            self.counts.new, self.counts.invalid = self.counts.new - 1, self.counts.invalid + 1
        change_client.follow_phones(self.work, self.vault, [row["id"] for row in staged["clients"] if row["new_phones"] and not row["is_new"]])

    def _erased(self, codes: Sequence[str]) -> set[str]:
        hashed = {erasure.erased_code(self.vault, code): code for code in codes}
        return {hashed[code] for code in staging.erased(self.work, list(hashed))}

    def _write(self, each: _Taken, before: staging.Known | None, staged: dict[str, list[dict[str, Any]]]) -> None:
        if before is None:
            self.counts.new += 1
            client_id, key_id = uuid4(), uuid4()
            unit_id = (each.unit or self.places.home).id
            key, wrapped = self.vault.new_key(key_id)
            staged["keys"].append({"id": key_id, "unit_id": unit_id, "wrapped": wrapped})
        else:
            self.counts.updated += 1
            client_id, key_id = before.id, before.key_id
            unit_id = each.unit.id if each.unit else before.unit_id
            key = self.vault.open_key(before.wrapped, key_id)
        new_phones = before is None or list(before.phones) != list(each.phones.values())
        language = each.row.language or ((each.unit or self.places.home).language if before is None else None)
        staged["clients"].append(
            {"is_new": before is None, "id": client_id, "unit_id": unit_id, "key_id": key_id, "language": language,
             "new_phones": new_phones} | _columns(each, client_id, key)
        )  # fmt: skip
        if new_phones:
            doubts = before.phones if before is not None else {}
            staged["phones"] += _phones(each, client_id, key, doubts)
        words = clients.search_words(each.row.name, each.phones)
        staged["words"] += ({"client_id": client_id, "word_hash": self.hash_word(word)} for word in words)
        staged["consents"] += self._consents(each.row, client_id)
        staged["dates"] += ({"client_id": client_id, "name": name, "on_date": day} for name, day in each.row.dates)

    def _consents(self, row: register.Row, client_id: UUID) -> Iterator[dict[str, Any]]:
        said = {consent.purpose for consent in row.consents}
        for consent in row.consents:
            basis = f"{consent.basis} ({consent.given_on})" if consent.given_on else consent.basis
            yield {"client_id": client_id, "purpose": consent.purpose, "granted": consent.granted, "basis": basis}
        for purpose, basis in self.options.consents.items():
            if purpose not in said:
                yield {"client_id": client_id, "purpose": purpose, "granted": True, "basis": basis}


def _columns(each: _Taken, client_id: UUID, key: DataKey) -> dict[str, Any]:
    """What the row says of the client; None where it says nothing."""
    row = each.row
    return {
        "line": each.line, "code": row.code, "name_enc": key.encrypt(row.name, "clients.name", client_id),
        "fields_enc": clients.seal_fields(dict(row.own), key, client_id), "time_zone": row.zone, "any_hour": row.any_hour,
        "opens": row.hours.opens if row.hours else None, "closes": row.hours.closes if row.hours else None, "tones": row.tones,
        "discreet": row.discreet, "status": row.status, "status_reason": row.status_reason, "groups": list(row.groups) or None,
        "worker_id": each.worker_id, "row_hash": each.row_hash,
    }  # fmt: skip


def _phones(each: _Taken, client_id: UUID, key: DataKey, doubts: Mapping[bytes, str | None]) -> Iterator[dict[str, Any]]:
    """A number that was there already keeps what was known about it: a person may have verified it since."""
    for rank, phone in enumerate(each.row.phones):
        phone_id, phone_hash = uuid4(), each.phones[phone.e164]
        yield {
            "id": phone_id, "client_id": client_id, "rank": rank, "phone_enc": key.encrypt(phone.e164, "phones.phone", phone_id),
            "phone_hash": phone_hash, "to_verify": doubts.get(phone_hash, phone.changed),
        }  # fmt: skip
