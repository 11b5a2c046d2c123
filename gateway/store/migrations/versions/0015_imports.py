"""Imports of appointments and services, kept and undone as those of clients are."""

from pathlib import Path

from alembic import op

revision = "0015"
down_revision = "0013"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Say of each import what it holds. The policies stay as they are."""
    op.execute((SQL / "0015_imports.sql").read_text())


def downgrade() -> None:
    """Refused: going back would drop what could still be undone."""
    raise NotImplementedError("0015 has no way back; restore a backup instead")
