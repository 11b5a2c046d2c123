"""A client register on its way in: rows are staged beside the clients, batch by batch, and taken over by a few statements.

Everything here happens in one transaction of the staff member, so the row-level policies hold for imports too.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text

from gateway.domain import judge
from gateway.store.base import Work

_STAGED = {
    "keys": "id uuid, unit_id uuid, wrapped bytea",
    "clients": """line int, is_new boolean, id uuid PRIMARY KEY, unit_id uuid, key_id uuid, code text, name_enc bytea,
      fields_enc bytea, language text, time_zone text, any_hour boolean, opens time, closes time, tones text, discreet smallint,
      status text, status_reason text, groups text[], worker_id uuid, row_hash bytea, new_phones boolean""",
    "phones": "id uuid, client_id uuid, rank smallint, phone_enc bytea, phone_hash bytea, to_verify text",
    "words": "client_id uuid, word_hash bytea",
    "consents": "client_id uuid, purpose text, granted boolean, basis text",
    "dates": "client_id uuid, name text, on_date date",
    "stops": "code text",
}


def begin(work: Work) -> None:
    """Make the staging tables, which end with the transaction, and keep a second import waiting until then."""
    work.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('gateway client import', 0))"))
    for name, columns in _STAGED.items():
        work.execute(text(f"CREATE TEMP TABLE staged_{name} ({columns}) ON COMMIT DROP"))


@dataclass(frozen=True, slots=True)
class Known:
    """A client who is there already. `phones`: hash -> why it is to be verified, the one we text first."""

    id: UUID
    unit_id: UUID
    key_id: UUID
    wrapped: bytes
    row_hash: bytes | None
    phones: Mapping[bytes, str | None]


_KNOWN = text("""
  SELECT c.code, c.id, c.unit_id, c.key_id, k.wrapped, c.row_hash,
    ARRAY(SELECT p.phone_hash FROM phones p WHERE p.client_id = c.id ORDER BY p.rank) AS hashes,
    ARRAY(SELECT p.to_verify FROM phones p WHERE p.client_id = c.id ORDER BY p.rank) AS doubts
  FROM clients c JOIN keys k ON k.id = c.key_id WHERE c.code = ANY(:codes)""")


def known(work: Work, codes: Sequence[str]) -> dict[str, Known]:
    """Which of the codes are clients of the actor's units."""
    return {
        row.code: Known(row.id, row.unit_id, row.key_id, row.wrapped, row.row_hash,
                        dict(zip((bytes(each) for each in row.hashes), row.doubts, strict=True)))
        for row in work.all(_KNOWN, codes=list(codes))
    }  # fmt: skip


def erased(work: Work, codes: Sequence[str]) -> set[str]:
    """Which of the codes (as `erasure.erased_code` makes them) belong to people who were erased."""
    return {row.code for row in work.all(text("SELECT code FROM clients WHERE code = ANY(:codes)"), codes=list(codes))}


