"""What clients answered to what was asked."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

_CLOSE = text("UPDATE outbound SET answered_at = :now WHERE id = :id AND answered_at IS NULL")


def record(work: Work, outbound_id: UUID, client_id: UUID, unit_id: UUID, inbound_id: UUID, value: str) -> None:
    """Keep the answer and close the question; the first answer holds."""
    row = {"outbound_id": outbound_id, "client_id": client_id, "unit_id": unit_id, "inbound_id": inbound_id,
           "value": value, "answered_at": work.now}  # fmt: skip
    work.put("answers", row, "ON CONFLICT (outbound_id) DO NOTHING")
    work.later(_CLOSE, id=outbound_id, now=work.now)


_ASKED = text("""
  SELECT o.created_at AS at, o.purpose, a.value, a.answered_at
  FROM outbound o LEFT JOIN answers a ON a.outbound_id = o.id
  WHERE o.client_id = :client AND o.consent_purpose = 'check_in' AND o.expects <> 'none' AND o.occurrence_id IS NOT NULL
    AND o.state IN ('unknown', 'accepted', 'sent', 'delivered') AND NOT EXISTS (SELECT FROM sessions s WHERE s.id = o.about_id)
  ORDER BY o.created_at DESC LIMIT :most""")


def of_client(work: Work, client_id: UUID, most: int = 24) -> Sequence[Any]:
    """The latest check-ins of one question that a client got: rows of at, purpose, value, answered_at; value None: silence."""
    return work.all(_ASKED, client=client_id, most=most)
