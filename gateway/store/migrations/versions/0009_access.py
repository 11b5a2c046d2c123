"""Access to the pages: passwords, second factors, signed-in browsers."""

from pathlib import Path

from alembic import op

revision = "0009"
down_revision = "0005"

SQL = Path(__file__).parents[1] / "sql"
TABLES = ("credentials", "recovery_codes", "invitations", "logins", "login_tries")


def rights() -> str:
    """The system alone reads and writes them; staff have no rights, and no policy lets them see a row."""
    lines = []
    for table in TABLES:
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
        ]
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    op.execute((SQL / "0009_access.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would let nobody in."""
    raise NotImplementedError("0009 has no way back; restore a backup instead")
