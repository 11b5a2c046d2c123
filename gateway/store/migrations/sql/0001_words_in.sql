-- Texts in, answers, reports, flags, the audit trail, switches.

CREATE TABLE inbound (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  channel_id uuid NOT NULL REFERENCES channels,
  client_id uuid,                                -- null: unknown or shared phone
  key_id uuid NOT NULL,
  carrier_id text NOT NULL,                      -- unique: the carrier's repeats make one row
  from_enc bytea NOT NULL,
  from_hash bytea NOT NULL,
  body_enc bytea NOT NULL,
  body_hash bytea NOT NULL,
  received_at timestamptz NOT NULL,
  sent_at timestamptz,
  late boolean NOT NULL DEFAULT false,           -- came by back-fill
  repeat_of uuid,                                -- probably the same text under another id
  handled_at timestamptz,                        -- null: deciding failed, tried again by sweep
  tries smallint NOT NULL DEFAULT 0,
  meaning text, value text, also text[] NOT NULL DEFAULT '{}', doubt text, why_enc bytea,
  answers_id uuid,                               -- the outbound message whose question it answers
  misread_as text, misread_by uuid, misread_at timestamptz,  -- what a person says that it meant
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (channel_id, carrier_id, from_hash, body_hash)  -- some gateways give one id to two texts
);
CREATE INDEX ON inbound (from_hash, received_at);
CREATE INDEX ON inbound (client_id, received_at);
CREATE INDEX ON inbound (unit_id, received_at);
CREATE INDEX inbound_misread ON inbound (misread_at) WHERE misread_at IS NOT NULL;
CREATE INDEX inbound_unhandled ON inbound (received_at) WHERE handled_at IS NULL;

CREATE TABLE answers (
  outbound_id uuid PRIMARY KEY,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  inbound_id uuid NOT NULL,
  value text NOT NULL,
  answered_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
);

-- What the carrier said of a message, each thing once, in the order it came.
CREATE TABLE reports (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  channel_id uuid NOT NULL,
  attempt_id uuid,
  carrier_id text NOT NULL,
  state text NOT NULL,
  code text NOT NULL DEFAULT '',
  received_at timestamptz NOT NULL,
  matched boolean NOT NULL
);
CREATE UNIQUE INDEX ON reports (channel_id, carrier_id, state, code);

CREATE TABLE flags (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  client_id uuid,
  inbound_id uuid,
  about_id uuid,                                 -- the appointment or message it speaks of
  number bigint GENERATED ALWAYS AS IDENTITY UNIQUE, -- what staff say aloud
  reason text NOT NULL,
  severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'urgent')),
  state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'assigned', 'closed')),
  owner_id uuid REFERENCES staff,
  opened_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL,
  closed_at timestamptz,
  outcome text,
  dedupe_key text NOT NULL UNIQUE,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX flags_open ON flags (unit_id, due_at) WHERE state <> 'closed';
CREATE INDEX ON flags (client_id);

CREATE TABLE audit (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  staff_id uuid,                                 -- null: the system
  action text NOT NULL,
  subject text NOT NULL,                         -- kind of thing
  subject_id text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',            -- ids and codes only
  at timestamptz NOT NULL
);
CREATE INDEX ON audit (subject_id);

-- One switch stops everything but urgent texts.
CREATE TABLE switches (name text PRIMARY KEY, is_on boolean NOT NULL, changed_at timestamptz NOT NULL, changed_by uuid);
INSERT INTO switches VALUES ('sending', true, now(), NULL);

-- Which processes are alive: each writes its row every few seconds.
CREATE TABLE heartbeats (name text PRIMARY KEY, process text NOT NULL, beat_at timestamptz NOT NULL);

-- The simulator's network: what its handsets hold. Only the simulator channel writes here.
CREATE TABLE handset_texts (
  id uuid PRIMARY KEY,
  channel_id uuid NOT NULL REFERENCES channels,
  key_id uuid NOT NULL,
  phone_hash bytea NOT NULL,
  incoming boolean NOT NULL,                     -- to the handset
  token text,
  body_enc bytea NOT NULL,
  at timestamptz NOT NULL
);
CREATE INDEX ON handset_texts (phone_hash, at);