def stage(work: Work, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Add rows of the same columns to a staging table."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    with work.connection.connection.cursor().copy(f"COPY staged_{name} ({', '.join(first)}) FROM STDIN") as copy:
        copy.write_row(tuple(first.values()))
        for row in rows:
            copy.write_row(tuple(row.values()))


# Keys and clients first. A code in use in a unit the actor does not see conflicts without telling more than that.
_TAKE = """
ANALYZE staged_clients;
ANALYZE staged_consents;
SELECT id FROM clients WHERE id IN (SELECT id FROM staged_clients WHERE NOT is_new) ORDER BY id FOR NO KEY UPDATE;
INSERT INTO keys (id, unit_id, wrapped) SELECT id, unit_id, wrapped FROM staged_keys;
INSERT INTO clients (id, unit_id, key_id, code, name_enc, fields_enc, language, time_zone, opens, closes, tones, discreet, status,
    status_reason, groups, worker_id, row_hash, created_at, updated_at)
  SELECT id, unit_id, key_id, code, name_enc, fields_enc, language, time_zone, opens, closes, tones, coalesce(discreet, 1),
    coalesce(status, 'active'), status_reason, coalesce(groups, '{}'), worker_id, row_hash, :now, :now
  FROM staged_clients WHERE is_new ON CONFLICT (code) DO NOTHING"""

_CLASHES = text("""
  DELETE FROM staged_clients s WHERE s.is_new AND NOT EXISTS (SELECT FROM clients c WHERE c.id = s.id) RETURNING line, id""")
_WITHOUT_CLIENT = """
DELETE FROM staged_phones WHERE client_id = ANY(:ids);
DELETE FROM staged_words WHERE client_id = ANY(:ids);
DELETE FROM staged_consents WHERE client_id = ANY(:ids);
DELETE FROM staged_dates WHERE client_id = ANY(:ids)"""

# Then what is new about those known. What the row does not say stays as it is.
_CHANGE = """
UPDATE clients c SET unit_id = s.unit_id, name_enc = s.name_enc, fields_enc = coalesce(s.fields_enc, c.fields_enc),
    language = coalesce(s.language, c.language), time_zone = coalesce(s.time_zone, c.time_zone),
    opens = CASE WHEN s.any_hour THEN NULL ELSE coalesce(s.opens, c.opens) END,
    closes = CASE WHEN s.any_hour THEN NULL ELSE coalesce(s.closes, c.closes) END,
    tones = coalesce(s.tones, c.tones), discreet = coalesce(s.discreet, c.discreet), status = coalesce(s.status, c.status),
    status_reason = CASE WHEN s.status IS NULL THEN c.status_reason ELSE s.status_reason END,
    groups = coalesce(s.groups, c.groups), row_hash = s.row_hash, updated_at = :now,
    worker_id = coalesce(s.worker_id, CASE WHEN s.unit_id = c.unit_id THEN c.worker_id END)
  FROM staged_clients s WHERE c.id = s.id AND NOT s.is_new;
UPDATE keys k SET unit_id = s.unit_id FROM staged_clients s WHERE NOT s.is_new AND k.id = s.key_id AND k.unit_id <> s.unit_id;
DELETE FROM phones p USING staged_clients s WHERE p.client_id = s.id AND NOT s.is_new AND s.new_phones;
DELETE FROM client_words w USING staged_clients s WHERE w.client_id = s.id AND NOT s.is_new;
INSERT INTO phones (id, client_id, unit_id, rank, phone_enc, phone_hash, to_verify)
  SELECT p.id, p.client_id, s.unit_id, p.rank, p.phone_enc, p.phone_hash, p.to_verify
  FROM staged_phones p JOIN staged_clients s ON s.id = p.client_id;
INSERT INTO client_words (client_id, unit_id, word_hash)
  SELECT w.client_id, s.unit_id, w.word_hash FROM staged_words w JOIN staged_clients s ON s.id = w.client_id;
INSERT INTO client_dates (client_id, unit_id, name, on_date)
  SELECT d.client_id, s.unit_id, d.name, d.on_date FROM staged_dates d JOIN staged_clients s ON s.id = d.client_id
  ON CONFLICT (client_id, name) DO UPDATE SET on_date = excluded.on_date"""

# A revocation that a client gave since is not undone by an older yes in a register.
_CONSENTS = """
WITH changed AS (
  INSERT INTO consents (client_id, unit_id, purpose, granted, basis, changed_at)
    SELECT n.client_id, s.unit_id, n.purpose, n.granted, n.basis, :now
    FROM staged_consents n JOIN staged_clients s ON s.id = n.client_id
  ON CONFLICT (client_id, purpose) DO UPDATE
    SET granted = excluded.granted, basis = excluded.basis, changed_at = excluded.changed_at
    WHERE consents.granted AND (consents.granted, consents.basis) IS DISTINCT FROM (excluded.granted, excluded.basis)
  RETURNING client_id, unit_id, purpose, granted, basis)
INSERT INTO consent_history (client_id, unit_id, purpose, granted, basis, source, changed_at)
  SELECT client_id, unit_id, purpose, granted, basis, 'import', :now FROM changed;
UPDATE outbound o SET state = 'cancelled', reason = 'no consent for ' || n.purpose, state_at = :now
  FROM staged_consents n
  WHERE NOT n.granted AND o.client_id = n.client_id AND o.consent_purpose = n.purpose AND o.state = 'planned'"""

_EMPTY = "TRUNCATE staged_keys, staged_clients, staged_phones, staged_words, staged_consents, staged_dates"

# Opted out in the register: every phone of the client, and with it everyone on that phone.
_STOPS = """
CREATE TEMP TABLE staged_stopped ON COMMIT DROP AS
  SELECT DISTINCT p.phone_hash FROM staged_stops t JOIN clients c ON c.code = t.code JOIN phones p ON p.client_id = c.id
  WHERE NOT EXISTS (SELECT FROM stops WHERE stops.phone_hash = p.phone_hash AND stops.reason IN ('stop', 'carrier'));
SELECT id FROM clients WHERE id IN (SELECT p.client_id FROM phones p JOIN staged_stopped t ON t.phone_hash = p.phone_hash)
  ORDER BY id FOR NO KEY UPDATE;
INSERT INTO stops (phone_hash, reason, source, stopped_at) SELECT phone_hash, 'stop', 'import', :now FROM staged_stopped
  ON CONFLICT (phone_hash) DO UPDATE SET reason = 'stop', source = 'import', source_id = NULL, stopped_at = :now;
INSERT INTO consent_history (client_id, unit_id, purpose, granted, basis, source, changed_at)
  SELECT c.id, c.unit_id, 'all', false, 'stop', 'import', :now FROM clients c
  WHERE c.id IN (SELECT p.client_id FROM phones p JOIN staged_stopped t ON t.phone_hash = p.phone_hash);
UPDATE outbound o SET state = 'cancelled', reason = 'opted out (stop)', state_at = :now FROM staged_stopped t
  WHERE o.to_hash = t.phone_hash AND o.state = 'planned' AND o.purpose <> ALL(:keep)"""


# The rows of a client as they are, ciphertext and all: `import_rows.undo` writes them back.
_REMEMBER = text("""
  INSERT INTO import_rows (import_id, row_id, client_id, unit_id, before)
  SELECT :import, c.id, c.id, c.unit_id, CASE WHEN NOT s.is_new THEN jsonb_build_object('client', to_jsonb(c),
    'phones', (SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') FROM phones p WHERE p.client_id = c.id),
    'words', (SELECT coalesce(jsonb_agg(to_jsonb(w)), '[]') FROM client_words w WHERE w.client_id = c.id),
    'dates', (SELECT coalesce(jsonb_agg(to_jsonb(d)), '[]') FROM client_dates d WHERE d.client_id = c.id),
    'consents', (SELECT coalesce(jsonb_agg(to_jsonb(k)), '[]') FROM consents k WHERE k.client_id = c.id)) END
  FROM staged_clients s JOIN clients c ON c.id = s.id""")


def take(work: Work, import_id: UUID | None = None) -> list[int]:
    """Take over what is staged, but for stops; the lines left out because another unit uses their code.

    What is written over is kept for the import that may be undone, if one is given.
    """
    _run(work, _TAKE)
    clashes = work.all(_CLASHES)
    if clashes:
        _run(work, _WITHOUT_CLIENT, ids=[row.id for row in clashes])
    if import_id is not None:
        work.execute(_REMEMBER, {"import": import_id})
    for script in (_CHANGE, _CONSENTS, _EMPTY):
        _run(work, script)
    return [row.line for row in clashes]


def stop(work: Work) -> None:
    """Take over the staged stops: the last step, for a row that opts out may come before the one that is taken."""
    _run(work, _STOPS, keep=sorted(judge.EVEN_WHEN_STOPPED))


def _run(work: Work, script: str, **values: Any) -> None:
    for statement in script.split(";\n"):
        used = {name: value for name, value in (values | {"now": work.now}).items() if f":{name}" in statement}
        work.execute(text(statement), used)
