"""Whose a phone is: who made sure of it, and when somebody has to ask again."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

_DOUBT = text("UPDATE phones SET to_verify = :why WHERE phone_hash = :phone AND to_verify IS NULL RETURNING client_id, unit_id")
_VERIFIED = text("UPDATE phones SET to_verify = NULL, verified_at = :now WHERE client_id = :client")
_PROVED = text("""
  UPDATE phones SET verified_at = :now WHERE client_id = :client AND phone_hash = :phone AND to_verify IS NULL""")
# Texted, but neither heard, nor seen at an appointment, nor verified since.
_QUIET = text("""
  SELECT p.phone_hash FROM phones p JOIN clients c ON c.id = p.client_id
  WHERE p.rank = 0 AND p.to_verify IS NULL AND c.status = 'active' AND greatest(c.created_at, p.verified_at) < :since
    AND (SELECT true FROM outbound WHERE to_hash = p.phone_hash AND created_at > :since LIMIT 1)
    AND (SELECT true FROM inbound WHERE from_hash = p.phone_hash AND received_at > :since LIMIT 1) IS NULL
    AND (SELECT true FROM appointments WHERE client_id = c.id AND status = 'attended' AND starts_at > :since LIMIT 1) IS NULL
  LIMIT :limit""")


def doubt(work: Work, phone_hash: bytes, why: str) -> list[tuple[UUID, UUID]]:
    """Have a person verify a phone, on everyone who has it, before a campaign texts it again; (client, unit) of those it is new for."""
    return [(row.client_id, row.unit_id) for row in work.all(_DOUBT, phone=phone_hash, why=why)]


def verify(work: Work, client_id: UUID) -> None:
    """The client's phones are theirs: somebody made sure. Needs the system's rights."""
    work.execute(_VERIFIED, {"client": client_id, "now": work.now})


def prove(work: Work, client_id: UUID, phone_hash: bytes) -> None:
    """The client has the phone: their PIN was typed on it. Where a person is to ask, they ask all the same."""
    work.later(_PROVED, client=client_id, phone=phone_hash, now=work.now)


def list_quiet(work: Work, since: datetime, limit: int) -> list[bytes]:
    """Phones of clients that we text and of whom nobody knows anything since then."""
    return [bytes(row.phone_hash) for row in work.all(_QUIET, since=since, limit=limit)]
