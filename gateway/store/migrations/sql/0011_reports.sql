-- What reports are made of: counts by week and month, so that no report goes through millions of texts. No persons.

CREATE TABLE report_counts (
  report text NOT NULL,
  grain text NOT NULL CHECK (grain IN ('week', 'month')),
  starts_on date NOT NULL,
  unit_id uuid NOT NULL REFERENCES units,
  language text NOT NULL,
  channel_id uuid,                               -- of reports by channel
  part text NOT NULL,                            -- the column; empty: all columns together
  count bigint NOT NULL,
  people int NOT NULL                            -- how many different clients stand behind the count
);
CREATE INDEX ON report_counts (report, grain, starts_on, unit_id);

-- Which weeks and months were counted, and when last: late reports and corrections are counted for a while.
CREATE TABLE report_periods (
  grain text NOT NULL,
  starts_on date NOT NULL,
  counted_at timestamptz NOT NULL,
  PRIMARY KEY (grain, starts_on)
);

-- Small, and cheap on the path of every text: a month lies together on disk.
CREATE INDEX outbound_created ON outbound USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);
CREATE INDEX ON sessions (started_at);
CREATE INDEX ON flags (opened_at);
CREATE INDEX ON consent_history (changed_at);
