"""Only staff of the unit that keeps a service say whom it serves; a client's own cap."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0008"

SQL = Path(__file__).parents[1] / "sql"

_OWN = "SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid"
RIGHTS = f"""
  DROP POLICY staff ON service_units;
  CREATE POLICY staff ON service_units TO gateway_staff USING (unit_id IN ({_OWN}) AND kept_by IN ({_OWN}));
"""


def upgrade() -> None:
    """Change the tables, and say who writes whom a service serves."""
    op.execute((SQL / "0009_keepers.sql").read_text())
    op.execute(RIGHTS)


def downgrade() -> None:
    """Refused: going back would forget who wants fewer texts."""
    raise NotImplementedError("0009 has no way back; restore a backup instead")
