"""Campaigns in the making, approvals asked for, changed texts, and sending again what a carrier refused."""

from pathlib import Path

from alembic import op

revision = "0012"
down_revision = "0011"

SQL = Path(__file__).parents[1] / "sql"

ACTOR = "nullif(current_setting('gateway.actor', true), '')::uuid"
OF_THEIR_UNITS = f"unit_id IN (SELECT unit_id FROM staff_units WHERE staff_id = {ACTOR})"


def rights() -> str:
    """Staff see drafts and approvals of their units. Texts are everybody's to read; nobody approves a change of their own."""
    lines = []
    for table in ("campaign_drafts", "approvals", "text_changes"):
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"GRANT SELECT, INSERT, UPDATE ON {table} TO gateway_staff;",
        ]
    for table in ("campaign_drafts", "approvals"):
        lines.append(f"CREATE POLICY staff ON {table} TO gateway_staff USING ({OF_THEIR_UNITS});")
    lines.append("GRANT DELETE ON campaign_drafts, campaign_steps TO gateway_staff;")
    lines.append("GRANT SELECT (created_by, approved_by) ON campaigns TO gateway_analyst;")
    lines += [
        "CREATE POLICY known ON text_changes FOR SELECT TO gateway_staff USING (true);",
        f"CREATE POLICY made ON text_changes FOR INSERT TO gateway_staff WITH CHECK (made_by = {ACTOR} AND decision IS NULL AND {OF_THEIR_UNITS});",
        f"""CREATE POLICY decided ON text_changes FOR UPDATE TO gateway_staff USING (decision IS NULL)
            WITH CHECK (decided_by = {ACTOR} AND (made_by <> {ACTOR} OR decision = 'refused'));""",
    ]
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables, and say who may do what."""
    op.execute((SQL / "0012_work.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused: going back would forget which texts were approved."""
    raise NotImplementedError("0012 has no way back; restore a backup instead")
