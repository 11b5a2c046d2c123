"""Tables that come in, of clients, appointments or services: kept, checked, taken over and undone.

From the pages a process of ours does the work, so that a closed browser changes nothing; killed at any moment, another does
it again, and nothing is taken over twice. A command does it at once, all of it or nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from gateway import log
from gateway.content import Content
from gateway.domain.errors import Refused
from gateway.domain.register_words import APPOINTMENT_HEADINGS
from gateway.domain.service_rows import HEADINGS as SERVICE_HEADINGS
from gateway.domain.told import N_
from gateway.store import appointments, audit, clients, import_rows, imports, units
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.store.imports import Claimed
from gateway.usecases import (
    book_appointment,
    change_client,
    import_appointments,
    import_clients,
    import_services,
    sheets,
)
from gateway.usecases.tables import Options, Table
from gateway.vault import Vault

MOST_BYTES = 20 * 1024 * 1024
MOST_BAD = 10_000  # rows kept with their reasons
UNDONE = N_("import undone")

Counts = import_clients.Counts | import_appointments.Counts | import_services.Counts


@dataclass(frozen=True, slots=True)
class Kind:
    """What a table may hold. `noun`: of its actions in the trail; `words`: field -> headings that name it; `may`: roles that import it."""

    noun: str
    words: Mapping[str, Sequence[str]]
    may: frozenset[str]
    counts: Callable[[], Counts]
    take_over: Callable[[Work, Vault, Content, Table, Any], None]
    several: Sequence[str] = ()


_CARE = frozenset({"case_worker", "supervisor", "administrator"})

KINDS = {
    "clients": Kind(
        "client", import_clients.WORDS, _CARE, import_clients.Counts,
        lambda work, vault, _content, table, counts: import_clients.take_over(work, vault, table, counts), ("phone", "groups", "consent"),
    ),
    "appointments": Kind(
        "appointment", APPOINTMENT_HEADINGS, _CARE, import_appointments.Counts,
        lambda work, _vault, _content, table, counts: import_appointments.take_over(work, table, counts),
    ),
    "services": Kind(
        "service", SERVICE_HEADINGS, _CARE - {"case_worker"}, import_services.Counts,
        lambda work, _vault, content, table, counts: import_services.take_over(work, content, table, counts),
    ),
}  # fmt: skip


class _Tried(Exception):
    """Rolls back what was only tried."""


def run(
    engine: Engine, vault: Vault, content: Content, actor: Actor, kind: str, table: Table, *, dry_run: bool = False,
    now: datetime | None = None, done: Callable[[Work, Counts], None] = lambda work, counts: None,
) -> Counts:  # fmt: skip
    """Take a table over as the actor, all of it or nothing, or see what would come of it; `done` belongs to the transaction.

    Raises Refused when the file as a whole cannot be taken.
    """
    counts = KINDS[kind].counts()
    try:
        with unit_of_work(engine, actor, now) as work:
            KINDS[kind].take_over(work, vault, content, table, counts)
            if dry_run:
                raise _Tried
            done(work, counts)
    except _Tried:
        pass
    except IntegrityError:
        raise Refused("something changed while the import ran, or an appointment's outside id is in use in a client's new unit. "
                      "Nothing was imported: try again.") from None  # fmt: skip
    return counts


# --- from the pages -------------------------------------------------------------------------------------------------


def keep(work: Work, vault: Vault, kind: str, file: bytes) -> UUID:
    """Keep a table of the actor to be checked. Raises Refused when it is none."""
    assert work.actor.unit_id is not None
    if not file:
        raise Refused("choose a file first")
    if len(file) > MOST_BYTES:
        raise Refused("this file is too large: split it")
    with sheets.read(file, units.get(work, work.actor.unit_id).region) as sheet:
        headings = sheet.headings
    return imports.add(work, vault, kind, file, headings)


def run_next(engine: Engine, vault: Vault, content: Content, now: datetime | None = None) -> bool:
    """Check, or take over, the next table that waits; False when none does."""
    with unit_of_work(engine, SYSTEM, now) as work:
        imports.forget(work)
        claimed = imports.claim(work, vault)
    if claimed is None:
        return False
    try:
        _run(engine, vault, content, claimed, now)
    except Refused as refused:
        with unit_of_work(engine, SYSTEM) as work:
            imports.fail(work, claimed.id, str(refused))
        log.warning("import_failed", id=claimed.id)
    return True


def _run(engine: Engine, vault: Vault, content: Content, claimed: Claimed, now: datetime | None) -> None:
    is_check, bad = claimed.state == "checking", list[Any]()
    if not claimed.active or claimed.actor.role not in KINDS[claimed.kind].may:
        raise Refused("whoever brought this file may not import it any more")

    def note(line: int, what: str, reason: str, cells: Sequence[str]) -> None:
        if len(bad) < MOST_BAD:
            bad.append((line, what, reason, list(cells)))

    def progress(done: int, size: int) -> None:
        with unit_of_work(engine, SYSTEM) as beside:
            imports.tell_progress(beside, claimed.id, done * len(claimed.file) // max(size, 1))

    def finish(work: Work, counts: Counts) -> None:
        figures = {name: figure for name, figure in asdict(counts).items() if isinstance(figure, int)}
        imports.finish(work, claimed, "checked" if is_check else "done", figures, bad)

    table = Table(claimed.file, read_options(claimed.options, None if is_check else claimed.id), note, progress)
    counts = run(engine, vault, content, claimed.actor, claimed.kind, table, dry_run=is_check, now=now, done=finish)
    if is_check:
        with unit_of_work(engine, SYSTEM, now) as work:
            finish(work, counts)


def read_options(kept: Mapping[str, Any], import_id: UUID | None = None) -> Options:
    """The options of an import as they are kept."""
    return Options(
        unit=kept.get("unit") or None, consents=kept.get("consents", {}), basis=kept.get("basis") or None,
        yes_means=tuple(kept.get("yes_means", ())), columns={int(place): name for place, name in kept.get("columns", {}).items()},
        import_id=import_id,
    )  # fmt: skip


def undo(work: Work, vault: Vault, found: imports.Import, by: Actor) -> tuple[int, int]:
    """Undo an import of the last day that the actor was shown: how many rows, and how many stay since something happened with them.

    Runs as the system. An appointment about which the client was texted since stays: what they were told holds. Raises Refused
    when the import cannot be undone.
    """
    people = import_rows.clients_of(work, found.id)
    clients.lock(work, people)
    if not imports.undone(work, found.id):
        raise Refused("this import cannot be undone: it is more than a day ago, or was undone already")
    total, rows = import_rows.count(work, found.id), import_rows.untouched(work, found.kind, found.id)
    for row in rows:
        if found.kind == "appointments":
            book_appointment.drop_reminders(work, appointments.get(work, row.id), UNDONE)
        import_rows.undo(work, found.kind, row, by.staff_id)
    change_client.follow_phones(work, vault, people)
    done = len(rows), total - len(rows)
    imports.count_undone(work, found.id, *done)
    audit.add(work, f"{KINDS[found.kind].noun}.import_undo", "unit", found.unit_id, found.unit_id,
              {"import": found.id, "undone": done[0], "kept": done[1]}, by=by)  # fmt: skip
    return done
