-- The audit trail's values under the client's key, and the chain over it.

ALTER TABLE audit
  ADD client_id uuid,                            -- whom it is about; no foreign key: it outlives them
  ADD number bigint UNIQUE,                      -- its place in the trail, given when it is sealed; null: not sealed yet
  ADD key_id uuid,                               -- the client's, which the values are kept under; no foreign key: erasing destroys it
  ADD values_id uuid,                            -- what the ciphertext is bound to, since the row's own id is PostgreSQL's
  ADD values_enc bytea;                          -- what was before and is now, and reasons that staff typed, JSON
CREATE INDEX audit_unsealed ON audit (id) WHERE number IS NULL;
CREATE INDEX ON audit (at, id);
CREATE INDEX ON audit (staff_id, at);
CREATE INDEX ON audit (client_id, id) WHERE client_id IS NOT NULL;
UPDATE audit SET client_id = CAST(subject_id AS uuid) WHERE subject = 'client';

-- Each seals the rows numbered first to last: its hash is over the seal before, itself and those rows.
CREATE TABLE audit_seals (
  number bigint PRIMARY KEY CHECK (number > 0),
  first bigint NOT NULL,
  last bigint NOT NULL,
  sealed_at timestamptz NOT NULL,
  hash bytea NOT NULL,
  CHECK (last >= first)
);
