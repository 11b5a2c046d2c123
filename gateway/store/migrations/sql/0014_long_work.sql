-- Long work that a page only looks at, and counts of campaigns that are too large to be counted while somebody waits.

-- What a campaign would send, worked out by the clock for whoever asked: they see their own clients in it, and no others.
CREATE TABLE rehearsals (
  campaign_id uuid NOT NULL REFERENCES campaigns,
  unit_id uuid NOT NULL REFERENCES units,
  asked_by uuid NOT NULL REFERENCES staff,
  asked_at timestamptz NOT NULL,
  days smallint NOT NULL,
  seen int NOT NULL DEFAULT 0,                   -- people gone through so far
  of_all int NOT NULL,
  settled_at timestamptz,                        -- null: still to be done
  found jsonb,                                   -- figures by day, no persons
  refused text,                                  -- why there are none
  PRIMARY KEY (campaign_id, asked_by)
);
CREATE INDEX rehearsals_asked ON rehearsals (asked_at) WHERE settled_at IS NULL;

-- Where a campaign's texts are, as last counted.
CREATE TABLE campaign_counts (
  campaign_id uuid PRIMARY KEY REFERENCES campaigns,
  unit_id uuid NOT NULL REFERENCES units,
  counted_at timestamptz NOT NULL,
  look_at timestamptz NOT NULL,                  -- when to count again
  counts jsonb NOT NULL                          -- [[state, reason, texts, of these delivered], ...]
);
CREATE INDEX ON campaign_counts (look_at);
-- Read without the rows behind it, however many people have a word in their name.
ALTER TABLE client_words DROP CONSTRAINT client_words_pkey, ADD PRIMARY KEY (word_hash, client_id) INCLUDE (unit_id);
CREATE INDEX phones_to_verify ON phones (client_id) WHERE to_verify IS NOT NULL;
-- What may be sent again, which is asked of every campaign that is looked at.
CREATE INDEX outbound_refused ON outbound (campaign_id, send_before) WHERE state = 'failed' AND campaign_id IS NOT NULL;
