"""The pages about people: what staff write on flags and about clients, and registers that come in from the pages."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"

SQL = Path(__file__).parents[1] / "sql"

_OWN = "SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid"


def rights() -> str:
    """The system reads and writes all; staff those of their units. Nobody but the system deletes."""
    lines = []
    for table in ("notes", "imports", "import_rows"):
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"GRANT SELECT, INSERT, UPDATE ON {table} TO gateway_staff;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"CREATE POLICY staff ON {table} TO gateway_staff USING (unit_id IN ({_OWN}));",
        ]
    lines.append("CREATE POLICY reviewer ON import_rows AS RESTRICTIVE TO gateway_reviewer USING (EXISTS (SELECT FROM flags f WHERE f.client_id = import_rows.client_id));")
    flagged = "EXISTS (SELECT FROM flags f WHERE f.client_id = notes.client_id OR f.id = notes.flag_id)"
    lines.append(f"CREATE POLICY reviewer ON notes AS RESTRICTIVE TO gateway_reviewer USING ({flagged});")
    return "\n".join(lines)


def upgrade() -> None:
    """Make the columns and tables, and say who may do what."""
    op.execute((SQL / "0013_people_pages.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would drop what staff wrote."""
    raise NotImplementedError("0013 has no way back; restore a backup instead")
