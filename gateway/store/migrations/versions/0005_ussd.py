"""Menus by USSD: sessions and PINs."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"

SQL = Path(__file__).parents[1] / "sql"


def rights() -> str:
    """The system alone reads and writes them; staff have no rights, and no policy lets them see a row."""
    lines = []
    for table in ("ussd_sessions", "ussd_pins"):
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
        ]
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    op.execute((SQL / "0005_ussd.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would forget which PINs are locked."""
    raise NotImplementedError("0005 has no way back; restore a backup instead")
