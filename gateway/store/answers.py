"""What clients answered to what was asked."""

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
