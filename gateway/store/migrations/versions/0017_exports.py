"""Clients as a file, which the clock writes; what a reviewer may see is looked for in their own units first."""

from pathlib import Path

from alembic import op

revision = "0017"
down_revision = "0016"

SQL = Path(__file__).parents[1] / "sql"

RIGHTS = """
ALTER TABLE exports ENABLE ROW LEVEL SECURITY; ALTER TABLE exports FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, UPDATE, DELETE ON exports TO gateway_system;
GRANT SELECT, INSERT, UPDATE ON exports TO gateway_staff;
CREATE POLICY system ON exports TO gateway_system USING (true);
CREATE POLICY staff ON exports TO gateway_staff
  USING (staff_id = nullif(current_setting('gateway.actor', true), '')::uuid AND unit_id IN (SELECT own_units()));
"""

# Restrictive policies are asked before the others: of each client of a province, whether they were flagged, and only then whether
# their unit is the reviewer's.
UNITS_FIRST = """
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT tablename, qual FROM pg_policies WHERE schemaname = 'public' AND policyname = 'reviewer'
  LOOP EXECUTE format('ALTER POLICY reviewer ON %I USING (unit_id IN (SELECT own_units()) AND (%s))', p.tablename, p.qual); END LOOP;
END $$;
"""


def upgrade() -> None:
    """Make the table; whoever asked sees their own row, a colleague does not. Narrow the policies of reviewers."""
    op.execute((SQL / "0017_exports.sql").read_text())
    op.execute(RIGHTS)
    op.execute(UNITS_FIRST)


def downgrade() -> None:
    """Drop the table: what it holds is gone within the hour anyway. The policies let the same be seen as before."""
    op.execute("DELETE FROM keys WHERE id IN (SELECT key_id FROM exports)")
    op.execute("DROP TABLE exports")
