-- Dialogues as they were when a session of theirs began, and where each client is in one; scores that staff enter.

CREATE TABLE dialogues (
  name text NOT NULL,
  version text NOT NULL,
  files jsonb NOT NULL,                          -- file name -> text, as below templates_sms/dialogues/
  PRIMARY KEY (name, version)
);

CREATE TABLE sessions (
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  key_id uuid NOT NULL,                          -- the client's, which the state and the answers are kept under
  dialogue text NOT NULL,
  version text NOT NULL,
  consent_purpose text NOT NULL,
  urgency smallint NOT NULL,
  status text NOT NULL CHECK (status IN ('waiting', 'with_person', 'suspended', 'stopped', 'ended', 'not_asked')),
  step text NOT NULL,
  state_enc bytea NOT NULL,                      -- the rest of it; status and asked_at here win
  prompt_id uuid NOT NULL,                       -- the first text: until it has left, nothing was asked
  asked_id uuid NOT NULL,                        -- the latest question
  asked_at timestamptz NOT NULL,
  due_at timestamptz,                            -- when silence is looked at next
  heard_at timestamptz,                          -- when the client last wrote in it; null: silent so far
  started_by uuid,                               -- null: a campaign
  started_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
);
-- One open dialogue a client, and what waits behind it.
CREATE UNIQUE INDEX sessions_one_open ON sessions (client_id) WHERE status IN ('waiting', 'with_person');
CREATE INDEX sessions_live ON sessions (client_id) WHERE status IN ('waiting', 'with_person', 'suspended');
CREATE INDEX sessions_due ON sessions (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ON sessions (client_id, started_at);

CREATE TABLE session_answers (
  session_id uuid NOT NULL REFERENCES sessions ON DELETE CASCADE,
  step text NOT NULL,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  inbound_id uuid NOT NULL,
  value_enc bytea NOT NULL,
  answered_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (session_id, step)
);
CREATE INDEX ON session_answers (client_id);

CREATE TABLE scores (
  id uuid PRIMARY KEY,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  key_id uuid NOT NULL,
  scale text NOT NULL CHECK (scale IN ('barc10')),
  on_date date NOT NULL,
  value_enc bytea NOT NULL,
  entered_by uuid REFERENCES staff,
  entered_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (client_id, scale, on_date)
);
