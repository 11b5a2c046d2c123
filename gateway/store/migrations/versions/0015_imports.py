"""Imports of appointments and services, kept and undone as those of clients are; looks at carriers that go on where they stopped."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0014"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Make the columns. The policies stay as they are."""
    for part in ("imports", "backfill"):
        op.execute((SQL / f"0015_{part}.sql").read_text())


def downgrade() -> None:
    """Refused: going back would drop what could still be undone."""
    raise NotImplementedError("0015 has no way back; restore a backup instead")
