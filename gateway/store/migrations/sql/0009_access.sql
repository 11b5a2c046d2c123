-- Who may come in: passwords, second factors, and the browsers that are signed in. The system alone reads and writes all of it.

CREATE TABLE credentials (
  staff_id uuid PRIMARY KEY REFERENCES staff ON DELETE CASCADE,
  password text,                                 -- argon2id with its salt and cost; null: none was chosen yet
  password_at timestamptz NOT NULL,
  secret_enc bytea,                              -- of the second factor, under the staff member's key
  secret_at timestamptz,                         -- null: shown, not yet confirmed by a code
  step bigint NOT NULL DEFAULT 0                 -- of the latest code that was taken: none is taken twice
);

CREATE TABLE recovery_codes (
  staff_id uuid NOT NULL REFERENCES staff ON DELETE CASCADE,
  hash bytea NOT NULL,
  PRIMARY KEY (staff_id, hash)
);

-- A way in for whoever has no password, or forgot it; at most one for each.
CREATE TABLE invitations (
  staff_id uuid PRIMARY KEY REFERENCES staff ON DELETE CASCADE,
  hash bytea NOT NULL UNIQUE,
  expires_at timestamptz NOT NULL
);

-- A browser that is signed in. It counts as long as what it was given for still holds: role, unit and password.
CREATE TABLE logins (
  hash bytea PRIMARY KEY,                        -- of the cookie's token
  id uuid NOT NULL UNIQUE,
  staff_id uuid NOT NULL REFERENCES staff ON DELETE CASCADE,
  role text NOT NULL,
  unit_id uuid NOT NULL,
  password_at timestamptz NOT NULL,
  stage text NOT NULL CHECK (stage IN ('second', 'set_up', 'in')), -- asked for the second factor, to set one up, or in
  device text NOT NULL,                          -- what the browser calls itself, in two words
  made_at timestamptz NOT NULL,
  seen_at timestamptz NOT NULL,
  notice text NOT NULL DEFAULT ''                -- what the next page is to say
);
CREATE INDEX ON logins (staff_id);

-- Failures in a row, by who tried what from where, as a keyed hash.
CREATE TABLE login_tries (
  hash bytea PRIMARY KEY,
  failures int NOT NULL,
  tried_at timestamptz NOT NULL
);
CREATE INDEX ON login_tries (tried_at);

CREATE INDEX ON flags (inbound_id);              -- whether a reviewer may see a text
