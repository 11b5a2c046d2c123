"""The rights of staff narrowed to what their role writes: the trail, staff, on call, holidays, services, texts and stops."""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"

SQL = Path(__file__).parents[1] / "sql"


def upgrade() -> None:
    """Say who may write what."""
    op.execute((SQL / "0018_guards.sql").read_text())


def downgrade() -> None:
    """Refused: going back would give rights that nobody needs."""
    raise NotImplementedError("0018 has no way back; restore a backup instead")
