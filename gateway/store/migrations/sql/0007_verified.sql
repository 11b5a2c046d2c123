-- When somebody last made sure that a phone is the client's own: staff by asking, or the client by the PIN.

ALTER TABLE phones NO FORCE ROW LEVEL SECURITY;
ALTER TABLE phones ADD verified_at timestamptz;
UPDATE phones SET verified_at = now();  -- whoever is on file now is asked about in 90 days at the earliest
ALTER TABLE phones FORCE ROW LEVEL SECURITY;
