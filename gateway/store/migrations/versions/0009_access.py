"""Access to the pages: passwords, second factors, signed-in browsers; and what reviewers and analysts see, as roles of the database.

A reviewer sees the persons who were flagged, an analyst figures and no persons: whatever a query forgets, and whatever the
program believes about its own rights.
"""

from pathlib import Path

from alembic import op
from sqlalchemy import text

revision = "0009"
down_revision = "0005"

SQL = Path(__file__).parents[1] / "sql"
SECRETS = ("credentials", "recovery_codes", "invitations", "logins", "login_tries")

ROLES = """
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_reviewer') THEN CREATE ROLE gateway_reviewer NOLOGIN; END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'gateway_analyst') THEN CREATE ROLE gateway_analyst NOLOGIN; END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;  -- another database of this server made them just now
END $$;
GRANT gateway_staff TO gateway_reviewer;
GRANT USAGE ON SCHEMA public TO gateway_analyst;
"""

OF_THEIR_UNITS = "unit_id IN (SELECT unit_id FROM staff_units WHERE staff_id = nullif(current_setting('gateway.actor', true), '')::uuid)"

# Every table with a client in it that staff see. What an unknown phone wrote, and what we answered, are flagged by the text.
PERSONS = text("""
  SELECT c.relname AS name, c.relname IN ('inbound', 'outbound') AS texts FROM pg_class c
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'client_id' AND NOT a.attisdropped
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND c.relname <> 'flags'
    AND has_table_privilege('gateway_staff', c.oid, 'SELECT') ORDER BY 1""")
FLAGGED = "EXISTS (SELECT FROM flags f WHERE f.client_id = {client})"
THE_TEXT = {"inbound": "inbound.id", "outbound": "outbound.inbound_id"}

# What an analyst counts by. No id, code, name, phone or text of a client is among it, and of staff the code alone.
FIGURES = {
    "staff": "id, unit_id, code, role, active",
    "clients": "unit_id, language, status, created_at",
    "consents": "unit_id, purpose, granted, changed_at",
    "consent_history": "unit_id, purpose, granted, changed_at",
    "appointments": "unit_id, starts_at, status, answer, answered_at, created_at",
    "occurrences": "unit_id, campaign_id, step_id, due_at, state, reason",
    "outbound": "unit_id, channel_id, campaign_id, purpose, language, lane, expects, answered_at, send_after, encoding, segments, state, reason, code, "
                "created_at, state_at",
    "inbound": "unit_id, channel_id, received_at, late, handled_at, meaning",
    "answers": "unit_id, answered_at",
    "flags": "unit_id, reason, severity, state, opened_at, due_at, closed_at, outcome",
    "campaigns": "id, unit_id, name, kind, consent_purpose, spec, state, state_reason, created_at, started_at",
    "channels": "id, unit_id, name, kind, state",
}  # fmt: skip
# Nothing of a person in them.
PLAIN = ("units", "unit_tree", "staff_units", "templates", "dialogues", "switches", "campaign_steps", "services", "service_units", "holidays")
OPEN = {"units", "unit_tree", "staff_units", "templates", "dialogues", "switches", "channels"}


def secrets() -> str:
    """The system alone reads and writes what proves who somebody is; no policy lets staff see a row."""
    lines = []
    for table in SECRETS:
        lines += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY;",
            f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO gateway_system;",
            f"CREATE POLICY system ON {table} TO gateway_system USING (true);",
        ]
    return "\n".join(lines)


def reviewers(persons: list[tuple[str, bool]]) -> str:
    """A reviewer has the rights of staff, narrowed to the persons and texts that have a flag in their units."""
    lines = [f"CREATE POLICY reviewer ON clients AS RESTRICTIVE TO gateway_reviewer USING ({FLAGGED.format(client='clients.id')});"]
    for table, texts in persons:
        seen = FLAGGED.format(client=f"{table}.client_id")
        if texts:
            seen += f" OR EXISTS (SELECT FROM flags f WHERE f.inbound_id = {THE_TEXT[table]})"
        lines.append(f"CREATE POLICY reviewer ON {table} AS RESTRICTIVE TO gateway_reviewer USING ({seen});")
    return "\n".join(lines)


def analysts() -> str:
    """An analyst reads figures of their units, and leaves a line in the audit trail."""
    lines = ["GRANT INSERT ON audit TO gateway_analyst;", f"CREATE POLICY analyst ON audit FOR INSERT TO gateway_analyst WITH CHECK ({OF_THEIR_UNITS});"]
    for table, columns in FIGURES.items():
        lines.append(f"GRANT SELECT ({columns}) ON {table} TO gateway_analyst;")
    lines.append(f"GRANT SELECT ON {', '.join(PLAIN)} TO gateway_analyst;")
    for table in sorted({*FIGURES, *PLAIN} - OPEN):
        lines.append(f"CREATE POLICY analyst ON {table} FOR SELECT TO gateway_analyst USING ({OF_THEIR_UNITS});")
    return "\n".join(lines)


def upgrade() -> None:
    """Make the tables and roles, and say who may do what."""
    op.execute((SQL / "0009_access.sql").read_text())
    op.execute(ROLES)
    op.execute(secrets())
    op.execute(reviewers([(row.name, row.texts) for row in op.get_bind().execute(PERSONS)]))
    op.execute(analysts())
    if login := op.get_context().opts.get("login_role"):
        op.execute(f'GRANT gateway_reviewer, gateway_analyst TO "{login}"')


def downgrade() -> None:
    """Refused: going back would let nobody in."""
    raise NotImplementedError("0009 has no way back; restore a backup instead")
