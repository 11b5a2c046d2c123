"""Clients as a file, which the clock writes."""

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


def upgrade() -> None:
    """Make the table; whoever asked sees their own row, a colleague does not."""
    op.execute((SQL / "0017_exports.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop it: what it holds is gone within the hour anyway."""
    op.execute("DELETE FROM keys WHERE id IN (SELECT key_id FROM exports); DROP TABLE exports")
