"""The first schema: units, people, words out, words in, and who may see which rows.

The schema is written as SQL, in the files beside this one, because row-level security, partial indexes and triggers are its heart
(docs/decisions/0002-the-schema-is-sql.md). Every table of personal rows carries `unit_id`; what a staff member may
see is decided by one policy over `staff_units`, whatever the query forgets.
"""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None

SQL = Path(__file__).parents[1] / "sql"

ROLES = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_staff') THEN CREATE ROLE gateway_staff NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_system') THEN CREATE ROLE gateway_system NOLOGIN; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server made them just now
END $$;
"""

BY_UNIT = (
    "keys", "staff", "clients", "phones", "client_words", "consents", "consent_history", "appointments", "campaigns",
    "campaign_steps", "occurrences", "outbound", "inbound", "answers", "flags", "audit",
)  # fmt: skip
# No personal rows, or readable only with a key that has a policy of its own.
EVERYONES = ("units", "unit_tree", "staff_units", "templates", "channels", "switches", "stops", "reports",
             "handset_texts", "heartbeats")


def rights() -> str:
    """Grants and policies: the system sees all rows, staff those of their units; nobody deletes but the system."""
    lines = ["GRANT USAGE ON SCHEMA public TO gateway_staff, gateway_system;"]
    for table in BY_UNIT:
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
            f"""CREATE POLICY staff ON {table} TO gateway_staff USING (unit_id IN (
              SELECT unit_id FROM staff_units
              WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid));""",
        ]
        # The audit trail is written and read, never changed.
        verbs = "SELECT, INSERT" if table == "audit" else "SELECT, INSERT, UPDATE"
        lines.append(f"GRANT {verbs} ON {table} TO gateway_staff;")
    lines.append("""
      ALTER TABLE attempts ENABLE ROW LEVEL SECURITY; ALTER TABLE attempts FORCE ROW LEVEL SECURITY;
      GRANT SELECT, INSERT, UPDATE, DELETE ON attempts TO gateway_system; GRANT SELECT ON attempts TO gateway_staff;
      CREATE POLICY system ON attempts TO gateway_system USING (true);
      CREATE POLICY staff ON attempts TO gateway_staff USING (
        EXISTS (SELECT FROM outbound WHERE outbound.id = attempts.outbound_id));""")
    for table in EVERYONES:
        lines.append(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;")
    lines.append("REVOKE UPDATE, DELETE ON audit FROM gateway_system;")
    # Staff reach units, the tree and templates to read; a stop also to write (a client may say it aloud).
    lines.append("GRANT SELECT ON units, unit_tree, staff_units, templates, channels, switches TO gateway_staff;")
    lines.append("GRANT SELECT, INSERT, UPDATE, DELETE ON stops TO gateway_staff;")
    lines.append("GRANT DELETE ON phones, client_words TO gateway_staff;")
    return "\n".join(lines)


def upgrade() -> None:
    """Make everything; roles already there (another database of the same server) are kept."""
    op.execute(ROLES)
    for part in ("people", "words_out", "words_in"):
        op.execute((SQL / f"0001_{part}.sql").read_text())
    op.execute(rights())
    op.execute("GRANT SELECT ON alembic_version TO PUBLIC")
    if login := op.get_context().opts.get("login_role"):
        op.execute(f'GRANT gateway_staff, gateway_system TO "{login}"')


def downgrade() -> None:
    """Refused: going back would drop what clients said."""
    raise NotImplementedError("0001 has no way back; restore a backup instead")
