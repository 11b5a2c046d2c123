"""What carriers posted and we have forgotten: known by a hash for ever, so that the same post brings about nothing when it comes again."""

from typing import Any

from sqlalchemy import TextClause, text

from gateway.store.base import Work

MENU = "sha256('menu'::bytea || uuid_send({row}channel_id) || {row}phone_hash || {row}session_hash)"
"""Of a dialled dialogue."""
PART = "sha256('part'::bytea || uuid_send({row}channel_id) || {row}from_hash || {row}body_hash || convert_to({row}carrier_id, 'UTF8'))"
"""Of a part of a long text."""


def forgetting(table: str, hashed: str, where: str) -> TextClause:
    """Drop rows of the table, and keep their hashes. One row each."""
    return text(f"""
      WITH gone AS (DELETE FROM {table} WHERE {where} RETURNING *),
        kept AS (INSERT INTO forgotten (hash) SELECT {hashed.format(row="")} FROM gone ON CONFLICT DO NOTHING)
      SELECT 1 FROM gone""")


_IS_PART = text(f"""
  SELECT true FROM forgotten f, (SELECT CAST(:channel_id AS uuid) AS channel_id, CAST(:from_hash AS bytea) AS from_hash,
    CAST(:body_hash AS bytea) AS body_hash, CAST(:carrier_id AS text) AS carrier_id) p WHERE f.hash = {PART.format(row="p.")}""")


def is_part(work: Work, **part: Any) -> bool:
    """Whether a part was forgotten, by channel_id, from_hash, body_hash and carrier_id."""
    return bool(work.value(_IS_PART, **part))
