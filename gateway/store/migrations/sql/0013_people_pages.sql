-- What staff write on a flag and about a client, and registers that are taken over from the pages.

ALTER TABLE flags
  ADD label text NOT NULL DEFAULT '',            -- staff's own word for it
  ADD snoozed_until timestamptz,                 -- out of the list until then
  ADD handed_up_at timestamptz,                  -- when, being overdue, it went up to the supervisors
  ADD revision int NOT NULL DEFAULT 0;           -- rises with what staff should know before they act on it
CREATE INDEX flags_closed ON flags (closed_at) WHERE state = 'closed';
CREATE INDEX flags_to_hand_up ON flags (due_at) WHERE state <> 'closed' AND handed_up_at IS NULL;

-- Whoever changes a flag: a page that was opened before notices.
CREATE FUNCTION flags_revised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := OLD.revision + 1;
  RETURN NEW;
END $$;
CREATE TRIGGER flags_revised BEFORE UPDATE ON flags FOR EACH ROW
  WHEN ((NEW.state, NEW.owner_id, NEW.label, NEW.snoozed_until) IS DISTINCT FROM (OLD.state, OLD.owner_id, OLD.label, OLD.snoozed_until))
  EXECUTE FUNCTION flags_revised();

CREATE TABLE notes (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  client_id uuid,                                -- null: of a flag that is about nobody known
  flag_id uuid REFERENCES flags ON DELETE CASCADE,
  key_id uuid NOT NULL,                          -- the client's; without one the unknown sender's, else the writer's own
  body_enc bytea NOT NULL,
  written_by uuid NOT NULL,
  written_at timestamptz NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE
);
CREATE INDEX ON notes (client_id, written_at);
CREATE INDEX ON notes (flag_id);

-- A register on its way in from the pages. Under a key of its own, which goes after a day: what the file held is gone then.
CREATE TABLE imports (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,
  staff_id uuid NOT NULL REFERENCES staff,
  key_id uuid NOT NULL,
  state text NOT NULL CHECK (state IN ('checking', 'checked', 'waiting', 'done', 'failed', 'undone')),
  options jsonb NOT NULL DEFAULT '{}',           -- codes and choices, nothing of the file
  headings_enc bytea,
  file_enc bytea,                                -- null: read, or forgotten
  bad_enc bytea,                                 -- rows that were not taken, with their reasons
  counts jsonb NOT NULL DEFAULT '{}',
  reason text,                                   -- why it failed
  bytes_done bigint NOT NULL DEFAULT 0,
  bytes bigint NOT NULL,
  made_at timestamptz NOT NULL,
  taken_until timestamptz,                       -- some process is at it
  applied_at timestamptz                         -- what it wrote bears this time
);
CREATE INDEX imports_to_do ON imports (made_at) WHERE state IN ('checking', 'waiting');
CREATE INDEX ON imports (unit_id, made_at);

-- What each import wrote over, so that it can be undone for a day.
CREATE TABLE import_rows (
  import_id uuid NOT NULL REFERENCES imports,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  before jsonb,                                  -- the rows as they were; null: the client is new
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (import_id, client_id)
);
CREATE INDEX ON import_rows (client_id);
