-- Clients as a file that somebody asked for: written by the clock, seen by them alone, gone soon after.
CREATE TABLE exports (
  staff_id uuid NOT NULL REFERENCES staff,
  unit_id uuid NOT NULL REFERENCES units,        -- theirs when they asked: moved to another, they see it no more
  asked_at timestamptz NOT NULL,
  wanted jsonb NOT NULL,                         -- which clients: ids and codes
  seen int NOT NULL DEFAULT 0,                   -- clients that are in it so far
  of_all int,                                    -- null: not counted yet
  settled_at timestamptz,                        -- null: still to be done
  key_id uuid,                                   -- the file's own, which goes with it
  file_enc bytea,
  refused text,                                  -- why there is none
  PRIMARY KEY (staff_id, unit_id)
);
CREATE INDEX exports_asked ON exports (asked_at) WHERE settled_at IS NULL;
