"""What was forgotten stays known by a hash: menus dialled, parts of long texts."""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"

SQL = Path(__file__).parents[1] / "sql"
RIGHTS = """
  ALTER TABLE forgotten ENABLE ROW LEVEL SECURITY; ALTER TABLE forgotten FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT ON forgotten TO gateway_system;
  CREATE POLICY system ON forgotten TO gateway_system USING (true);
"""


def upgrade() -> None:
    """Make the table; the system alone reads it and adds to it."""
    op.execute((SQL / "0023_forgotten.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Refused: going back would let a carrier's old post act a second time."""
    raise NotImplementedError("0023 has no way back; restore a backup instead")
