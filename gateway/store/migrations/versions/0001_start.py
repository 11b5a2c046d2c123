"""The first schema: units, people, words out, words in, and who may see which rows.

The schema is written as SQL because row-level security, partial indexes and triggers are its heart
(docs/decisions/0002-the-schema-is-sql.md). Every table of personal rows carries `unit_id`; what a staff member may
see is decided by one policy over `staff_units`, whatever the query forgets.
"""

from alembic import op

revision = "0001"
down_revision = None

ROLES = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_staff') THEN CREATE ROLE gateway_staff NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_system') THEN CREATE ROLE gateway_system NOLOGIN; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server made them just now
END $$;
"""

PEOPLE = """
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
  last_inbound_at timestamptz,
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
"""

WORDS_OUT = """
-- Templates as they were when a campaign started.
CREATE TABLE templates (
  id uuid PRIMARY KEY,
  purpose text NOT NULL,
  version text NOT NULL,
  language text NOT NULL,
  content jsonb NOT NULL,
  UNIQUE (purpose, version, language)
);

CREATE TABLE channels (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  key_id uuid NOT NULL REFERENCES keys,
  name text NOT NULL UNIQUE,
  kind text NOT NULL,
  settings_enc bytea NOT NULL,
  prefix text NOT NULL DEFAULT '+',              -- of the phones it reaches; the longest match wins
  rate double precision,                         -- messages a second; null: as fast as the carrier answers
  reserved double precision NOT NULL DEFAULT 0.2,-- share of the rate kept for urgent and reply
  next_free_at timestamptz NOT NULL DEFAULT '2000-01-01',
  state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'disabled')),
  state_reason text,
  paused_until timestamptz,
  backfilled_to timestamptz,                     -- inbound listed at the carrier up to here
  unreadable int NOT NULL DEFAULT 0              -- answers in a row that were no answer
);

CREATE TABLE campaigns (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  name text NOT NULL UNIQUE,
  kind text NOT NULL CHECK (kind IN ('one_off', 'reminders')),
  consent_purpose text NOT NULL,
  spec jsonb NOT NULL,
  state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'running', 'paused', 'cancelled', 'done')),
  state_reason text,
  created_by uuid REFERENCES staff,
  approved_by uuid REFERENCES staff,
  created_at timestamptz NOT NULL,
  started_at timestamptz
);

CREATE TABLE campaign_steps (
  id uuid PRIMARY KEY,
  campaign_id uuid NOT NULL REFERENCES campaigns,
  unit_id uuid NOT NULL REFERENCES units,
  position smallint NOT NULL,
  purpose text NOT NULL,                         -- of the template
  version text NOT NULL,
  timing jsonb NOT NULL,                         -- {"before": "1d", "at": "17:00"} or {"at": instant}
  UNIQUE (campaign_id, position)
);

CREATE TABLE occurrences (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL,
  campaign_id uuid NOT NULL REFERENCES campaigns,
  step_id uuid NOT NULL REFERENCES campaign_steps,
  client_id uuid NOT NULL,
  appointment_id uuid REFERENCES appointments ON DELETE CASCADE,
  due_at timestamptz NOT NULL,
  send_before timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'planned', 'skipped', 'cancelled')),
  reason text,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (step_id, client_id, due_at)
);
CREATE INDEX occurrences_due ON occurrences (due_at) WHERE state = 'waiting';
CREATE INDEX ON occurrences (appointment_id);
CREATE INDEX ON occurrences (campaign_id, state);
CREATE INDEX ON occurrences (client_id);

