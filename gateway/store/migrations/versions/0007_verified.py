"""When a phone was last known to be its client's."""

from pathlib import Path

from alembic import op

revision = "0007"
down_revision = "0006"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Add the column; the table's policies hold for it."""
    op.execute((SQL / "0007_verified.sql").read_text())


def downgrade() -> None:
    """Drop the column."""
    op.execute("ALTER TABLE phones DROP verified_at")
