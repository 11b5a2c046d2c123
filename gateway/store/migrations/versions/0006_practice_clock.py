"""The clock of a gateway for practice."""

from pathlib import Path

from alembic import op

revision = "0006"
down_revision = "0005"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Make the table."""
    op.execute((SQL / "0006_practice_clock.sql").read_text())


def downgrade() -> None:
    """Refused: going back would turn time back."""
    raise NotImplementedError("0006 has no way back; restore a backup instead")
