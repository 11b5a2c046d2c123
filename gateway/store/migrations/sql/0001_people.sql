-- Units, staff, clients, what they agreed to, appointments.

CREATE TABLE units (
  id uuid PRIMARY KEY,
  parent_id uuid REFERENCES units,
  kind text NOT NULL CHECK (kind IN ('province', 'district', 'commune', 'clinic', 'service')),
  code text NOT NULL UNIQUE,
  name text NOT NULL,
  time_zone text NOT NULL,
  language text NOT NULL,
  region text NOT NULL,                          -- of phone numbers written without a country
  opens time, closes time,                       -- when clients may be texted; null: always
  tones text NOT NULL DEFAULT 'saves' CHECK (tones IN ('never', 'saves', 'always')),  -- when to fold Vietnamese
  details jsonb NOT NULL DEFAULT '{}',           -- public words about the unit: service name, call-back number, helplines
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Every unit with itself and all above it.
CREATE TABLE unit_tree (
  unit_id uuid NOT NULL REFERENCES units,
  ancestor_id uuid NOT NULL REFERENCES units,
  distance int NOT NULL,
  PRIMARY KEY (unit_id, ancestor_id)
);
CREATE INDEX ON unit_tree (ancestor_id);

-- One wrapped data key per person (or unknown phone, or channel). Deleting the row erases that person everywhere.
CREATE TABLE keys (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  wrapped bytea NOT NULL,
  stranger_hash bytea UNIQUE                     -- set for a phone that belongs to no client
);

CREATE TABLE staff (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  key_id uuid NOT NULL REFERENCES keys,
  code text NOT NULL UNIQUE,                     -- what --as takes
  name_enc bytea NOT NULL,
  role text NOT NULL CHECK (role IN ('case_worker', 'reviewer', 'supervisor', 'administrator', 'analyst')),
  language text NOT NULL,
  phone_enc bytea, phone_hash bytea,             -- alerts go here
  on_duty boolean NOT NULL DEFAULT false,
  active boolean NOT NULL DEFAULT true
);
CREATE INDEX ON staff (phone_hash);

-- The units each staff member may see: their own and all below.
CREATE TABLE staff_units (
  staff_id uuid NOT NULL REFERENCES staff,
  unit_id uuid NOT NULL REFERENCES units,
  PRIMARY KEY (staff_id, unit_id)
);

CREATE TABLE clients (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  key_id uuid NOT NULL REFERENCES keys,
  code text NOT NULL UNIQUE,
  name_enc bytea NOT NULL,
  fields_enc bytea,                              -- own fields, JSON
  language text NOT NULL,
  time_zone text,                                -- null: the unit's
  opens time, closes time,                       -- narrows the unit's hours
  tones text CHECK (tones IN ('never', 'saves', 'always')),
  discreet smallint NOT NULL DEFAULT 1 CHECK (discreet BETWEEN 0 AND 2),
  status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'paused', 'closed')),
  status_reason text,
  groups text[] NOT NULL DEFAULT '{}',
  worker_id uuid REFERENCES staff,
  row_hash bytea,                                -- of the register row it came from: the same row again changes nothing
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  UNIQUE (id, unit_id)
);
CREATE INDEX ON clients (unit_id);
CREATE INDEX ON clients (worker_id);

CREATE TABLE phones (
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  rank smallint NOT NULL,                        -- 0 is the one we text
  phone_enc bytea NOT NULL,
  phone_hash bytea NOT NULL,
  to_verify text,                                -- why a person should check that it is still theirs
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (client_id, rank)
);
CREATE INDEX ON phones (phone_hash);

-- Keyed hashes to find a client by: words of the name, the last four digits. A table, since array indexes are ignored under policies.
CREATE TABLE client_words (
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  word_hash bytea NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (word_hash, client_id)
);
CREATE INDEX ON client_words (client_id);

-- Who wants no texts. By phone, since a phone may be shared; outlives the client.
CREATE TABLE stops (
  phone_hash bytea PRIMARY KEY,
  reason text NOT NULL,                          -- stop | wrong_number | in_doubt | carrier
  source text NOT NULL,                          -- inbound | staff | carrier | import
  source_id uuid,
  stopped_at timestamptz NOT NULL
);

CREATE TABLE consents (
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  purpose text NOT NULL CHECK (purpose IN ('reminder', 'check_in', 'service_information', 'study')),
  granted boolean NOT NULL,
  basis text NOT NULL,
  changed_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (client_id, purpose)
);
CREATE TABLE consent_history (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  purpose text NOT NULL,                         -- or 'all' for STOP and START
  granted boolean NOT NULL,
  basis text NOT NULL,
  source text NOT NULL,                          -- inbound | staff | import | carrier
  source_id uuid,
  changed_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX ON consent_history (client_id);

CREATE TABLE appointments (
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  worker_id uuid REFERENCES staff,
  outside_id text,
  starts_at timestamptz NOT NULL,
  status text NOT NULL DEFAULT 'booked' CHECK (status IN ('booked', 'cancelled', 'attended', 'missed')),
  answer text CHECK (answer IN ('confirmed', 'declined', 'reschedule')),
  answered_at timestamptz,
  revision int NOT NULL DEFAULT 0,               -- rises when it moves
  planned_revision int NOT NULL DEFAULT -1,      -- the revision that reminders were planned for
  created_at timestamptz NOT NULL,
  updated_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (unit_id, outside_id)
);
CREATE INDEX ON appointments (client_id);
CREATE INDEX ON appointments (starts_at);
CREATE INDEX appointments_to_plan ON appointments (updated_at) WHERE planned_revision < revision;