CREATE TABLE outbound (
  id uuid PRIMARY KEY,                           -- made from what the text is for, so that planning twice plans once
  unit_id uuid NOT NULL,
  client_id uuid,                                -- null: to a staff member or an unknown phone
  key_id uuid NOT NULL,
  channel_id uuid NOT NULL REFERENCES channels,
  campaign_id uuid REFERENCES campaigns,
  occurrence_id uuid,
  inbound_id uuid,                               -- what it answers
  about_id uuid,                                 -- the appointment or flag it speaks of
  waits_for uuid,                                -- the ping whose answer lets it go (discreet level 2)
  purpose text NOT NULL,                         -- of the template
  consent_purpose text,                          -- null: needs none (answers, alerts)
  language text NOT NULL,
  lane smallint NOT NULL CHECK (lane BETWEEN 0 AND 2),
  expects text NOT NULL DEFAULT 'none',
  answered_at timestamptz,
  semantics text NOT NULL CHECK (semantics IN ('at_most_once', 'once_more', 'at_least_once')),
  send_after timestamptz NOT NULL,
  send_before timestamptz NOT NULL,
  exempt_until timestamptz,                      -- replies leave at any hour until then
  to_enc bytea NOT NULL,
  to_hash bytea NOT NULL,
  body_enc bytea NOT NULL,
  body_hash bytea NOT NULL,
  encoding text NOT NULL,
  segments smallint NOT NULL,
  state text NOT NULL DEFAULT 'planned' CHECK (state IN
    ('planned', 'submitting', 'unknown', 'accepted', 'sent', 'delivered', 'failed', 'expired', 'cancelled', 'suppressed')),
  reason text,
  code text,                                     -- the carrier's own
  attempt_id uuid,                               -- the latest; its id is the token the carrier gets
  attempts smallint NOT NULL DEFAULT 0,
  carrier_id text,
  redacted_at timestamptz,                       -- the carrier's copy was blanked
  created_at timestamptz NOT NULL,
  state_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
) WITH (fillfactor = 80);
CREATE INDEX outbound_due ON outbound (channel_id, lane, send_after) WHERE state = 'planned' AND waits_for IS NULL;
CREATE INDEX outbound_waiting ON outbound (waits_for) WHERE waits_for IS NOT NULL AND state = 'planned';
CREATE INDEX outbound_in_flight ON outbound (client_id) WHERE state = 'submitting';
CREATE INDEX outbound_unsettled ON outbound (state_at) WHERE state IN ('submitting', 'unknown');
CREATE INDEX outbound_unreported ON outbound (state_at) WHERE state IN ('accepted', 'sent');
CREATE INDEX outbound_expiring ON outbound (send_before) WHERE state = 'planned';
CREATE INDEX outbound_to ON outbound (to_hash);
CREATE INDEX outbound_asking ON outbound (to_hash) WHERE expects <> 'none' AND answered_at IS NULL;
CREATE INDEX outbound_campaign ON outbound (campaign_id, state) WHERE campaign_id IS NOT NULL;
CREATE INDEX outbound_client ON outbound (client_id);
CREATE INDEX outbound_unredacted ON outbound (state_at) WHERE redacted_at IS NULL AND carrier_id IS NOT NULL AND state IN ('delivered', 'failed', 'expired');

-- One row for each time bytes may have left. Its id is our token at the carrier.
CREATE TABLE attempts (
  id uuid PRIMARY KEY,
  outbound_id uuid NOT NULL,                     -- no foreign key: its check would write the message's row once more
  channel_id uuid NOT NULL,
  number smallint NOT NULL,
  state text NOT NULL DEFAULT 'submitting' CHECK (state IN
    ('submitting', 'accepted', 'refused', 'not_sent', 'unknown', 'carrier_shows_none')),
  reason text,
  code text,
  carrier_id text,
  started_at timestamptz NOT NULL,
  settled_at timestamptz,
  UNIQUE (outbound_id, number)
) WITH (fillfactor = 80);
CREATE INDEX ON attempts (channel_id, carrier_id) WHERE carrier_id IS NOT NULL;

-- Statuses only rise; what left once may be planned again only with its attempt closed as not sent.
CREATE FUNCTION outbound_rank(state text) RETURNS int IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
  SELECT CASE state WHEN 'planned' THEN 0 WHEN 'submitting' THEN 1 WHEN 'unknown' THEN 2 WHEN 'accepted' THEN 3
    WHEN 'sent' THEN 4 WHEN 'failed' THEN 5 WHEN 'expired' THEN 5 WHEN 'delivered' THEN 6 ELSE 7 END
