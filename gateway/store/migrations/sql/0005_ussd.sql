-- Menus: where each phone is in its dialled dialogue, and the PIN before anything personal.

ALTER TABLE sessions ALTER prompt_id DROP NOT NULL, ALTER asked_id DROP NOT NULL;  -- NULL: on a screen
ALTER TABLE channels ADD texts boolean NOT NULL DEFAULT true;  -- false: a menu alone, no text leaves through it

CREATE TABLE ussd_sessions (
  channel_id uuid NOT NULL REFERENCES channels,
  phone_hash bytea NOT NULL,                     -- a carrier may give its id to another phone later
  session_hash bytea NOT NULL,
  unit_id uuid NOT NULL REFERENCES units,
  key_id uuid NOT NULL,                          -- the client's, or the unknown phone's
  state_enc bytea NOT NULL,                      -- with every screen of it, and keyed hashes of what was typed
  ended boolean NOT NULL,
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (channel_id, phone_hash, session_hash)
);
CREATE INDEX ON ussd_sessions (changed_at);

-- By phone: an unknown one can choose a PIN too, so that choosing one tells nobody who is enrolled.
CREATE TABLE ussd_pins (
  phone_hash bytea PRIMARY KEY,
  client_id uuid,                                -- whose it was when the PIN was chosen; for another person it does not count
  unit_id uuid NOT NULL,
  salt bytea NOT NULL,
  hash bytea NOT NULL,
  tries smallint NOT NULL DEFAULT 0,             -- wrong ones in a row
  locked_at timestamptz,
  set_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX ON ussd_pins (client_id);
