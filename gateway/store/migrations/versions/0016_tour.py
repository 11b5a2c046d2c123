"""Who is on the guided tour."""

from pathlib import Path

from alembic import op

revision = "0016"
down_revision = "0015"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Add the column."""
    op.execute((SQL / "0016_tour.sql").read_text())


def downgrade() -> None:
    """Take the column away: it says nothing that is lost."""
    op.execute("ALTER TABLE staff DROP COLUMN on_tour")
