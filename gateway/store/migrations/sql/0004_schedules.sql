-- Campaigns that recur, programmes, holidays, and how many texts a client gets.

ALTER TABLE campaigns DROP CONSTRAINT campaigns_kind_check;
ALTER TABLE campaigns ADD CONSTRAINT campaigns_kind_check CHECK (kind IN ('one_off', 'reminders', 'recurring', 'programme'));

-- The day of the plan that makes it the same text when it is planned again, whatever day or minute it is moved to.
ALTER TABLE occurrences ADD round date;
-- Of a programme's step, which of its texts it is, from 0: the same text when the client's day 0 is corrected.
ALTER TABLE occurrences ADD nth smallint;
CREATE UNIQUE INDEX occurrences_round ON occurrences (client_id, step_id, round) WHERE round IS NOT NULL;

-- At most so many texts of our own accord for a client; null: what the units above say.
ALTER TABLE units ADD texts_a_day smallint CHECK (texts_a_day > 0), ADD texts_a_week smallint CHECK (texts_a_week > 0);
CREATE INDEX units_capped ON units (id) WHERE texts_a_day IS NOT NULL OR texts_a_week IS NOT NULL;

-- Holidays of a unit and all below it. The nearest unit that says something of a day is believed.
CREATE TABLE holidays (
  unit_id uuid NOT NULL REFERENCES units,
  on_date date NOT NULL,
  name text NOT NULL,
  is_holiday boolean NOT NULL DEFAULT true,      -- false: a working day, whatever the units above or a list of a country say
  source text NOT NULL,                          -- staff, or the country whose list it comes from
  changed_at timestamptz NOT NULL,
  PRIMARY KEY (unit_id, on_date)
);

-- Days from which the steps of a programme may count: one of each name for a client, such as discharge.
CREATE TABLE client_dates (
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  name text NOT NULL,
  on_date date NOT NULL,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (client_id, name)
);

-- Who is in a programme, since when, and up to when their texts are planned.
CREATE TABLE enrolments (
  campaign_id uuid NOT NULL REFERENCES campaigns,
  client_id uuid NOT NULL,
  unit_id uuid NOT NULL,
  day_zero date NOT NULL,
  enrolled_at timestamptz NOT NULL,
  planned_to timestamptz,                        -- null: nothing is planned yet
  look_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  FOREIGN KEY (client_id, unit_id) REFERENCES clients (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE,
  PRIMARY KEY (campaign_id, client_id)
);
CREATE INDEX enrolments_to_look_at ON enrolments (campaign_id, look_at) WHERE ended_at IS NULL;
CREATE INDEX ON enrolments (client_id);
