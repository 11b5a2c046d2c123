"""Recurring campaigns, programmes, holidays and caps."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"

SQL = Path(__file__).parents[1] / "sql"

OF_THEIR_UNITS = """unit_id IN (
  SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid)"""


def rights() -> str:
    """The system sees all rows, staff those of their units. Holidays of units above theirs staff read, but do not change."""
    lines = []
    for table in ("holidays", "client_dates", "enrolments"):
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"GRANT SELECT, INSERT, UPDATE ON {table} TO gateway_staff;",
            f"CREATE POLICY staff ON {table} TO gateway_staff USING ({OF_THEIR_UNITS});",
        ]
    lines.append("GRANT DELETE ON client_dates TO gateway_staff;")
    lines.append("CREATE POLICY known ON holidays FOR SELECT TO gateway_staff USING (true);")
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    op.execute((SQL / "0004_schedules.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would forget who is in a programme."""
    raise NotImplementedError("0004 has no way back; restore a backup instead")
