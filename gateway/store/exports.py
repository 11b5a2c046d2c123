"""Clients as a file: asked for, written by the clock, taken away by whoever asked, and then forgotten."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.store.base import Actor, Work
from gateway.vault import Vault

KEPT = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Export:
    """The file that a member asked for: how far it is (`of_all` None: not counted yet), or why there is none."""

    asked_at: datetime
    seen: int
    of_all: int | None
    settled_at: datetime | None
    refused: str | None

    @property
    def until(self) -> datetime | None:
        """When it will be gone."""
        return self.settled_at + KEPT if self.settled_at else None


_ASK = text("""
  INSERT INTO exports (staff_id, unit_id, asked_at, wanted) VALUES (:by, :unit, :now, CAST(:wanted AS jsonb))
  ON CONFLICT (staff_id, unit_id) DO UPDATE SET asked_at = excluded.asked_at, wanted = excluded.wanted, seen = 0, of_all = NULL,
    settled_at = NULL, file_enc = NULL, refused = NULL""")
_OWN = "staff_id = :by AND unit_id = :unit AND (settled_at IS NULL OR settled_at > :since)"
_OF = text(f"SELECT asked_at, seen, of_all, settled_at, refused FROM exports WHERE {_OWN}")
_FILE = text(f"SELECT e.file_enc, e.key_id, k.wrapped FROM exports e JOIN keys k ON k.id = e.key_id WHERE {_OWN}".replace("unit_id", "e.unit_id"))


def ask(work: Work, wanted: Mapping[str, Any]) -> None:
    """Have the clock write the actor's file; an older one goes."""
    work.execute(_ASK, _own(work) | {"wanted": json.dumps(dict(wanted), default=str)})


def of(work: Work) -> Export | None:
    """The actor's latest that is not forgotten."""
    row = work.one(_OF, **_own(work))
    return None if row is None else Export(**row._asdict())


def read(work: Work, vault: Vault) -> str | None:
    """The actor's file. What comes of it is to be audited."""
    row = work.one(_FILE, **_own(work))
    if row is None or row.file_enc is None or work.actor.staff_id is None:
        return None
    return vault.open_key(row.wrapped, row.key_id).decrypt(row.file_enc, "exports.file", work.actor.staff_id)


def _own(work: Work) -> dict[str, Any]:
    return {"by": work.actor.staff_id, "unit": work.actor.unit_id, "now": work.now, "since": work.now - KEPT}


# --- for the process that does it -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Next:
    """One to be done, for whoever asked."""

    unit_id: UUID
    asked_at: datetime
    wanted: Mapping[str, Any]
    actor: Actor
    active: bool


_NEXT = text("""
  SELECT e.unit_id, e.asked_at, e.wanted, e.staff_id, s.unit_id AS home_id, s.role, s.active FROM exports e JOIN staff s ON s.id = e.staff_id
  WHERE e.settled_at IS NULL ORDER BY e.asked_at LIMIT 1""")


def next_asked(work: Work) -> Next | None:
    """What was asked for first and is not done. Runs as the system."""
    row: Any = work.one(_NEXT)
    if row is None:
        return None
    return Next(row.unit_id, row.asked_at, row.wanted, Actor(row.staff_id, row.home_id, row.role), row.active)


_THIS = "staff_id = :by AND unit_id = :unit AND asked_at = :asked_at AND settled_at IS NULL"
_PROGRESS = text(f"UPDATE exports SET seen = :seen, of_all = :of_all WHERE {_THIS}")
_SETTLE = text(f"UPDATE exports SET settled_at = :now, refused = :refused, key_id = :key, file_enc = :file WHERE {_THIS}")
_LAST_KEY = text(f"DELETE FROM keys WHERE id = (SELECT key_id FROM exports WHERE {_THIS})")


def progress(work: Work, asked: Next, seen: int, of_all: int) -> None:
    """So many clients are in it."""
    work.execute(_PROGRESS, _this(asked) | {"seen": seen, "of_all": of_all})


def settle(work: Work, vault: Vault, asked: Next, file: str | None, refused: str | None) -> None:
    """Keep it under a key of its own, or say why there is none. Asked for anew meanwhile, it stays to be done."""
    assert asked.actor.staff_id is not None
    key_id, sealed = None, None
    work.execute(_LAST_KEY, _this(asked))
    if file is not None:
        key_id = uuid4()
        key, wrapped = vault.new_key(key_id)
        sealed = key.encrypt(file, "exports.file", asked.actor.staff_id)
    if work.execute(_SETTLE, _this(asked) | {"now": work.now, "refused": refused, "key": key_id, "file": sealed}).rowcount and key_id:
        work.insert("keys", [{"id": key_id, "unit_id": asked.unit_id, "wrapped": wrapped}])


def _this(asked: Next) -> dict[str, Any]:
    return {"by": asked.actor.staff_id, "unit": asked.unit_id, "asked_at": asked.asked_at}


_FORGET = "WITH gone AS (DELETE FROM exports WHERE {which} RETURNING key_id) DELETE FROM keys WHERE id IN (SELECT key_id FROM gone)"
_FORGET_OLD = text(_FORGET.format(which="settled_at <= :before"))
_FORGET_OF = text(_FORGET.format(which="unit_id IN (SELECT ancestor_id FROM unit_tree WHERE unit_id = :unit)"))


def forget(work: Work) -> None:
    """An hour after it was written nothing is left of a file."""
    work.execute(_FORGET_OLD, {"before": work.now - KEPT})


def forget_of(work: Work, unit_id: UUID) -> None:
    """Files in which a client of this unit may stand go at once, those that are being written too."""
    work.execute(_FORGET_OF, {"unit": unit_id})


# --- what stands in it ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Details:
    """Of a client, what a list of them does not show."""

    name: str
    phones: Sequence[str]
    opens: str
    closes: str
    stopped: bool
    agreed: Mapping[str, str]  # purpose -> "no", or "yes" and how it can be proved


_DETAILS = text("""
  SELECT c.id, c.key_id, k.wrapped, c.name_enc, to_char(c.opens, 'HH24:MI') AS opens, to_char(c.closes, 'HH24:MI') AS closes,
    ARRAY(SELECT p.id FROM phones p WHERE p.client_id = c.id ORDER BY p.rank) AS phone_ids,
    ARRAY(SELECT p.phone_enc FROM phones p WHERE p.client_id = c.id ORDER BY p.rank) AS phones_enc,
    EXISTS (SELECT FROM phones p JOIN stops s ON s.phone_hash = p.phone_hash WHERE p.client_id = c.id) AS stopped,
    (SELECT jsonb_object_agg(a.purpose, CASE WHEN a.granted THEN 'yes (' || a.basis || ')' ELSE 'no' END) FROM consents a
     WHERE a.client_id = c.id) AS agreed
  FROM clients c JOIN keys k ON k.id = c.key_id WHERE c.id = ANY(:ids)""")


def details(work: Work, vault: Vault, client_ids: Sequence[UUID]) -> dict[UUID, Details]:
    """Many clients at once, in the clear."""
    found = {}
    for row in work.all(_DETAILS, ids=list(client_ids)):
        key = vault.open_key(row.wrapped, row.key_id)
        phones = [key.decrypt(sealed, "phones.phone", id_) for id_, sealed in zip(row.phone_ids, row.phones_enc, strict=True)]
        name = key.decrypt(row.name_enc, "clients.name", row.id)
        found[row.id] = Details(name, phones, row.opens or "", row.closes or "", row.stopped, row.agreed or {})
    return found
