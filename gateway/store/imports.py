"""Tables that come in from the pages: the file until it is read, how far it is, and what it did."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.errors import NotFound
from gateway.store.base import Actor, Work
from gateway.vault import DataKey, Vault

KEPT = timedelta(hours=24)
LEASE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Import:
    """One import as its page shows it."""

    id: UUID
    kind: str
    unit_id: UUID
    state: str
    options: Mapping[str, Any]
    counts: Mapping[str, Any]
    reason: str | None
    bytes_done: int
    bytes: int
    made_at: datetime
    applied_at: datetime | None
    by: str | None
    has_file: bool

    @property
    def percent(self) -> int:
        """How much of the file is read."""
        return min(100 * self.bytes_done // max(self.bytes, 1), 100)


def add(work: Work, vault: Vault, kind: str, file: bytes, headings: Sequence[str]) -> UUID:
    """Keep a file of the actor, encrypted, to be checked."""
    import_id, key_id = uuid4(), uuid4()
    key, wrapped = vault.new_key(key_id)
    work.insert("keys", [{"id": key_id, "unit_id": work.actor.unit_id, "wrapped": wrapped}])
    work.insert("imports", [{
        "id": import_id, "kind": kind, "unit_id": work.actor.unit_id, "staff_id": work.actor.staff_id, "key_id": key_id, "state": "checking",
        "options": "{}", "headings_enc": key.encrypt(json.dumps(list(headings)), "imports.headings", import_id),
        "file_enc": key.encrypt(file.decode("latin-1"), "imports.file", import_id), "bytes": len(file), "made_at": work.now,
    }])  # fmt: skip
    return import_id


_COLUMNS = """i.id, i.kind, i.unit_id, i.state, i.options, i.counts, i.reason, i.bytes_done, i.bytes, i.made_at, i.applied_at, s.code AS by,
  i.file_enc IS NOT NULL AS has_file FROM imports i LEFT JOIN staff s ON s.id = i.staff_id"""
_GET = text(f"SELECT {_COLUMNS} WHERE i.id = :id")
_LATEST = text(f"SELECT {_COLUMNS} WHERE i.kind = :kind ORDER BY i.made_at DESC LIMIT 20")


def get(work: Work, import_id: UUID) -> Import:
    """The import. Raises NotFound."""
    row = work.one(_GET, id=import_id)
    if row is None:
        raise NotFound("no such import in your units")
    return Import(**row._asdict())


def latest(work: Work, kind: str) -> list[Import]:
    """The latest imports of a kind in the actor's units."""
    return [Import(**row._asdict()) for row in work.all(_LATEST, kind=kind)]


_SEALED = text("SELECT i.headings_enc, i.bad_enc, i.file_enc, i.key_id, k.wrapped FROM imports i JOIN keys k ON k.id = i.key_id WHERE i.id = :id")


def headings(work: Work, vault: Vault, import_id: UUID) -> list[str]:
    """The headings of the file; none once it is forgotten."""
    found: list[str] = _opened(work, vault, import_id, "headings")
    return found


def bad_rows(work: Work, vault: Vault, import_id: UUID) -> list[tuple[int, str, str, list[str]]]:
    """Rows that were not taken, or not as they are: line, what became of it, why, the row."""
    return [(line, what, why, cells) for line, what, why, cells in _opened(work, vault, import_id, "bad")]


def _opened(work: Work, vault: Vault, import_id: UUID, what: str) -> list[Any]:
    row = work.one(_SEALED, id=import_id)
    sealed = None if row is None else getattr(row, f"{what}_enc")
    if row is None or sealed is None:
        return []
    found: list[Any] = json.loads(vault.open_key(row.wrapped, row.key_id).decrypt(sealed, f"imports.{what}", import_id))
    return found


_AGAIN = text("""
  UPDATE imports SET state = 'checking', options = CAST(:options AS jsonb), bytes_done = 0, reason = NULL, taken_until = NULL
  WHERE id = :id AND state IN ('checked', 'failed') AND file_enc IS NOT NULL""")
_START = text("UPDATE imports SET state = 'waiting', bytes_done = 0, taken_until = NULL WHERE id = :id AND state = 'checked'")


def check_again(work: Work, import_id: UUID, options: Mapping[str, Any]) -> bool:
    """Have it checked with other options; False when it is past that."""
    return bool(work.execute(_AGAIN, {"id": import_id, "options": json.dumps(dict(options))}).rowcount)


def start(work: Work, import_id: UUID) -> bool:
    """Have what was checked taken over; False when it was not checked, or is on its way already."""
    return bool(work.execute(_START, {"id": import_id}).rowcount)


