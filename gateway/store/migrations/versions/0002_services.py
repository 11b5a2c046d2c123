"""The service directory, missed calls, and channels on which a reply costs the client money."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"

SQL = Path(__file__).parents[1] / "sql"

# Staff change what their units keep. They also see what serves a unit above theirs, since it serves their clients.
_OWN = "SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid"
_OWN_AND_ABOVE = f"SELECT t.ancestor_id FROM unit_tree t WHERE t.unit_id IN ({_OWN})"
RIGHTS = f"""
  ALTER TABLE services ENABLE ROW LEVEL SECURITY; ALTER TABLE services FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON services TO gateway_system;
  GRANT SELECT, INSERT, UPDATE ON services TO gateway_staff;
  CREATE POLICY system ON services TO gateway_system USING (true);
  CREATE POLICY staff ON services TO gateway_staff USING (unit_id IN ({_OWN}));
  CREATE POLICY served ON services FOR SELECT TO gateway_staff USING (
    id IN (SELECT service_id FROM service_units WHERE unit_id IN ({_OWN_AND_ABOVE})));

  ALTER TABLE service_units ENABLE ROW LEVEL SECURITY; ALTER TABLE service_units FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON service_units TO gateway_system;
  GRANT SELECT, INSERT, UPDATE, DELETE ON service_units TO gateway_staff;
  CREATE POLICY system ON service_units TO gateway_system USING (true);
  CREATE POLICY staff ON service_units TO gateway_staff USING (unit_id IN ({_OWN}));
  CREATE POLICY served ON service_units FOR SELECT TO gateway_staff USING (unit_id IN ({_OWN_AND_ABOVE}));
"""


def upgrade() -> None:
    """Make the tables and say who sees which rows."""
    op.execute((SQL / "0002_services.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Refused: going back would drop what staff wrote."""
    raise NotImplementedError("0002 has no way back; restore a backup instead")
