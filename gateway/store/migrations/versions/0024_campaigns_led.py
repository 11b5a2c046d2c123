"""Campaigns are made in one's own name, and started by a lead: the database says so too."""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Guard campaigns, their steps and approvals."""
    op.execute((SQL / "0024_campaigns_led.sql").read_text())


def downgrade() -> None:
    """Refused: going back would give rights that nobody needs."""
    raise NotImplementedError("0024 has no way back; restore a backup instead")
