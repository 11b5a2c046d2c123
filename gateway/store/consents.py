"""What each client agreed to, purpose by purpose, and the ledger of phones that want no texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

PURPOSES = ("reminder", "check_in", "service_information", "study")


@dataclass(frozen=True, slots=True)
class Consent:
    """What holds now for one purpose, on what basis ("paper form", "own text")."""

    purpose: str
    granted: bool
    basis: str
    changed_at: datetime


_CURRENT = text("SELECT purpose, granted, basis, changed_at FROM consents WHERE client_id = :id ORDER BY purpose")


def current(work: Work, client_id: UUID) -> list[Consent]:
    """What holds now; a purpose that is missing was never asked about, which means no."""
    return [Consent(**row._asdict()) for row in work.all(_CURRENT, id=client_id)]


_HISTORY = text("""
  SELECT h.purpose, h.granted, h.basis, h.source, h.source_id, h.changed_at, m.code AS by
  FROM consent_history h LEFT JOIN staff m ON m.id = h.source_id WHERE h.client_id = :id ORDER BY h.id""")


def history(work: Work, client_id: UUID) -> Sequence[Any]:
    """Every change in order; the purpose "all" is a stop or a start of the phone."""
    return work.all(_HISTORY, id=client_id)


_KEEP = """
  INSERT INTO consent_history (client_id, unit_id, purpose, granted, basis, source, source_id, changed_at)
  SELECT id, unit_id, :purpose, :granted, :basis, :source, :source_id, :now FROM clients WHERE """
_CHANGE = text("""
  INSERT INTO consents (client_id, unit_id, purpose, granted, basis, changed_at)
  SELECT id, unit_id, :purpose, :granted, :basis, :now FROM clients WHERE id = :client
  ON CONFLICT (client_id, purpose) DO UPDATE
    SET granted = excluded.granted, basis = excluded.basis, changed_at = excluded.changed_at
    WHERE (consents.granted, consents.basis) IS DISTINCT FROM (excluded.granted, excluded.basis)""")
_CANCEL = text("""
  UPDATE outbound SET state = 'cancelled', reason = :reason, state_at = :now
  WHERE client_id = :client AND consent_purpose = :purpose AND state || '' = 'planned'""")


def change(
    work: Work, client_id: UUID, purpose: str, granted: bool, basis: str, source: str, source_id: UUID | None = None
) -> bool:
    """Write a consent or its revocation, with its history; False when it held already.

    A revocation cancels what is planned for the purpose. Take the client's row first (`clients.lock`).
    """
    values = {"client": client_id, "purpose": purpose, "granted": granted, "basis": basis, "source": source,
              "source_id": source_id, "now": work.now}  # fmt: skip
    changed: bool = work.execute(_CHANGE, values).rowcount > 0
    if changed:
        work.execute(text(_KEEP + "id = :client"), values)
    if changed and not granted:
        work.execute(_CANCEL, {"client": client_id, "purpose": purpose, "now": work.now, "reason": f"no consent for {purpose}"})
    return changed


# --- the stop ledger ------------------------------------------------------------------------------------------------

_ON_PHONE = "id IN (SELECT client_id FROM phones WHERE phone_hash = :phone)"
# A plain stop is never weakened by a doubt about a later text.
_STOP = text("""
  INSERT INTO stops (phone_hash, reason, source, source_id, stopped_at) VALUES (:phone, :reason, :source, :source_id, :now)
  ON CONFLICT (phone_hash) DO UPDATE
    SET reason = excluded.reason, source = excluded.source, source_id = excluded.source_id, stopped_at = excluded.stopped_at
    WHERE array_position('{in_doubt,wrong_number,carrier,stop}', excluded.reason)
      > array_position('{in_doubt,wrong_number,carrier,stop}', stops.reason)""")


def stop_phone(work: Work, phone_hash: bytes, reason: str, source: str, source_id: UUID | None = None) -> bool:
    """Write that a phone wants no texts, into the history of everyone on it too; False when that was known.

    `reason`: stop | wrong_number | in_doubt | carrier. Cancelling what is planned is the use case's part.
    """
    values = {"phone": phone_hash, "reason": reason, "source": source, "source_id": source_id, "now": work.now}
    new: bool = work.execute(_STOP, values).rowcount > 0
    if new:
        work.execute(text(_KEEP + _ON_PHONE), values | {"purpose": "all", "granted": False, "basis": reason})
    return new


def start_phone(work: Work, phone_hash: bytes, source: str, source_id: UUID | None = None, basis: str = "start") -> bool:
    """Take a phone off the ledger: earlier consents count again, nothing new is granted. False when it was not on it."""
    gone: bool = work.execute(text("DELETE FROM stops WHERE phone_hash = :phone"), {"phone": phone_hash}).rowcount > 0
    if gone:
        work.execute(text(_KEEP + _ON_PHONE), {
            "phone": phone_hash, "purpose": "all", "granted": True, "basis": basis, "source": source,
            "source_id": source_id, "now": work.now,
        })  # fmt: skip
    return gone


def stopped(work: Work, phone_hashes: Sequence[bytes]) -> dict[bytes, str]:
    """Which of the phones want no texts, and why."""
    rows = work.all(text("SELECT phone_hash, reason FROM stops WHERE phone_hash = ANY(:phones)"), phones=list(phone_hashes))
    return {bytes(row.phone_hash): row.reason for row in rows}


_STOPS = text("""
  SELECT s.reason, s.source, s.source_id, s.stopped_at, m.code AS by FROM stops s LEFT JOIN staff m ON m.id = s.source_id
  WHERE s.phone_hash = ANY(:phones) ORDER BY s.stopped_at""")


def stops(work: Work, phone_hashes: Sequence[bytes]) -> Sequence[Any]:
    """The stops on these phones: rows of reason, source, source_id (the text that said so), stopped_at, by (a colleague)."""
    return work.all(_STOPS, phones=list(phone_hashes))
