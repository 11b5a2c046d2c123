-- Channels, campaigns, texts out and their attempts.

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
  UNIQUE (client_id, step_id, due_at)
);
-- What is due of a campaign, and what came of it other than texts: one that was written leaves this index.
CREATE INDEX occurrences_due ON occurrences (campaign_id, state, due_at) WHERE state <> 'planned';
CREATE INDEX ON occurrences (appointment_id);

CREATE TABLE outbound (
  id uuid PRIMARY KEY,                           -- made from what the text is for, so that planning twice plans once
  unit_id uuid NOT NULL,
  client_id uuid,                                -- null: to a staff member or an unknown phone
  key_id uuid NOT NULL,
  channel_id uuid NOT NULL,                      -- no foreign keys on these two: neither is ever deleted, and each check costs
  campaign_id uuid,                              -- as much as an index on the path of every text
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
CREATE INDEX outbound_waiting ON outbound (waits_for) WHERE waits_for IS NOT NULL;
-- Written so that a look for one client's can be answered by these alone, and never by going through all that is on its way.
CREATE INDEX outbound_in_flight ON outbound (client_id) WHERE state || '' = 'submitting';
CREATE INDEX outbound_again ON outbound (client_id) WHERE state || '' = 'planned' AND attempts > 0;
CREATE INDEX outbound_unsettled ON outbound (state_at) WHERE state IN ('submitting', 'unknown');
CREATE INDEX outbound_unreported ON outbound (state_at) WHERE state IN ('accepted', 'sent');
CREATE INDEX outbound_expiring ON outbound (send_before) WHERE state = 'planned';
CREATE INDEX outbound_to ON outbound (to_hash, created_at);
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
  IF NEW.state IN ('cancelled', 'suppressed') THEN
    RAISE EXCEPTION 'message % cannot go from % to %', OLD.id, OLD.state, NEW.state;
  ELSIF NOT (
      NEW.state = 'planned' AND OLD.state IN ('submitting', 'unknown') AND EXISTS (
        SELECT FROM attempts WHERE id = OLD.attempt_id AND state IN ('not_sent', 'carrier_shows_none'))) THEN
    RAISE EXCEPTION 'message % cannot go from % back to %', OLD.id, OLD.state, NEW.state;
  END IF;
  RETURN NEW;
END $$;
-- Asked of every row that is changed, so that what rises costs no call.
CREATE TRIGGER outbound_state_rises BEFORE UPDATE ON outbound FOR EACH ROW
  WHEN (outbound_rank(NEW.state) < outbound_rank(OLD.state)
    OR (NEW.state <> OLD.state AND NEW.state IN ('cancelled', 'suppressed') AND OLD.state <> 'planned'))
  EXECUTE FUNCTION outbound_state_rises();
