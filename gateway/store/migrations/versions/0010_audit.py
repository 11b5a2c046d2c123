"""The audit trail: values under the client's key, and seals over its rows."""

from pathlib import Path

from alembic import op

revision = "0010"
down_revision = "0009"

SQL = Path(__file__).parents[1] / "sql"

# Of a row in the trail the system may set one thing once: its number. Of a seal nobody may change anything.
RIGHTS = """
  GRANT UPDATE (number) ON audit TO gateway_system;
  CREATE POLICY sealed_once ON audit AS RESTRICTIVE FOR UPDATE TO gateway_system USING (number IS NULL) WITH CHECK (number IS NOT NULL);
  ALTER TABLE audit_seals ENABLE ROW LEVEL SECURITY; ALTER TABLE audit_seals FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT ON audit_seals TO gateway_system;
  CREATE POLICY system ON audit_seals TO gateway_system USING (true);
"""


def upgrade() -> None:
    """Make the columns and the table, and say who may do what."""
    op.execute((SQL / "0010_audit.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Refused: going back would forget what was sealed."""
    raise NotImplementedError("0010 has no way back; restore a backup instead")
