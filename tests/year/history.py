"""What happened to one client, line by line, for whoever looks for the cause of a broken invariant. Synthetic people only."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Engine, text

from gateway.store.base import Work, unit_of_work
from gateway.vault import Vault
from tests.year.town import VIETNAM

LOOK_BACK = timedelta(days=4)
"""Longer than a question is open; what is older no longer bears on what happens."""


def of_client(engine: Engine, vault: Vault, client_id: UUID, now: datetime) -> Iterator[str]:
    """Texts out and in, attempts, sessions, flags and appointments of the last days, in the order they came."""
    with unit_of_work(engine, now=now) as work:
        code = work.value(text("SELECT code FROM clients WHERE id = :id"), id=client_id)
        yield f"client {code}"
        rows = work.all(_HISTORY, client=client_id, since=now - LOOK_BACK)
        bodies = _bodies(work, vault, client_id, now - LOOK_BACK)
        for row in rows:
            yield f"{row.at.astimezone(VIETNAM):%d %b %H:%M:%S}  {row.what}{bodies.get(row.id, '')}"


def _bodies(work: Work, vault: Vault, client_id: UUID, since: datetime) -> dict[UUID, str]:
    found = {}
    for table in ("outbound", "inbound"):
        for row in work.all(text(_BODIES.format(table=table, at="created_at" if table == "outbound" else "received_at")),
                            client=client_id, since=since):  # fmt: skip
            key = vault.open_key(row.wrapped, row.key_id)
            found[row.id] = f": {key.decrypt(row.body_enc, f'{table}.body', row.id)!r}"
    return found


_BODIES = """SELECT t.id, t.key_id, k.wrapped, t.body_enc FROM {table} t JOIN keys k ON k.id = t.key_id
  WHERE t.client_id = :client AND t.{at} >= :since"""
_HISTORY = text("""
  SELECT created_at AS at, id, 'planned ' || purpose || ' ' || left(CAST(id AS text), 8) || ', due ' || send_after || ', now ' || state
      || coalesce(' (' || reason || ')', '') AS what
    FROM outbound WHERE client_id = :client AND created_at >= :since
  UNION ALL SELECT a.started_at, a.id, 'tried   ' || left(CAST(o.id AS text), 8) || ': ' || a.state || coalesce(' (' || a.reason || ')', '')
      || coalesce(', the carrier calls it ' || a.carrier_id, '')
    FROM attempts a JOIN outbound o ON o.id = a.outbound_id WHERE o.client_id = :client AND a.started_at >= :since
  UNION ALL SELECT received_at, id, 'heard   ' || coalesce(meaning, 'nothing understood') || CASE WHEN late THEN ', late' ELSE '' END
    FROM inbound WHERE client_id = :client AND received_at >= :since
  UNION ALL SELECT started_at, id, 'began   ' || dialogue || ', now ' || status FROM sessions WHERE client_id = :client AND changed_at >= :since
  UNION ALL SELECT opened_at, id, 'flag    ' || reason || ', now ' || state FROM flags WHERE client_id = :client AND opened_at >= :since
  UNION ALL SELECT updated_at, id, 'appointment ' || status || ' for ' || starts_at FROM appointments
    WHERE client_id = :client AND updated_at >= :since
  UNION ALL SELECT changed_at, unit_id, 'consent ' || purpose || CASE WHEN granted THEN ' given' ELSE ' withdrawn' END || ' by ' || source
    FROM consent_history WHERE client_id = :client AND changed_at >= :since
  ORDER BY 1""")
