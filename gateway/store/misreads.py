"""Texts that a person says were understood wrongly: candidates for the word lists."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from gateway.domain.errors import NotFound, Refused
from gateway.store.base import Work
from gateway.vault import Vault

_BY_PREFIX = text("""
  SELECT id, unit_id FROM inbound WHERE id BETWEEN CAST(:low AS uuid) AND CAST(:high AS uuid) LIMIT 2""")
_MARK = text("UPDATE inbound SET misread_as = :meaning, misread_by = :by, misread_at = :now WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Misread:
    """A text, what the program made of it and what it meant. `name` is its client's; both None where the key is gone."""

    id: UUID
    unit_id: UUID
    misread_at: datetime
    meaning: str | None
    doubt: str | None
    should_be: str
    text: str | None
    name: str | None
    language: str | None


def find(work: Work, start: str) -> tuple[UUID, UUID]:
    """The text, and its unit, whose id begins so, as lists show it. Raises Refused for what is no id or fits several, NotFound."""
    plain = start.strip().lower().replace("-", "")
    if not re.fullmatch("[0-9a-f]{8,32}", plain):
        raise Refused("that is no id of a text: `python -m gateway inbox` shows them, eight characters or more")
    rows = work.all(_BY_PREFIX, low=plain.ljust(32, "0"), high=plain.ljust(32, "f"))
    if not rows:
        raise NotFound("no such text in your units: `python -m gateway inbox` shows the latest")
    if len(rows) > 1:
        raise Refused("several texts have an id that begins so: give more of it")
    return rows[0].id, rows[0].unit_id


def mark(work: Work, inbound_id: UUID, meaning: str, by: UUID | None) -> None:
    """Say what a text meant; said again, the last holds. What followed from the text is not undone."""
    work.execute(_MARK, {"id": inbound_id, "meaning": meaning, "by": by, "now": work.now})


_LIST = text("""
  SELECT i.id, i.unit_id, i.misread_at, i.meaning, i.doubt, i.misread_as, i.key_id, k.wrapped, i.body_enc, c.id AS client_id,
    c.key_id AS client_key_id, ck.wrapped AS client_wrapped, c.name_enc, coalesce(c.language, u.language) AS language
  FROM inbound i JOIN units u ON u.id = i.unit_id LEFT JOIN keys k ON k.id = i.key_id
    LEFT JOIN clients c ON c.id = i.client_id LEFT JOIN keys ck ON ck.id = c.key_id
  WHERE i.misread_at IS NOT NULL ORDER BY i.misread_at DESC, i.id LIMIT :most""")


def listed(work: Work, vault: Vault, most: int = 100) -> Sequence[Misread]:
    """The latest misread texts of the actor's units, the newest first."""
    return [
        Misread(
            row.id, row.unit_id, row.misread_at, row.meaning, row.doubt, row.misread_as,
            vault.open_key(row.wrapped, row.key_id).decrypt(row.body_enc, "inbound.body", row.id) if row.wrapped else None,
            vault.open_key(row.client_wrapped, row.client_key_id).decrypt(row.name_enc, "clients.name", row.client_id)
            if row.client_wrapped else None,
            row.language,
        )
        for row in work.all(_LIST, most=most)
    ]  # fmt: skip
