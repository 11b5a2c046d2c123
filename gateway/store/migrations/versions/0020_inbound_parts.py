"""Parts of long texts that carriers bring one by one."""

from pathlib import Path

from alembic import op

revision = "0020"
down_revision = "0019"

SQL = Path(__file__).parents[1] / "sql"

RIGHTS = """
  ALTER TABLE inbound_parts ENABLE ROW LEVEL SECURITY; ALTER TABLE inbound_parts FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON inbound_parts TO gateway_system;
  CREATE POLICY system ON inbound_parts TO gateway_system USING (true);
"""


def upgrade() -> None:
    """Make the table; nobody but the system has it, staff read the text that it makes."""
    op.execute((SQL / "0020_inbound_parts.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Take the table away: what came in is in `inbound` too."""
    op.execute("DROP TABLE inbound_parts")
