-- Whom a service serves is said by the unit that keeps it; how few texts one client wants; dialogues suspended before they were looked at.

ALTER TABLE services NO FORCE ROW LEVEL SECURITY;
ALTER TABLE service_units NO FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions NO FORCE ROW LEVEL SECURITY;

ALTER TABLE services ADD UNIQUE (id, unit_id);
ALTER TABLE service_units ADD kept_by uuid;      -- the service's unit: policies of the two tables cannot ask each other
UPDATE service_units SET kept_by = s.unit_id FROM services s WHERE s.id = service_id;
ALTER TABLE service_units ALTER kept_by SET NOT NULL;
ALTER TABLE service_units ADD FOREIGN KEY (service_id, kept_by) REFERENCES services (id, unit_id) ON UPDATE CASCADE ON DELETE CASCADE;

-- As for a unit; the narrowest of all figures counts.
ALTER TABLE clients ADD texts_a_day smallint CHECK (texts_a_day > 0), ADD texts_a_week smallint CHECK (texts_a_week > 0);

UPDATE sessions SET due_at = now() WHERE status = 'suspended';

ALTER TABLE services FORCE ROW LEVEL SECURITY;
ALTER TABLE service_units FORCE ROW LEVEL SECURITY;
ALTER TABLE sessions FORCE ROW LEVEL SECURITY;
