-- The service directory: public places, no persons. A missed call is kept as a text without words.

CREATE TABLE services (
  id uuid PRIMARY KEY,
  unit_id uuid NOT NULL REFERENCES units,        -- whose staff keep the entry
  code text NOT NULL UNIQUE,
  category text NOT NULL,
  name text NOT NULL,
  short_name text NOT NULL,                      -- what texts call it: says nothing about who goes there
  languages text[] NOT NULL DEFAULT '{}',
  address text NOT NULL DEFAULT '',
  phone text NOT NULL DEFAULT '',
  hours text NOT NULL DEFAULT '',                -- as gateway.domain.opening writes them; empty: not known
  who text NOT NULL DEFAULT '',
  cost text NOT NULL DEFAULT '',
  checked_on date,
  checked_by uuid REFERENCES staff,
  gone_on date,                                  -- it is no longer there: told to nobody
  updated_at timestamptz NOT NULL
);
CREATE INDEX ON services (unit_id);

-- Whom it serves: these units and all below them.
CREATE TABLE service_units (
  unit_id uuid NOT NULL REFERENCES units,
  service_id uuid NOT NULL REFERENCES services ON DELETE CASCADE,
  PRIMARY KEY (unit_id, service_id)
);
CREATE INDEX ON service_units (service_id);

ALTER TABLE inbound ADD COLUMN called boolean NOT NULL DEFAULT false;          -- a missed call
ALTER TABLE channels ADD COLUMN replies_cost boolean NOT NULL DEFAULT false;   -- a reply costs the client money
