"""What an import wrote over, kept for a day: clients, appointments and services as they were, so that it can be undone."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.store.base import Work

# Clients are remembered where they are taken over, many at once (`register.take`).
_APPOINTMENTS = text("""
  INSERT INTO import_rows (import_id, row_id, client_id, unit_id, before)
  SELECT :import, a.id, a.client_id, a.unit_id, CASE WHEN NOT :new THEN jsonb_build_object('appointment', to_jsonb(a)) END
  FROM appointments a WHERE a.id = ANY(:ids)""")
_SERVICE = text("""
  INSERT INTO import_rows (import_id, row_id, unit_id, before)
  SELECT :import, s.id, s.unit_id, CASE WHEN NOT :new THEN jsonb_build_object('service', to_jsonb(s),
    'units', (SELECT jsonb_agg(to_jsonb(u)) FROM service_units u WHERE u.service_id = s.id)) END
  FROM services s WHERE s.id = :id""")


def remember_appointments(work: Work, import_id: UUID, ids: Sequence[UUID], are_new: bool) -> None:
    """Keep appointments that the import made, or is about to change, as they are now."""
    work.execute(_APPOINTMENTS, {"import": import_id, "ids": list(ids), "new": are_new})


def remember_service(work: Work, import_id: UUID, service_id: UUID, is_new: bool) -> None:
    """Keep a service that the import made, or is about to change, as it is now."""
    work.execute(_SERVICE, {"import": import_id, "id": service_id, "new": is_new})


@dataclass(frozen=True, slots=True)
class Row:
    """A client, appointment or service that nobody touched since; `before` None: the import made it."""

    id: UUID
    before: Mapping[str, Any] | None


def clients_of(work: Work, import_id: UUID) -> list[UUID]:
    """Whose clients or appointments it wrote."""
    return [row.client_id for row in work.all(text("SELECT client_id FROM import_rows WHERE import_id = :id AND client_id IS NOT NULL"), id=import_id)]


def count(work: Work, import_id: UUID) -> int:
    """How many rows it wrote."""
    return int(work.value(text("SELECT count(*) FROM import_rows WHERE import_id = :id"), id=import_id))


# What nobody changed since. Of the new ones, those with whom nothing happened yet; of appointments, those about which no text
# left since. Each kind holds its rows until the transaction ends.
_UNTOUCHED = {
    "clients": text("""
  SELECT c.id, r.before FROM import_rows r JOIN imports i ON i.id = r.import_id JOIN clients c ON c.id = r.row_id
  WHERE r.import_id = :id AND c.updated_at = i.applied_at
    AND NOT EXISTS (SELECT FROM consents k WHERE k.client_id = c.id AND k.changed_at > i.applied_at)
    AND (r.before IS NOT NULL OR NOT EXISTS (SELECT FROM outbound o WHERE o.client_id = c.id)
      AND NOT EXISTS (SELECT FROM inbound n WHERE n.client_id = c.id) AND NOT EXISTS (SELECT FROM appointments a WHERE a.client_id = c.id)
      AND NOT EXISTS (SELECT FROM flags f WHERE f.client_id = c.id) AND NOT EXISTS (SELECT FROM notes t WHERE t.client_id = c.id))
  ORDER BY c.id FOR NO KEY UPDATE OF c"""),
    "appointments": text("""
  SELECT a.id, r.before FROM import_rows r JOIN imports i ON i.id = r.import_id JOIN appointments a ON a.id = r.row_id
  WHERE r.import_id = :id AND a.updated_at = i.applied_at
    AND NOT EXISTS (SELECT FROM outbound o WHERE o.client_id = a.client_id AND o.about_id = a.id AND o.state NOT IN ('planned', 'cancelled')
      AND o.state_at >= i.applied_at)
  ORDER BY a.id FOR NO KEY UPDATE OF a"""),
    "services": text("""
  SELECT s.id, r.before FROM import_rows r JOIN imports i ON i.id = r.import_id JOIN services s ON s.id = r.row_id
  WHERE r.import_id = :id AND s.updated_at = i.applied_at ORDER BY s.id FOR NO KEY UPDATE OF s"""),
}


def untouched(work: Work, kind: str, import_id: UUID) -> list[Row]:
    """What may be undone, held until the transaction ends."""
    return [Row(row.id, row.before) for row in work.all(_UNTOUCHED[kind], id=import_id)]


_BACK_CLIENT = (
    """UPDATE clients c SET unit_id = b.unit_id, name_enc = b.name_enc, fields_enc = b.fields_enc, language = b.language,
      time_zone = b.time_zone, opens = b.opens, closes = b.closes, tones = b.tones, discreet = b.discreet, status = b.status,
      status_reason = b.status_reason, groups = b.groups, worker_id = b.worker_id, row_hash = b.row_hash, updated_at = :now
    FROM jsonb_populate_record(CAST(NULL AS clients), CAST(:before AS jsonb) -> 'client') b WHERE c.id = b.id""",
    "UPDATE keys k SET unit_id = c.unit_id FROM clients c WHERE c.id = :id AND k.id = c.key_id",
    "DELETE FROM phones WHERE client_id = :id",
    "INSERT INTO phones SELECT * FROM jsonb_populate_recordset(CAST(NULL AS phones), CAST(:before AS jsonb) -> 'phones')",
    "DELETE FROM client_words WHERE client_id = :id",
    "INSERT INTO client_words SELECT * FROM jsonb_populate_recordset(CAST(NULL AS client_words), CAST(:before AS jsonb) -> 'words')",
    "DELETE FROM client_dates WHERE client_id = :id AND CAST(:before AS jsonb) -> 'dates' IS NOT NULL",
    "INSERT INTO client_dates SELECT * FROM jsonb_populate_recordset(CAST(NULL AS client_dates), CAST(:before AS jsonb) -> 'dates')",
    """INSERT INTO consent_history (client_id, unit_id, purpose, granted, basis, source, source_id, changed_at)
      SELECT k.client_id, k.unit_id, k.purpose, coalesce(b.granted, false), 'import undone', 'staff', :by, :now
      FROM consents k LEFT JOIN jsonb_populate_recordset(CAST(NULL AS consents), CAST(:before AS jsonb) -> 'consents') b ON b.purpose = k.purpose
      WHERE k.client_id = :id AND (b.granted, b.basis) IS DISTINCT FROM (k.granted, k.basis)""",
    "DELETE FROM consents WHERE client_id = :id",
    "INSERT INTO consents SELECT * FROM jsonb_populate_recordset(CAST(NULL AS consents), CAST(:before AS jsonb) -> 'consents')",
)
# A text about the time it goes back to is planned anew: its revision rises.
_BACK = {kind: [text(sql) for sql in statements] for kind, statements in {
    "clients": _BACK_CLIENT,
    "appointments": (
        """UPDATE appointments a SET starts_at = b.starts_at, worker_id = b.worker_id, status = b.status, answer = b.answer,
          answered_at = b.answered_at, revision = a.revision + 1, updated_at = :now
        FROM jsonb_populate_record(CAST(NULL AS appointments), CAST(:before AS jsonb) -> 'appointment') b WHERE a.id = b.id""",
    ),
    "services": (
        """UPDATE services s SET unit_id = b.unit_id, category = b.category, name = b.name, short_name = b.short_name, languages = b.languages,
          address = b.address, phone = b.phone, hours = b.hours, who = b.who, cost = b.cost, checked_on = b.checked_on, checked_by = b.checked_by,
          gone_on = b.gone_on, updated_at = :now
        FROM jsonb_populate_record(CAST(NULL AS services), CAST(:before AS jsonb) -> 'service') b WHERE s.id = b.id""",
        "DELETE FROM service_units WHERE service_id = :id",
        "INSERT INTO service_units SELECT * FROM jsonb_populate_recordset(CAST(NULL AS service_units), CAST(:before AS jsonb) -> 'units')",
    ),
}.items()}  # fmt: skip
_AWAY = {
    "clients": text("WITH gone AS (DELETE FROM clients WHERE id = :id RETURNING key_id) DELETE FROM keys WHERE id IN (SELECT key_id FROM gone)"),
    "appointments": text("DELETE FROM appointments WHERE id = :id"),
    "services": text("DELETE FROM services WHERE id = :id"),
}


def undo(work: Work, kind: str, row: Row, by: UUID | None) -> None:
    """Write back what the import wrote over, or take away what it brought. Stops stay: who opted out stays so.

    Runs as the system: staff delete nobody.
    """
    values = {"id": row.id, "before": json.dumps(row.before), "now": work.now, "by": by}
    for statement in [_AWAY[kind]] if row.before is None else _BACK[kind]:
        work.execute(statement, {name: value for name, value in values.items() if f":{name}" in statement.text})
