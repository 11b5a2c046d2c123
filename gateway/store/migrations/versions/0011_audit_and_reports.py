"""The audit trail's values under the client's key, and seals over its rows; counts that reports are made of."""

from pathlib import Path

from alembic import op

revision = "0011"
down_revision = "0010"

SQL = Path(__file__).parents[1] / "sql"

# Of a row in the trail the system may set one thing once: its number. Of a seal nobody may change anything.
# A reviewer reads of flagged persons alone, here too.
# Counts hold small groups in the clear, so the system alone reads them, and shows what may be shown.
RIGHTS = """
  GRANT UPDATE (number) ON audit TO gateway_system;
  CREATE POLICY sealed_once ON audit AS RESTRICTIVE FOR UPDATE TO gateway_system USING (number IS NULL) WITH CHECK (number IS NOT NULL);
  CREATE POLICY reviewer ON audit AS RESTRICTIVE FOR SELECT TO gateway_reviewer
    USING (client_id IS NULL OR EXISTS (SELECT FROM flags f WHERE f.client_id = audit.client_id));
  ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY; ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT ON audit_seals TO gateway_system;
  CREATE POLICY system ON audit_seals TO gateway_system USING (true);

  ALTER TABLE report_counts ENABLE ROW LEVEL SECURITY; ALTER TABLE report_counts FORCE ROW LEVEL SECURITY;
  ALTER TABLE report_periods ENABLE ROW LEVEL SECURITY; ALTER TABLE report_periods FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON report_counts, report_periods TO gateway_system;
  CREATE POLICY system ON report_counts TO gateway_system USING (true);
  CREATE POLICY system ON report_periods TO gateway_system USING (true);
"""


def upgrade() -> None:
    """Make the columns and the tables, and say who may do what."""
    for part in ("audit", "reports"):
        op.execute((SQL / f"0011_{part}.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Refused: going back would forget what was sealed."""
    raise NotImplementedError("0011 has no way back; restore a backup instead")
