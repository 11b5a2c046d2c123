"""On-call lists, and the steps of alerting about urgent flags."""

from pathlib import Path

from alembic import op

revision = "0008"
down_revision = "0007"

SQL = Path(__file__).parents[1] / "sql"

OF_THEIR_UNITS = """unit_id IN (
  SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid)"""


def rights() -> str:
    """The system sees all rows; staff change the lists of their units, and read the steps of flags they see."""
    lines = []
    for table in ("on_call", "alert_steps"):
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
        ]
    lines += [
        "GRANT SELECT, INSERT, UPDATE, DELETE ON on_call TO gateway_staff;",
        f"CREATE POLICY staff ON on_call TO gateway_staff USING ({OF_THEIR_UNITS});",
        "GRANT SELECT ON alert_steps TO gateway_staff;",
        "CREATE POLICY staff ON alert_steps TO gateway_staff USING (EXISTS (SELECT FROM flags WHERE flags.id = alert_steps.flag_id));",
    ]
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    op.execute((SQL / "0008_escalation.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would forget who is to be told."""
    raise NotImplementedError("0008 has no way back; restore a backup instead")