# --- for the process that does it -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Claimed:
    """An import to be done, for whoever asked for it: `active` says whether they still work here."""

    id: UUID
    kind: str
    actor: Actor
    active: bool
    state: str
    options: Mapping[str, Any]
    key: DataKey
    file: bytes


_CLAIM = text("""
  UPDATE imports i SET taken_until = now() + :lease FROM staff s, keys k
  WHERE i.id = (SELECT id FROM imports WHERE state IN ('checking', 'waiting') AND (taken_until IS NULL OR taken_until < now())
      ORDER BY made_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    AND s.id = i.staff_id AND k.id = i.key_id
  RETURNING i.id, i.kind, i.state, i.options, i.file_enc, i.key_id, k.wrapped, s.id AS staff_id, s.unit_id, s.role, s.active""")


def claim(work: Work, vault: Vault) -> Claimed | None:
    """The next one that waits. Taken for a quarter of an hour: should we die, another process does it then."""
    row = work.one(_CLAIM, lease=LEASE)
    if row is None:
        return None
    key = vault.open_key(row.wrapped, row.key_id)
    file = key.decrypt(row.file_enc, "imports.file", row.id).encode("latin-1") if row.file_enc else b""
    return Claimed(row.id, row.kind, Actor(row.staff_id, row.unit_id, row.role), row.active, row.state, row.options, key, file)


def tell_progress(work: Work, import_id: UUID, done: int) -> None:
    """So many bytes are read; whoever does it is alive."""
    work.execute(text("UPDATE imports SET bytes_done = :done, taken_until = now() + :lease WHERE id = :id"),
                 {"id": import_id, "done": done, "lease": LEASE})  # fmt: skip


# What was taken over is read: the file goes.
_FINISH = text("""
  UPDATE imports SET state = CAST(:state AS text), counts = CAST(:counts AS jsonb), bad_enc = :bad, bytes_done = bytes, taken_until = NULL,
    applied_at = CASE WHEN :state = 'done' THEN :now END, file_enc = CASE WHEN :state = 'done' THEN NULL ELSE file_enc END
  WHERE id = :id""")


def finish(work: Work, claimed: Claimed, state: str, counts: Mapping[str, Any], bad: Sequence[Any]) -> None:
    """checked or done, with what it found."""
    sealed = claimed.key.encrypt(json.dumps(list(bad)), "imports.bad", claimed.id)
    work.execute(_FINISH, {"id": claimed.id, "state": state, "counts": json.dumps(dict(counts)), "bad": sealed, "now": work.now})


_FAIL = text("UPDATE imports SET state = 'failed', reason = :reason, taken_until = NULL WHERE id = :id")


def fail(work: Work, import_id: UUID, reason: str) -> None:
    """It cannot be done as it stands, and why."""
    work.execute(_FAIL, {"id": import_id, "reason": reason})


_OVER = "coalesce(applied_at, made_at) < :before AND (headings_enc IS NOT NULL)"
_FORGET = tuple(text(sql) for sql in (
    f"DELETE FROM import_rows WHERE import_id IN (SELECT id FROM imports WHERE {_OVER})",
    f"DELETE FROM keys WHERE id IN (SELECT key_id FROM imports WHERE {_OVER})",
    f"""UPDATE imports SET headings_enc = NULL, bad_enc = NULL, file_enc = NULL,
      state = CASE WHEN state IN ('done', 'undone') THEN state ELSE 'failed' END WHERE {_OVER}""",
))  # fmt: skip


def forget(work: Work) -> None:
    """After a day nothing of the file is left, and nothing can be undone."""
    for statement in _FORGET:
        work.execute(statement, {"before": work.now - KEPT})


_UNDONE = text("UPDATE imports SET state = 'undone' WHERE id = :id AND state = 'done' AND applied_at > :since")


def undone(work: Work, import_id: UUID) -> bool:
    """Say that it is undone; False when it cannot be (any more)."""
    return bool(work.execute(_UNDONE, {"id": import_id, "since": work.now - KEPT}).rowcount)


def count_undone(work: Work, import_id: UUID, back: int, kept: int) -> None:
    """How many rows are as they were before, and how many stay. What was kept of them goes."""
    work.execute(text("UPDATE imports SET counts = counts || CAST(:counts AS jsonb) WHERE id = :id"),
                 {"id": import_id, "counts": json.dumps({"undone": back, "kept": kept})})  # fmt: skip
    work.execute(text("DELETE FROM import_rows WHERE import_id = :id"), {"id": import_id})
