-- What a role of staff may write, said by the database as well as by the program.

-- The role of whoever acts, as it is now; null: inactive, or the system.
CREATE FUNCTION own_role() RETURNS text STABLE LANGUAGE sql AS $$
  SELECT role FROM staff WHERE id = nullif(current_setting('gateway.actor', true), '')::uuid AND active $$;

-- The trail: everybody writes their own rows, and only the sealing gives a row its number.
REVOKE INSERT ON audit FROM gateway_staff, gateway_analyst, gateway_system;
GRANT INSERT (unit_id, staff_id, action, subject, subject_id, detail, client_id, at, key_id, values_id, values_enc)
  ON audit TO gateway_staff, gateway_analyst, gateway_system;
CREATE POLICY own ON audit AS RESTRICTIVE FOR INSERT TO gateway_staff, gateway_analyst
  WITH CHECK (staff_id = nullif(current_setting('gateway.actor', true), '')::uuid);

-- Who works here and who is on call: the system writes it, for an administrator or a lead. Staff say whether they are on duty,
-- for themselves, and a lead for the others.
REVOKE INSERT, UPDATE ON staff FROM gateway_staff;
GRANT UPDATE (on_duty) ON staff TO gateway_staff;
CREATE POLICY duty ON staff AS RESTRICTIVE FOR UPDATE TO gateway_staff
  USING (id = nullif(current_setting('gateway.actor', true), '')::uuid OR (SELECT own_role()) IN ('supervisor', 'administrator'));
REVOKE INSERT, UPDATE, DELETE ON on_call FROM gateway_staff;

-- Holidays and new services are a lead's to write, and texts a lead's to propose and an administrator's to approve.
CREATE POLICY lead ON holidays AS RESTRICTIVE FOR INSERT TO gateway_staff WITH CHECK ((SELECT own_role()) IN ('supervisor', 'administrator'));
CREATE POLICY lead_changes ON holidays AS RESTRICTIVE FOR UPDATE TO gateway_staff USING ((SELECT own_role()) IN ('supervisor', 'administrator'));
CREATE POLICY lead ON services AS RESTRICTIVE FOR INSERT TO gateway_staff WITH CHECK ((SELECT own_role()) IN ('supervisor', 'administrator'));
CREATE POLICY lead ON text_changes AS RESTRICTIVE FOR INSERT TO gateway_staff WITH CHECK ((SELECT own_role()) IN ('supervisor', 'administrator'));
CREATE POLICY lead_decides ON text_changes AS RESTRICTIVE FOR UPDATE TO gateway_staff USING ((SELECT own_role()) IN ('supervisor', 'administrator'));

-- Whether a phone wants no texts is known to all who type it in. Staff add a stop for people they see, and take none away:
-- that is for the system, on the client's own word.
ALTER TABLE stops ENABLE ROW LEVEL SECURITY; ALTER TABLE stops FORCE ROW LEVEL SECURITY;
REVOKE DELETE ON stops FROM gateway_staff;
CREATE POLICY system ON stops TO gateway_system USING (true);
CREATE POLICY known ON stops FOR SELECT TO gateway_staff USING (true);
CREATE POLICY added ON stops FOR INSERT TO gateway_staff
  WITH CHECK (reason = 'stop' AND EXISTS (SELECT FROM phones p WHERE p.phone_hash = stops.phone_hash));
CREATE POLICY graver ON stops FOR UPDATE TO gateway_staff
  USING (EXISTS (SELECT FROM phones p WHERE p.phone_hash = stops.phone_hash)) WITH CHECK (reason = 'stop');

-- An analyst opens no flag, and who is not active is told of none: they stand in no list of those who are called.
ALTER TABLE staff NO FORCE ROW LEVEL SECURITY; ALTER TABLE on_call NO FORCE ROW LEVEL SECURITY;  -- the policies bind the owner too
DELETE FROM on_call o USING staff s WHERE s.id = o.staff_id AND (s.role = 'analyst' OR NOT s.active);
ALTER TABLE staff FORCE ROW LEVEL SECURITY; ALTER TABLE on_call FORCE ROW LEVEL SECURITY;
