"""Scores of questionnaires that staff went through with a client, face to face."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID, uuid4

from sqlalchemy import text

from gateway.domain.errors import NotFound
from gateway.store.base import Work
from gateway.vault import Vault


@dataclass(frozen=True, slots=True)
class Score:
    """One score; `by` is the code of who entered it. `value` is None where it cannot be read."""

    scale: str
    on: date
    value: int | None
    by: str | None


_KEY = text("SELECT c.unit_id, c.key_id, k.wrapped FROM clients c JOIN keys k ON k.id = c.key_id WHERE c.id = :id")
_KNOWN = text("SELECT id FROM scores WHERE client_id = :client AND scale = :scale AND on_date = :on")
_CHANGE = text("UPDATE scores SET value_enc = :value, key_id = :key, entered_by = :by, entered_at = :now WHERE id = :id")


def enter(work: Work, vault: Vault, client_id: UUID, scale: str, on: date, value: int) -> bool:
    """Keep the score of a day; another one of the same day takes its place. False when it did."""
    row = work.one(_KEY, id=client_id)
    if row is None:
        raise NotFound("no such client in your units")
    known: UUID | None = work.value(_KNOWN, client=client_id, scale=scale, on=on)
    score_id = known or uuid4()
    sealed = vault.open_key(row.wrapped, row.key_id).encrypt(str(value), "scores.value", score_id)
    if known is not None:
        work.execute(_CHANGE, {"id": score_id, "value": sealed, "key": row.key_id, "by": work.actor.staff_id, "now": work.now})
        return False
    work.insert("scores", [{
        "id": score_id, "client_id": client_id, "unit_id": row.unit_id, "key_id": row.key_id, "scale": scale, "on_date": on,
        "value_enc": sealed, "entered_by": work.actor.staff_id, "entered_at": work.now,
    }])  # fmt: skip
    return True


_LIST = text("""
  SELECT s.id, s.scale, s.on_date, s.value_enc, s.key_id, k.wrapped, m.code AS by
  FROM scores s LEFT JOIN keys k ON k.id = s.key_id LEFT JOIN staff m ON m.id = s.entered_by
  WHERE s.client_id = :client ORDER BY s.scale, s.on_date""")


def of_client(work: Work, vault: Vault, client_id: UUID) -> Sequence[Score]:
    """A client's scores by scale and day. Every call that a person sees the result of is to be audited."""
    found = []
    for row in work.all(_LIST, client=client_id):
        value = None if row.wrapped is None else int(vault.open_key(row.wrapped, row.key_id).decrypt(row.value_enc, "scores.value", row.id))
        found.append(Score(row.scale, row.on_date, value, row.by))
    return found
