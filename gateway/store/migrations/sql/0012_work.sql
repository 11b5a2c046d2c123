-- What staff write on the pages before it counts: campaigns in the making, approvals asked for, changed texts.

CREATE TABLE campaign_drafts (
  id uuid PRIMARY KEY,                           -- of the campaign that it becomes, or is a draft of
  unit_id uuid NOT NULL REFERENCES units,
  made_by uuid NOT NULL REFERENCES staff,
  revision int NOT NULL DEFAULT 1,
  content jsonb NOT NULL,                        -- as campaign files have it, perhaps not complete
  changed_at timestamptz NOT NULL
);
CREATE INDEX ON campaign_drafts (unit_id);

-- Checking a big campaign takes a while: whoever asked for it need not wait, and the clock goes on after a crash.
CREATE TABLE approvals (
  campaign_id uuid PRIMARY KEY REFERENCES campaigns,
  unit_id uuid NOT NULL REFERENCES units,
  asked_by uuid NOT NULL REFERENCES staff,
  asked_at timestamptz NOT NULL,
  seen int NOT NULL DEFAULT 0,                   -- people gone through so far
  of_all int NOT NULL,
  settled_at timestamptz,                        -- null: still to be done
  refused text                                   -- why it was not started
);
CREATE INDEX approvals_asked ON approvals (asked_at) WHERE settled_at IS NULL;

-- Texts that staff changed. One counts from its approval by a second person on.
CREATE TABLE text_changes (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,        -- of whoever made it
  purpose text NOT NULL,
  base text NOT NULL,                            -- the version that was changed
  version text NOT NULL,
  texts jsonb NOT NULL,                          -- language -> [text, text that names the service or null]
  made_by uuid NOT NULL REFERENCES staff,
  made_at timestamptz NOT NULL,
  decision text CHECK (decision IN ('approved', 'refused')),
  decided_by uuid REFERENCES staff,
  decided_at timestamptz,
  CHECK (decision IS DISTINCT FROM 'approved' OR decided_by <> made_by),
  CHECK ((decision IS NULL) = (decided_by IS NULL) AND (decision IS NULL) = (decided_at IS NULL))
);
CREATE UNIQUE INDEX text_changes_waiting ON text_changes (purpose) WHERE decision IS NULL;
CREATE INDEX ON text_changes (purpose, decided_at);

-- A person may send again what the carrier refused and so never took: every attempt closed as refused or not sent.
CREATE OR REPLACE FUNCTION outbound_state_rises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.state IN ('cancelled', 'suppressed') THEN
    RAISE EXCEPTION 'message % cannot go from % to %', OLD.id, OLD.state, NEW.state;
  ELSIF NOT (
      NEW.state = 'planned' AND OLD.state IN ('submitting', 'unknown') AND EXISTS (
        SELECT FROM attempts WHERE id = OLD.attempt_id AND state IN ('not_sent', 'carrier_shows_none'))
      OR NEW.state = 'planned' AND OLD.state = 'failed' AND NOT EXISTS (
        SELECT FROM attempts WHERE outbound_id = OLD.id AND state NOT IN ('refused', 'not_sent', 'carrier_shows_none'))) THEN
    RAISE EXCEPTION 'message % cannot go from % back to %', OLD.id, OLD.state, NEW.state;
  END IF;
  RETURN NEW;
END $$;
