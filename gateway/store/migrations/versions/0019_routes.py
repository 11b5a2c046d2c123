"""Rules for which channel carries which texts, and how well each channel works."""

from pathlib import Path

from alembic import op

revision = "0019"
down_revision = "0018"

SQL = Path(__file__).parents[1] / "sql"

# No personal rows: staff read the rules, as they read the channels, to see by which one a text would leave.
RIGHTS = """
  ALTER TABLE routes ENABLE ROW LEVEL SECURITY; ALTER TABLE routes FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON routes TO gateway_system; GRANT SELECT ON routes TO gateway_staff;
  CREATE POLICY system ON routes TO gateway_system USING (true);
  CREATE POLICY staff ON routes FOR SELECT TO gateway_staff USING (true);
  ALTER TABLE channel_minutes ENABLE ROW LEVEL SECURITY; ALTER TABLE channel_minutes FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT, UPDATE, DELETE ON channel_minutes TO gateway_system;
  CREATE POLICY system ON channel_minutes TO gateway_system USING (true);
"""


def upgrade() -> None:
    """Add the columns and tables, and say who may do what."""
    op.execute((SQL / "0019_routes.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Refused: going back would forget where texts may not go."""
    raise NotImplementedError("0019 has no way back; restore a backup instead")
