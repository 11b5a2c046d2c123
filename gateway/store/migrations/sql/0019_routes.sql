-- Which channel carries which texts, what each costs and may send in a day, and how well each works.

ALTER TABLE channels
  ADD prices jsonb NOT NULL DEFAULT '{}',        -- of a segment, by prefix of the phone; in the money of whoever runs this
  ADD one_way text[] NOT NULL DEFAULT '{}',      -- prefixes of phones whose answers do not come back
  ADD daily int CHECK (daily > 0),               -- segments a day of the unit's clock; null: any number
  ADD daily_on date,                             -- the day that `daily_used` counts
  ADD daily_used int NOT NULL DEFAULT 0,
  ADD off text[] NOT NULL DEFAULT '{}',          -- prefixes of countries that the carrier refuses for us
  ADD weight smallint NOT NULL DEFAULT 100 CHECK (weight BETWEEN 0 AND 100),  -- share of its clients that it keeps while it works badly
  ADD weight_at timestamptz,                     -- when that last changed
  ADD trouble_at timestamptz,                    -- when it was last seen to work badly
  ADD looked_to timestamptz,                     -- what was due on it until then was looked at: should it leave by another channel?
  ADD told text;                                 -- the fault that staff were told of, while it lasts

UPDATE channels SET one_way = '{+84}' WHERE kind = 'twilio';

-- A text for which all of a rule's conditions hold leaves by its channel; null: any.
CREATE TABLE routes (
  id uuid PRIMARY KEY,
  number int GENERATED ALWAYS AS IDENTITY UNIQUE,
  channel_id uuid NOT NULL REFERENCES channels,
  unit_id uuid REFERENCES units,                 -- of the client: the unit itself and all below it
  prefix text,
  language text,
  purpose text,
  CHECK (num_nonnulls(unit_id, prefix, language, purpose) > 0)
);
CREATE UNIQUE INDEX ON routes (channel_id, coalesce(unit_id, '00000000-0000-0000-0000-000000000000'), coalesce(prefix, ''), coalesce(language, ''), coalesce(purpose, ''));

-- How attempts of one minute ended, by channel: what its weight follows.
CREATE TABLE channel_minutes (
  channel_id uuid NOT NULL,                      -- no foreign key: written with every batch of outcomes
  minute timestamptz NOT NULL,
  well int NOT NULL,
  bad int NOT NULL,                              -- no answer, a server's error, not reached, a fault of the channel
  slow int NOT NULL,                             -- of those that went well
  PRIMARY KEY (channel_id, minute)
);
