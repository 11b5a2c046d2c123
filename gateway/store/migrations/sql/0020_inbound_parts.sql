-- Parts of long texts, as carriers bring them that do not put them together. The text itself is a row of inbound from its first part on:
-- not handled (handled_at null) until it is whole, or nothing more came for a minute.
CREATE TABLE inbound_parts (
  inbound_id uuid NOT NULL REFERENCES inbound ON DELETE CASCADE,
  number smallint NOT NULL,
  key_id uuid NOT NULL,
  channel_id uuid NOT NULL,
  from_hash bytea NOT NULL,
  reference text NOT NULL,                       -- of the longer text; phones use it again
  total smallint NOT NULL,
  carrier_id text NOT NULL,
  body_enc bytea NOT NULL,
  body_hash bytea NOT NULL,
  received_at timestamptz NOT NULL,
  PRIMARY KEY (inbound_id, number)
);
CREATE INDEX ON inbound_parts (from_hash, received_at);
