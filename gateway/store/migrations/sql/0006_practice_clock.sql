-- How far the clock of a gateway for practice was moved ahead; nothing at all where texts reach real phones.
CREATE TABLE practice_clock (
  id boolean PRIMARY KEY DEFAULT true CHECK (id),    -- one row
  ahead interval NOT NULL CHECK (ahead >= interval '0')
);
INSERT INTO practice_clock VALUES (true, '0');
GRANT SELECT ON practice_clock TO PUBLIC;      -- every transaction asks what time it is before it has a role
GRANT UPDATE ON practice_clock TO gateway_system;
