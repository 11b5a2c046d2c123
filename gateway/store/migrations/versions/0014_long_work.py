"""Rehearsals that the clock works out, counts of campaigns, and what the pages of large provinces are found by."""

from pathlib import Path

from alembic import op

revision = "0014"
down_revision = "0013"

SQL = Path(__file__).parents[1] / "sql"

OF_THEIR_UNITS = "unit_id IN (SELECT own_units())"

# PostgreSQL counts what a policy's sub-select costs once for each row that a join looks up, though it runs once: two hundred
# look-ups by index seemed dearer than going through a whole table. A function says itself what it costs.
OWN_UNITS = f"""
CREATE FUNCTION own_units() RETURNS SETOF uuid STABLE PARALLEL SAFE LANGUAGE sql COST 1 ROWS 100 AS $$
  SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid $$;
DO $$ DECLARE p record; BEGIN
  FOR p IN SELECT tablename, policyname FROM pg_policies WHERE schemaname = 'public' AND with_check IS NULL
    AND regexp_replace(qual, '[[:space:]]+', ' ', 'g') =
      '(unit_id IN ( SELECT staff_units.unit_id FROM staff_units WHERE (staff_units.staff_id = '
      '(NULLIF(current_setting(''gateway.actor''::text, true), ''''::text))::uuid)))'
  LOOP EXECUTE format('ALTER POLICY %I ON %I USING ({OF_THEIR_UNITS})', p.policyname, p.tablename); END LOOP;
END $$;
"""


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
    lines.append("GRANT SELECT, UPDATE ON campaign_counts TO gateway_staff; GRANT SELECT, INSERT, UPDATE ON rehearsals TO gateway_staff;")
    return "\n".join(lines)


def upgrade() -> None:
    """Make the function and tables, and say who may do what."""
    op.execute(OWN_UNITS)
    op.execute((SQL / "0014_long_work.sql").read_text())
    op.execute(rights())


def downgrade() -> None:
    """Refused, like the way back of the migrations before."""
    raise NotImplementedError("0014 has no way back; restore a backup instead")
