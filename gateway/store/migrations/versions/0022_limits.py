"""The longest text and the alphabet of a channel, beside what it reaches and costs; how many reports come by it."""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Add the columns; the clock writes them for channels that there are."""
    op.execute((SQL / "0022_limits.sql").read_text())


def downgrade() -> None:
    """Drop the columns: what they hold follows from the settings, and from what comes."""
    op.execute("ALTER TABLE channels DROP longest, DROP gsm_only; ALTER TABLE channel_minutes DROP reported")
