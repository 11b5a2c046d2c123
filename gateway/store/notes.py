"""What staff write down about a client, or on a flag. Kept under the client's key, so that erasing them ends it too."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Note:
    """One note. `text` is None where it cannot be read; `by` where the writer's unit is not the reader's to see."""

    id: UUID
    text: str | None
    by: str | None
    written_at: datetime
    flag: int | None  # its number, of a note on a flag


# Of a flag without a client the key is that of whoever wrote in, else of whoever writes the note.
_KEY = text("""
  SELECT k.id, k.wrapped FROM keys k WHERE k.id = coalesce(
    (SELECT key_id FROM clients WHERE id = :client), (SELECT key_id FROM inbound WHERE id = :inbound), (SELECT key_id FROM staff WHERE id = :writer))""")


def add(
    work: Work, vault: Vault, note_id: UUID, body: str, *, unit_id: UUID, client_id: UUID | None = None, flag_id: UUID | None = None,
    inbound_id: UUID | None = None,
) -> bool:  # fmt: skip
    """Keep a note of the actor; False when one of this id is there already."""
    row = work.one(_KEY, client=client_id, inbound=inbound_id, writer=work.actor.staff_id)
    assert row is not None
    sealed = vault.open_key(row.wrapped, row.id).encrypt(body, "notes.body", note_id)
    return work.insert("notes", [{
        "id": note_id, "unit_id": unit_id, "client_id": client_id, "flag_id": flag_id, "key_id": row.id, "body_enc": sealed,
        "written_by": work.actor.staff_id, "written_at": work.now,
    }], "ON CONFLICT (id) DO NOTHING") > 0  # fmt: skip


_LIST = """
  SELECT n.id, n.body_enc, n.key_id, k.wrapped, s.code AS by, n.written_at, f.number AS flag
  FROM notes n LEFT JOIN keys k ON k.id = n.key_id LEFT JOIN staff s ON s.id = n.written_by LEFT JOIN flags f ON f.id = n.flag_id"""
_OF_CLIENT = text(f"{_LIST} WHERE n.client_id = :id ORDER BY n.written_at DESC, n.id LIMIT :most")
_OF_FLAG = text(f"{_LIST} WHERE n.flag_id = :id ORDER BY n.written_at, n.id")


def of_client(work: Work, vault: Vault, client_id: UUID, most: int = 50) -> list[Note]:
    """The latest notes about a client, those on their flags too, the newest first."""
    return _opened(vault, work.all(_OF_CLIENT, id=client_id, most=most))


def of_flag(work: Work, vault: Vault, flag_id: UUID) -> list[Note]:
    """The notes on a flag, in the order they were written."""
    return _opened(vault, work.all(_OF_FLAG, id=flag_id))


def _opened(vault: Vault, rows: Sequence[Any]) -> list[Note]:
    found = []
    for row in rows:
        body = None if row.wrapped is None else vault.open_key(row.wrapped, row.key_id).decrypt(row.body_enc, "notes.body", row.id)
        found.append(Note(row.id, body, row.by, row.written_at, row.flag))
    return found
