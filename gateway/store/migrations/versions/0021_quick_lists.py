"""Which groups the clients of a unit are in, and the trail by what was done: lists that read no more than they show."""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"

SQL = Path(__file__).parents[1] / "sql"

RIGHTS = """
  ALTER TABLE unit_groups ENABLE ROW LEVEL SECURITY; ALTER TABLE unit_groups FORCE ROW LEVEL SECURITY;
  GRANT SELECT, INSERT ON unit_groups TO gateway_system, gateway_staff;
  GRANT DELETE ON unit_groups TO gateway_system;
  CREATE POLICY system ON unit_groups TO gateway_system USING (true);
  CREATE POLICY staff ON unit_groups TO gateway_staff USING (unit_id IN (SELECT own_units()));
"""


def upgrade() -> None:
    """Make the table from the clients there are, of which staff see what their units have; and the index."""
    op.execute((SQL / "0021_quick_lists.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Drop the table: the clients themselves say what groups they are in."""
    op.execute("DROP INDEX audit_action")
    op.execute("DROP TRIGGER unit_groups_added ON clients; DROP TRIGGER unit_groups_changed ON clients")
    op.execute("DROP FUNCTION unit_groups_of_many, unit_groups_of_one; DROP TABLE unit_groups")
