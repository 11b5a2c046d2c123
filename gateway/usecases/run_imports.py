"""Registers that come in from the pages: kept, checked, taken over and undone. A process of ours does the work, so that a
closed browser changes nothing; killed at any moment, another does it again, and nothing is taken over twice."""

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from gateway import log
from gateway.domain.errors import Refused
from gateway.store import audit, imports, units
from gateway.store.base import SYSTEM, Actor, Work, unit_of_work
from gateway.store.imports import Claimed
from gateway.usecases import import_clients, sheets
from gateway.usecases.import_clients import Counts, Options
from gateway.vault import Vault

MOST_BYTES = 20 * 1024 * 1024
MOST_BAD = 10_000  # rows kept with their reasons


def keep(work: Work, vault: Vault, file: bytes) -> UUID:
    """Keep a register of the actor to be checked. Raises Refused when it is no table."""
    assert work.actor.unit_id is not None
    if not file:
        raise Refused("choose a file first")
    if len(file) > MOST_BYTES:
        raise Refused("this file is too large: split it")
    with sheets.read(file, units.get(work, work.actor.unit_id).region) as sheet:
        headings = sheet.headings
    return imports.add(work, vault, file, headings)


def run_next(engine: Engine, vault: Vault, now: datetime | None = None) -> bool:
    """Check, or take over, the next register that waits; False when none does."""
    with unit_of_work(engine, SYSTEM, now) as work:
        imports.forget(work)
        claimed = imports.claim(work, vault)
    if claimed is None:
        return False
    try:
        _run(engine, vault, claimed, now)
    except Refused as refused:
        _fail(engine, claimed, str(refused))
    except IntegrityError:
        _fail(engine, claimed, "something changed while the import ran, or an appointment's outside id is in use in a client's new unit. "
                               "Nothing was imported: try again.")  # fmt: skip
    return True


def _fail(engine: Engine, claimed: Claimed, reason: str) -> None:
    with unit_of_work(engine, SYSTEM) as work:
        imports.fail(work, claimed.id, reason)
    log.warning("import_failed", id=claimed.id)


class _Checked(Exception):
    """Rolls back what was only tried."""


def _run(engine: Engine, vault: Vault, claimed: Claimed, now: datetime | None) -> None:
    is_check, counts, bad = claimed.state == "checking", Counts(), list[Any]()

    def note(line: int, what: str, reason: str, cells: Any) -> None:
        if len(bad) < MOST_BAD:
            bad.append((line, what, reason, list(cells)))

    def progress(done: int, size: int) -> None:
        with unit_of_work(engine, SYSTEM) as beside:
            imports.tell_progress(beside, claimed.id, done)

    try:
        with unit_of_work(engine, claimed.actor, now) as work:
            options = read_options(claimed.options, None if is_check else claimed.id)
            import_clients.take_over(work, vault, claimed.file, options, counts, note, progress)
            if is_check:
                raise _Checked
            imports.finish(work, claimed, "done", _shown(counts), bad)
    except _Checked:
        with unit_of_work(engine, SYSTEM, now) as work:
            imports.finish(work, claimed, "checked", _shown(counts), bad)


def _shown(counts: Counts) -> dict[str, int]:
    return {each.name: getattr(counts, each.name) for each in fields(counts) if each.name != "ignored_columns"}


def read_options(kept: Mapping[str, Any], import_id: UUID | None = None) -> Options:
    """The options of an import as they are kept."""
    return Options(
        unit=kept.get("unit") or None, consents=kept.get("consents", {}), basis=kept.get("basis") or None,
        yes_means=tuple(kept.get("yes_means", ())), columns={int(place): name for place, name in kept.get("columns", {}).items()},
        import_id=import_id,
    )  # fmt: skip


def undo(work: Work, found: imports.Import, by: Actor) -> tuple[int, int]:
    """Undo an import of the last day that the actor was shown: how many clients, and how many stay as they are now.

    Runs as the system. Raises Refused when it cannot be undone.
    """
    done = imports.undo(work, found.id, by.staff_id)
    if done is None:
        raise Refused("this import cannot be undone: it is more than a day ago, or was undone already")
    audit.add(work, "client.import_undo", "unit", found.unit_id, found.unit_id, {"import": found.id, "undone": done[0], "kept": done[1]}, by=by)
    return done
