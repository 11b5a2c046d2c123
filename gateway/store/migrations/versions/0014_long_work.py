"""Rehearsals that the clock works out, counts of campaigns, and what the pages of large provinces are found by."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"

SQL = Path(__file__).parents[1] / "sql"

ACTOR = "nullif(current_setting('gateway.actor', true), '')::uuid"
OF_THEIR_UNITS = f"unit_id IN (SELECT unit_id FROM staff_units WHERE staff_id = {ACTOR})"


def rights() -> str:
    """Staff see what is of their units; the system alone counts."""
    lines = []
    for table in ("rehearsals", "campaign_counts"):
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"CREATE POLICY staff ON {table} TO gateway_staff USING ({OF_THEIR_UNITS});",
        ]
    lines.append("GRANT SELECT, UPDATE (look_at) ON campaign_counts TO gateway_staff; GRANT SELECT, INSERT, UPDATE ON rehearsals TO gateway_staff;")
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    op.execute((SQL / "0014_long_work.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Not worth a way back: both tables are made of others."""
    op.execute("DROP TABLE rehearsals, campaign_counts; DROP INDEX outbound_refused, phones_to_verify")
