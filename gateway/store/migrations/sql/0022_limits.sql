-- What a channel's carrier can carry, as far as its kind and settings tell: by which channel a text leaves follows from it.

ALTER TABLE channels
  ADD longest int NOT NULL DEFAULT 1600 CHECK (longest > 0),  -- characters of a text
  ADD gsm_only boolean NOT NULL DEFAULT false;                -- it carries no letters but those of the GSM alphabet

ALTER TABLE channel_minutes ADD reported int NOT NULL DEFAULT 0;  -- texts of which a report of that minute said more than was known
