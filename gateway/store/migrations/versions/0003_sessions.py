"""Sessions of dialogues with their answers, the dialogues' own texts by version, and scores that staff enter."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"

SQL = Path(__file__).parents[1] / "sql"
BY_UNIT = ("sessions", "session_answers", "scores")


def rights() -> str:
    """As in 0001: the system sees all rows, staff those of their units; a dialogue's texts are everyone's to read."""
    lines = []
    for table in BY_UNIT:
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"GRANT SELECT, INSERT, UPDATE ON {table} TO gateway_staff;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"""CREATE POLICY staff ON {table} TO gateway_staff USING (unit_id IN (
              SELECT unit_id FROM staff_units
              WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid));""",
        ]
    lines.append("GRANT SELECT, INSERT, UPDATE, DELETE ON dialogues TO gateway_system; GRANT SELECT ON dialogues TO gateway_staff;")
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables."""
    op.execute((SQL / "0003_sessions.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would drop what clients said."""
    raise NotImplementedError("0003 has no way back; restore a backup instead")