$$;
-- Whether the outcome of an attempt changes the state: it rises, or the attempt provably sent nothing.
CREATE FUNCTION outbound_moves(state text, to_state text) RETURNS boolean IMMUTABLE PARALLEL SAFE LANGUAGE sql AS $$
  SELECT outbound_rank(to_state) > outbound_rank(state) OR (to_state = 'planned' AND state IN ('submitting', 'unknown'))
$$;
CREATE FUNCTION outbound_state_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state IN ('cancelled', 'suppressed') AND OLD.state <> 'planned' THEN
    RAISE EXCEPTION 'message % cannot go from % to %', OLD.id, OLD.state, NEW.state;
  ELSIF outbound_rank(NEW.state) < outbound_rank(OLD.state) AND NOT (
      NEW.state = 'planned' AND OLD.state IN ('submitting', 'unknown') AND EXISTS (
        SELECT FROM attempts WHERE id = OLD.attempt_id AND state IN ('not_sent', 'carrier_shows_none'))) THEN
    RAISE EXCEPTION 'message % cannot go from % back to %', OLD.id, OLD.state, NEW.state;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER outbound_state_rises BEFORE UPDATE ON outbound FOR EACH ROW
  WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION outbound_state_rises();
"""

WORDS_IN = """
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
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  UNIQUE (channel_id, carrier_id)
);
CREATE INDEX ON inbound (from_hash, received_at);
CREATE INDEX ON inbound (client_id, received_at);
CREATE INDEX ON inbound (unit_id, received_at);
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
"""

BY_UNIT = ["keys", "staff", "clients", "phones", "client_words", "consents", "consent_history", "appointments", "campaigns", "campaign_steps", "occurrences", "outbound", "inbound", "answers", "flags", "audit"]
# No personal rows, or readable only with a key that has a policy of its own.
EVERYONES = ("units", "unit_tree", "staff_units", "templates", "channels", "switches", "stops", "reports",
             "handset_texts", "heartbeats")


def rights() -> str:
    """Grants and policies: the system sees all rows, staff those of their units; nobody deletes but the system."""
    lines = ["GRANT USAGE ON SCHEMA public TO gateway_staff, gateway_system;"]
    for table in BY_UNIT:
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"""CREATE POLICY staff ON {table} TO gateway_staff USING (unit_id IN (
              SELECT unit_id FROM staff_units
              WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid));""",
        ]
        # The audit trail is written and read, never changed.
        verbs = "SELECT, INSERT" if table == "audit" else "SELECT, INSERT, UPDATE"
        lines.append(f"GRANT {verbs} ON {table} TO gateway_staff;")
    lines.append("""
      ALTER TABLE attempts ENABLE ROW LEVEL SECURITY; ALTER TABLE attempts FORCE ROW LEVEL SECURITY;
      GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO gateway_system; GRANT SELECT ON attempts TO gateway_staff;
      CREATE POLICY system ON attempts TO gateway_system USING (true);
      CREATE POLICY staff ON attempts TO gateway_staff USING (
        EXISTS (SELECT FROM outbound WHERE outbound.id = attempts.outbound_id));""")
    for table in EVERYONES:
        lines.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;")
    lines.append("REVOKE UPDATE, DELETE ON audit FROM gateway_system;")
    # Staff reach units, the tree and templates to read; a stop also to write (a client may say it aloud).
    lines.append("GRANT SELECT ON units, unit_tree, staff_units, templates, channels, switches TO gateway_staff;")
    lines.append("GRANT SELECT, INSERT, UPDATE, DELETE ON stops TO gateway_staff;")
    lines.append("GRANT DELETE ON phones, client_words TO gateway_staff;")
    return "\n".join(lines)


def upgrade() -> None:
    """Make everything; roles already there (another database of the same server) are kept."""
    for sql in (ROLES, PEOPLE, WORDS_OUT, WORDS_IN, rights()):
        op.execute(sql)
    op.execute("GRANT SELECT ON alembic_version TO PUBLIC")
    if login := op.get_context().opts.get("login_role"):
        op.execute(f'GRANT gateway_staff, gateway_system TO "{login}"')


def downgrade() -> None:
    """Refused: going back would drop what clients said."""
    raise NotImplementedError("0001 has no way back; restore a backup instead")
