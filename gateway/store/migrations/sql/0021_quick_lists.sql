-- Which groups clients of a unit are or were in: where to look for a name, so that a list of the names reads no clients. A name stays
-- for a while when the last client leaves: whoever lists names asks for a client of it.
CREATE TABLE unit_groups (
  unit_id uuid NOT NULL REFERENCES units,
  name text NOT NULL,
  PRIMARY KEY (name, unit_id)
);

CREATE FUNCTION unit_groups_of_many() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unit_groups (unit_id, name) SELECT DISTINCT unit_id, unnest(groups) FROM added ORDER BY 1, 2 ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
CREATE FUNCTION unit_groups_of_one() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO unit_groups (unit_id, name) SELECT NEW.unit_id, unnest(NEW.groups) ORDER BY 2 ON CONFLICT DO NOTHING;
  RETURN NULL;
END $$;
-- A register brings thousands of clients in a statement; changed are few, and nearly always in other columns.
CREATE TRIGGER unit_groups_added AFTER INSERT ON clients REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION unit_groups_of_many();
CREATE TRIGGER unit_groups_changed AFTER UPDATE OF groups, unit_id ON clients FOR EACH ROW
  WHEN ((NEW.groups, NEW.unit_id) IS DISTINCT FROM (OLD.groups, OLD.unit_id)) EXECUTE FUNCTION unit_groups_of_one();

ALTER TABLE clients NO FORCE ROW LEVEL SECURITY;  -- the policies bind the owner too
INSERT INTO unit_groups (unit_id, name) SELECT DISTINCT unit_id, unnest(groups) FROM clients;
ALTER TABLE clients FORCE ROW LEVEL SECURITY;

CREATE INDEX audit_action ON audit (action, id);
