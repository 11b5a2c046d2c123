"""Law 8: a query that forgets its WHERE still sees nothing of another unit. Read from the catalogue, so no table is forgotten."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from gateway.domain.errors import NotFound
from gateway.domain.escalation import Step
from gateway.store import audit, clients, escalations, flags, services
from gateway.store.base import Actor, Work, unit_of_work
from tests import builders
from tests.builders import World

# No personal rows: the tree, who sees which part of it, channels, whose secrets have a key of their own, and their rules, holidays, changed texts.
EVERYONES = {"unit_tree", "staff_units", "channels", "routes", "holidays", "text_changes"}
# What no member of staff ever reads: where phones are in the menu, and their PINs; counts of small groups; what proves who staff are.
SYSTEMS = {"ussd_sessions", "ussd_pins", "credentials", "recovery_codes", "invitations", "logins", "login_tries", "report_counts", "channel_minutes",
           "forgotten"}  # fmt: skip
# What only whoever asked for it sees.
ONES_OWN = {"exports"}

# Without a unit of their own: seen by whoever sees the text, or the flag, that they are about.
BY_ANOTHER = ("attempts", "alert_steps")


@dataclass(frozen=True, slots=True)
class Two:
    """Two communes that know nothing of each other, each with a row in every table."""

    world: World
    other_unit: UUID
    own_client: UUID
    other_client: UUID
    staff_id: UUID

    @contextmanager
    def as_staff(self) -> Iterator[Work]:
        """A transaction of a staff member of the first."""
        with unit_of_work(self.world.engine, Actor(self.staff_id, self.world.unit_id, "case_worker")) as work:
            yield work


@pytest.fixture
def two(engine, vault, now) -> Two:
    world = builders.world(engine, vault, now)
    other = builders.unit(engine, now, code="P02")
    staff_id = world.staff("+84900000001")
    own, others = _fill(world, world.unit_id), _fill(world, other)
    return Two(world, other, own, others, staff_id)


def _fill(world: World, unit_id: UUID) -> UUID:
    """One row in every table that belongs to a unit."""
    client = world.client(unit_id=unit_id)
    appointment = world.appointment(client, world.now + timedelta(days=2))
    message = world.planned(client)
    inbound, campaign, step, staff = (uuid4() for _ in range(4))
    key = world.value("SELECT key_id FROM clients WHERE id = :id", id=client)
    values = {"unit": unit_id, "client": client, "key": key, "now": world.now, "channel": world.channel_id, "message": message,
              "inbound": inbound, "campaign": campaign, "step": step, "appointment": appointment, "staff": staff}  # fmt: skip
    for sql in (
        "UPDATE clients SET groups = '{sugar}' WHERE id = :client",
        """INSERT INTO staff (id, unit_id, key_id, code, name_enc, role, language)
           VALUES (:staff, :unit, :key, CAST(:staff AS text), '', 'case_worker', 'vi')""",
        """INSERT INTO campaigns (id, unit_id, name, kind, consent_purpose, spec, created_at)
           VALUES (:campaign, :unit, CAST(:campaign AS text), 'one_off', 'reminder', '{}', :now)""",
        """INSERT INTO campaign_steps (id, campaign_id, unit_id, position, purpose, version, timing)
           VALUES (:step, :campaign, :unit, 0, 'check_in', '1', '{}')""",
        """INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, appointment_id, due_at, send_before)
           VALUES (:step, :unit, :campaign, :step, :client, :appointment, :now, :now)""",
        """INSERT INTO client_dates (client_id, unit_id, name, on_date) VALUES (:client, :unit, 'discharge', '2026-01-01')""",
        """INSERT INTO enrolments (campaign_id, client_id, unit_id, day_zero, enrolled_at, look_at)
           VALUES (:campaign, :client, :unit, '2026-01-01', :now, :now)""",
        """INSERT INTO inbound (id, unit_id, channel_id, client_id, key_id, carrier_id, from_enc, from_hash, body_enc, body_hash,
             received_at) VALUES (:inbound, :unit, :channel, :client, :key, CAST(:inbound AS text), '', '', '', '', :now)""",
        """INSERT INTO answers (outbound_id, client_id, unit_id, inbound_id, value, answered_at)
           VALUES (:message, :client, :unit, :inbound, '1', :now)""",
        """INSERT INTO sessions (id, client_id, unit_id, key_id, dialogue, version, consent_purpose, urgency, status, step, state_enc,
             prompt_id, asked_id, asked_at, started_at, changed_at)
           VALUES (:step, :client, :unit, :key, 'x', '1', 'check_in', 5, 'waiting', 'ask', '', :message, :message, :now, :now, :now)""",
        """INSERT INTO session_answers (session_id, step, client_id, unit_id, inbound_id, value_enc, answered_at)
           VALUES (:step, 'ask', :client, :unit, :inbound, '', :now)""",
        """INSERT INTO scores (id, client_id, unit_id, key_id, scale, on_date, value_enc, entered_at)
           VALUES (:step, :client, :unit, :key, 'barc10', :now, '', :now)""",
        """INSERT INTO attempts (id, outbound_id, channel_id, number, started_at) VALUES (:inbound, :message, :channel, 1, :now)""",
        """INSERT INTO services (id, unit_id, code, category, name, short_name, updated_at)
           VALUES (:step, :unit, CAST(:step AS text), 'food', '', '', :now)""",
        "INSERT INTO campaign_drafts (id, unit_id, made_by, content, changed_at) VALUES (:step, :unit, :staff, '{}', :now)",
        "INSERT INTO approvals (campaign_id, unit_id, asked_by, asked_at, of_all) VALUES (:campaign, :unit, :staff, :now, 0)",
        "INSERT INTO rehearsals (campaign_id, unit_id, asked_by, asked_at, days, of_all) VALUES (:campaign, :unit, :staff, :now, 7, 0)",
        "INSERT INTO campaign_counts (campaign_id, unit_id, counted_at, look_at, counts) VALUES (:campaign, :unit, :now, :now, '[]')",
        "INSERT INTO service_units (unit_id, service_id, kept_by) VALUES (:unit, :step, :unit)",
        "INSERT INTO on_call (unit_id, position, staff_id, hours) VALUES (:unit, 1, :staff, '24/7') ON CONFLICT DO NOTHING",
        """INSERT INTO notes (id, unit_id, client_id, key_id, body_enc, written_by, written_at)
           VALUES (:step, :unit, :client, :key, '', :staff, :now)""",
        """INSERT INTO imports (id, unit_id, staff_id, key_id, kind, state, bytes, made_at)
           VALUES (:step, :unit, :staff, :key, 'clients', 'checked', 1, :now)""",
        "INSERT INTO exports (staff_id, unit_id, asked_at, wanted) VALUES (:staff, :unit, :now, '{}')",
        "INSERT INTO import_rows (import_id, row_id, client_id, unit_id) VALUES (:step, :client, :client, :unit)",
    ):  # fmt: skip
        world.run(sql, **{name: value for name, value in values.items() if f":{name}" in sql})
    with unit_of_work(world.engine, now=world.now) as work:
        flag = flags.add(work, unit_id=unit_id, reason="callback", dedupe_key=str(message), client_id=client)
        assert flag is not None
        escalations.put(work, flag.id, 0, [Step("second", world.now)])
        audit.add(work, "client.show", "client", client, unit_id)
    return client


def _tables(world: World) -> list[str]:
    rows = world.rows("""SELECT table_name FROM information_schema.columns
                         WHERE table_schema = 'public' AND column_name = 'unit_id' ORDER BY 1""")
    return [row.table_name for row in rows if row.table_name not in EVERYONES | SYSTEMS | ONES_OWN]


def test_a_query_without_a_where_sees_only_the_own_unit(two: Two) -> None:
    tables = _tables(two.world)
    assert {"clients", "phones", "inbound", "outbound", "flags", "audit", "keys"} <= set(tables)
    with two.as_staff() as work:
        for table in tables:
            seen = {row.unit_id for row in work.all(text(f"SELECT unit_id FROM {table}"))}
            assert seen == {two.world.unit_id}, table
        for table in BY_ANOTHER:
            assert work.value(text(f"SELECT count(*) FROM {table}")) == 1


def test_every_table_with_a_unit_forces_its_policies_on_everybody(two: Two) -> None:
    rows = two.world.rows("SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = ANY(:tables)",
                          tables=[*_tables(two.world), *SYSTEMS, *ONES_OWN, *BY_ANOTHER])  # fmt: skip
    assert [row.relname for row in rows if not (row.relrowsecurity and row.relforcerowsecurity)] == []


@pytest.mark.parametrize("table", sorted(SYSTEMS))
def test_staff_may_not_even_ask_for_what_is_the_systems_alone(two: Two, table: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), two.as_staff() as work:
        work.all(text(f"SELECT 1 FROM {table}"))


@pytest.mark.parametrize("table", sorted(ONES_OWN))
def test_staff_see_what_they_asked_for_and_nothing_that_a_colleague_did(two: Two, table: str) -> None:
    for unit in (two.world.unit_id, two.other_unit):  # the other: where they were before
        two.world.run(f"INSERT INTO {table} (staff_id, unit_id, asked_at, wanted) VALUES (:staff, :unit, now(), '{{}}')", staff=two.staff_id, unit=unit)
    with two.as_staff() as work:
        assert [tuple(row) for row in work.all(text(f"SELECT staff_id, unit_id FROM {table}"))] == [(two.staff_id, two.world.unit_id)]


def test_what_a_reviewer_may_see_is_looked_for_in_their_own_units_first(two: Two) -> None:
    """Else a word that half a province has in its name costs a look at the flags of half a province."""
    rows = two.world.rows("SELECT tablename, qual FROM pg_policies WHERE policyname = 'reviewer'")
    assert len(rows) > 10
    assert [row.tablename for row in rows if not row.qual.startswith("((unit_id IN ( SELECT own_units()")] == []


def test_the_system_sees_both(two: Two) -> None:
    for table in _tables(two.world):
        seen = {row.unit_id for row in two.world.rows(f"SELECT unit_id FROM {table}")}
        assert {two.world.unit_id, two.other_unit} <= seen, table


def test_staff_change_nothing_of_another_unit(two: Two) -> None:
    for table in set(_tables(two.world)) - {"audit", "staff", "on_call", "unit_groups"}:  # which they do not even change in their own
        with two.as_staff() as work:
            changed = work.execute(text(f"UPDATE {table} SET unit_id = unit_id WHERE unit_id = :unit"), {"unit": two.other_unit})
            assert changed.rowcount == 0, table


@pytest.mark.parametrize("table", ["audit", "staff", "on_call"])
def test_staff_do_not_change_these_even_in_their_own_unit(two: Two, table: str) -> None:
    for unit in (two.world.unit_id, two.other_unit):
        with pytest.raises(DBAPIError, match="permission denied"), two.as_staff() as work:
            work.execute(text(f"UPDATE {table} SET unit_id = unit_id WHERE unit_id = :unit"), {"unit": unit})


def test_staff_write_nothing_into_another_unit(two: Two) -> None:
    with pytest.raises(DBAPIError, match="row-level security"), two.as_staff() as work:
        audit.add(work, "client.show", "client", two.other_client, two.other_unit)
    with pytest.raises(DBAPIError, match="row-level security"), two.as_staff() as work:
        clients.move(work, two.own_client, two.other_unit)
    assert two.world.value("SELECT unit_id FROM clients WHERE id = :id", id=two.own_client) == two.world.unit_id


def test_staff_see_what_serves_the_unit_above_theirs_and_change_nothing_of_it(two: Two) -> None:
    below = builders.unit(two.world.engine, two.world.now, code="P01-1", parent_id=two.other_unit)
    with unit_of_work(two.world.engine) as work:
        work.execute(text("UPDATE staff SET unit_id = :unit WHERE id = :id"), {"unit": below, "id": two.staff_id})
        work.execute(text("DELETE FROM staff_units WHERE staff_id = :id"), {"id": two.staff_id})
        work.execute(text("INSERT INTO staff_units VALUES (:id, :unit)"), {"unit": below, "id": two.staff_id})
    with two.as_staff() as work:
        (seen,) = services.list_seen(work)
        assert seen.unit_id == two.other_unit
        assert not services.check(work, seen.service.id, two.world.now.date(), two.staff_id, gone=True)


def test_staff_say_of_no_others_service_whom_it_serves(two: Two) -> None:
    theirs = two.world.value("SELECT id FROM services WHERE unit_id = :unit", unit=two.other_unit)
    for keeper in (two.other_unit, two.world.unit_id):
        with pytest.raises(DBAPIError, match=r"row-level security|foreign key"), two.as_staff() as work:
            work.execute(text("INSERT INTO service_units (unit_id, service_id, kept_by) VALUES (:unit, :service, :keeper)"),
                         {"unit": two.world.unit_id, "service": theirs, "keeper": keeper})  # fmt: skip
    two.world.run("INSERT INTO service_units (unit_id, service_id, kept_by) VALUES (:unit, :service, :keeper)",
                  unit=two.world.unit_id, service=theirs, keeper=two.other_unit)  # fmt: skip
    with two.as_staff() as work:  # who sees that it serves them does not take that back
        assert work.value(text("SELECT count(*) FROM service_units WHERE service_id = :id"), id=theirs) == 1
        for deed in ("DELETE FROM service_units", "UPDATE service_units SET kept_by = kept_by"):
            assert work.execute(text(f"{deed} WHERE service_id = :id"), {"id": theirs}).rowcount == 0


def test_staff_say_of_their_own_service_that_it_serves_their_own_units_alone(two: Two) -> None:
    own = two.world.value("SELECT id FROM services WHERE unit_id = :unit", unit=two.world.unit_id)
    with pytest.raises(DBAPIError, match="row-level security"), two.as_staff() as work:
        work.execute(text("INSERT INTO service_units (unit_id, service_id, kept_by) VALUES (:other, :service, :unit)"),
                     {"unit": two.world.unit_id, "service": own, "other": two.other_unit})  # fmt: skip
    with two.as_staff() as work:
        code = work.value(text("SELECT code FROM services WHERE id = :id"), id=own)
        services.change(work, replace(services.by_code(work, code).service, name="Another name"), None)
        assert services.by_code(work, code).service.units == [two.world.unit_id]


def test_a_service_that_another_unit_keeps_from_now_on_serves_as_before(two: Two) -> None:
    below = builders.unit(two.world.engine, two.world.now, code="P01-1", parent_id=two.world.unit_id)
    own = two.world.value("SELECT code FROM services WHERE unit_id = :unit", unit=two.world.unit_id)
    with two.as_staff() as work:
        entry = services.by_code(work, own).service
        services.change(work, replace(entry, units=[below, *entry.units]), None)
    keepers = {row.kept_by for row in two.world.rows("SELECT kept_by FROM service_units WHERE service_id = :id", id=entry.id)}
    assert keepers == {below}


def test_a_client_of_another_unit_is_not_found(two: Two) -> None:
    code = two.world.value("SELECT code FROM clients WHERE id = :id", id=two.other_client)
    with two.as_staff() as work:
        with pytest.raises(NotFound):
            clients.by_code(work, code)
        assert clients.recipients(work, two.world.vault, [two.own_client, two.other_client]).keys() == {two.own_client}


@pytest.mark.parametrize("deed", ["UPDATE audit SET action = 'x'", "DELETE FROM audit", "DELETE FROM clients", "DELETE FROM keys",
                                  "UPDATE staff_units SET staff_id = staff_id", "UPDATE units SET name = 'x'"])  # fmt: skip
def test_staff_may_not(two: Two, deed: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), two.as_staff() as work:
        work.execute(text(deed))


def test_nobody_changes_the_audit_trail(two: Two) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        two.world.run("DELETE FROM audit")


def test_without_unit_of_work_the_connecting_role_reads_nothing(two: Two) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), two.world.engine.connect() as connection:
        connection.execute(text("SELECT * FROM clients"))


def test_no_role_of_ours_stands_above_the_policies(two: Two) -> None:
    rows = two.world.rows("""SELECT rolname FROM pg_roles WHERE (rolsuper OR rolbypassrls)
                             AND rolname IN ('gateway_staff', 'gateway_reviewer', 'gateway_analyst', 'gateway_system', session_user)""")  # fmt: skip
    owned = two.world.rows("""SELECT relname FROM pg_class WHERE pg_get_userbyid(relowner)
                              IN ('gateway_staff', 'gateway_reviewer', 'gateway_analyst', 'gateway_system', session_user) AND relnamespace = 'public'::regnamespace""")
    assert (rows, owned) == ([], [])


def test_a_staff_member_sees_their_unit_and_all_below(two: Two) -> None:
    below = builders.unit(two.world.engine, two.world.now, code="P01-1", parent_id=two.world.unit_id)
    client = two.world.client(unit_id=below)
    with two.as_staff() as work:
        assert clients.get(work, client).unit_id == below


def test_a_moved_client_takes_everything_along(two: Two) -> None:
    below = builders.unit(two.world.engine, two.world.now, code="P01-1", parent_id=two.world.unit_id)
    with two.as_staff() as work:
        clients.move(work, two.own_client, below)
    for table in ("phones", "client_words", "consents", "consent_history", "appointments", "occurrences", "outbound", "inbound",
                  "answers", "flags", "sessions", "session_answers", "scores", "client_dates", "enrolments"):  # fmt: skip
        units = {row.unit_id for row in two.world.rows(f"SELECT unit_id FROM {table} WHERE client_id = :id", id=two.own_client)}
        assert units == {below}, table
    key = "SELECT k.unit_id FROM keys k JOIN clients c ON c.key_id = k.id WHERE c.id = :id"
    assert two.world.value(key, id=two.own_client) == below


# --- reviewers see flagged persons alone, analysts none ------------------------------------------------------------------


def _holding_persons(world: World) -> list[str]:
    """Tables with a client in them that staff may read."""
    rows = world.rows("""SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'client_id'
                         WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
                           AND has_table_privilege('gateway_staff', c.oid, 'SELECT') ORDER BY 1""")
    return [row.relname for row in rows]


def test_a_reviewer_sees_a_client_and_their_texts_only_when_there_is_a_flag(two: Two) -> None:
    world = two.world
    unflagged = _fill(world, world.unit_id)
    world.run("DELETE FROM flags WHERE client_id = :id", id=unflagged)
    with unit_of_work(world.engine, Actor(two.staff_id, world.unit_id, "reviewer")) as work:
        assert work.value(text("SELECT array_agg(id) FROM clients")) == [two.own_client]
        for table in _holding_persons(world):
            seen = {row.client_id for row in work.all(text(f"SELECT client_id FROM {table}"))}
            assert seen == {two.own_client}, f"{table} needs the policy `reviewer`: see migration 0010"
        with pytest.raises(NotFound):
            clients.get(work, unflagged)


def test_a_reviewer_sees_the_flagged_text_of_an_unknown_phone_and_no_other(two: Two) -> None:
    world = two.world
    flagged, other = uuid4(), uuid4()
    for inbound in (flagged, other):
        world.run("""INSERT INTO inbound (id, unit_id, channel_id, key_id, carrier_id, from_enc, from_hash, body_enc, body_hash, received_at)
                     SELECT CAST(:id AS uuid), :unit, :channel, key_id, CAST(:id AS text), '', '', '', '', :now FROM staff LIMIT 1""",
                  id=inbound, unit=world.unit_id, channel=world.channel_id, now=world.now)  # fmt: skip
    with unit_of_work(world.engine, now=world.now) as work:
        flags.add(work, unit_id=world.unit_id, reason="unknown_sender", dedupe_key="x", inbound_id=flagged)
    with unit_of_work(world.engine, Actor(two.staff_id, world.unit_id, "reviewer")) as work:
        assert {row.id for row in work.all(text("SELECT id FROM inbound WHERE client_id IS NULL"))} == {flagged}


PERSONAL = ("clients", "phones", "client_words", "inbound", "outbound", "keys", "staff", "sessions", "session_answers", "scores", "stops",
            "attempts", "flags", "appointments", "answers", "consents", "audit")  # fmt: skip


@pytest.mark.parametrize("table", PERSONAL)
def test_an_analyst_cannot_even_ask_for_the_rows_of_persons(two: Two, table: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), _as_analyst(two) as work:
        work.all(text(f"SELECT * FROM {table}"))


@pytest.mark.parametrize("column", ["clients.id", "clients.code", "outbound.body_enc", "outbound.client_id", "inbound.body_enc", "inbound.from_hash",
                                    "appointments.client_id", "flags.client_id", "channels.settings_enc"])  # fmt: skip
def test_an_analyst_reads_no_column_that_leads_to_a_person(two: Two, column: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), _as_analyst(two) as work:
        work.all(text(f"SELECT {column.partition('.')[2]} FROM {column.partition('.')[0]}"))


def test_an_analyst_counts_in_the_own_units_and_writes_nothing_but_the_audit_trail(two: Two) -> None:
    with _as_analyst(two) as work:
        for table in ("clients", "outbound", "inbound", "flags", "appointments"):
            assert {row.unit_id for row in work.all(text(f"SELECT unit_id FROM {table}"))} == {two.world.unit_id}, table
        audit.add(work, "report.export", "report", "attendance", two.world.unit_id)
    for deed in ("UPDATE flags SET state = 'closed'", "DELETE FROM clients", "UPDATE campaigns SET state = 'running'"):
        with pytest.raises(DBAPIError, match="permission denied"), _as_analyst(two) as work:
            work.execute(text(deed))


@contextmanager
def _as_analyst(two: Two) -> Iterator[Work]:
    with unit_of_work(two.world.engine, Actor(two.staff_id, two.world.unit_id, "analyst")) as work:
        yield work


# --- what a role writes -------------------------------------------------------------------------------------------------


def _role(two: Two, role: str) -> Actor:
    two.world.run("UPDATE staff SET role = :role WHERE id = :id", role=role, id=two.staff_id)
    return Actor(two.staff_id, two.world.unit_id, role)


@pytest.mark.parametrize("role", ["case_worker", "reviewer", "administrator", "analyst"])
@pytest.mark.parametrize("forged", ["staff_id", "nobody", "number"])
def test_a_row_of_the_trail_is_the_actors_own_and_has_no_number_before_it_is_sealed(two: Two, role: str, forged: str) -> None:
    actor = _role(two, role)
    with unit_of_work(two.world.engine, actor) as work:
        audit.add(work, "report.show", "report", "a", two.world.unit_id)
    someone = {"staff_id": uuid4(), "nobody": None, "number": two.staff_id}[forged]
    number = ("number, ", "7, ") if forged == "number" else ("", "")
    with pytest.raises(DBAPIError, match=r"row-level security|permission denied"), unit_of_work(two.world.engine, actor) as work:
        work.execute(text(f"""INSERT INTO audit ({number[0]}unit_id, staff_id, action, subject, subject_id, at)
                              VALUES ({number[1]}:unit, :staff, 'client.show', 'client', 'x', now())"""),
                     {"unit": two.world.unit_id, "staff": someone})  # fmt: skip


@pytest.mark.parametrize("role", ["case_worker", "administrator"])
@pytest.mark.parametrize("deed", [
    "UPDATE staff SET role = 'administrator'", "UPDATE staff SET phone_enc = NULL", "UPDATE staff SET active = true", "UPDATE staff SET unit_id = unit_id",
    "INSERT INTO staff SELECT * FROM staff", "DELETE FROM on_call", "UPDATE on_call SET hours = hours", "INSERT INTO on_call SELECT * FROM on_call",
    "UPDATE channels SET state = 'disabled'", "UPDATE switches SET is_on = false", "INSERT INTO staff_units SELECT * FROM staff_units", "DELETE FROM stops",
])  # fmt: skip
def test_no_role_of_staff_writes_what_the_system_writes_for_administrators(two: Two, role: str, deed: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"), unit_of_work(two.world.engine, _role(two, role)) as work:
        work.execute(text(deed))


@pytest.mark.parametrize(("role", "many"), [("case_worker", 1), ("supervisor", 2)])
def test_staff_say_of_themselves_that_they_are_on_duty_and_a_lead_of_others(two: Two, role: str, many: int) -> None:
    with unit_of_work(two.world.engine, _role(two, role)) as work:
        assert work.execute(text("UPDATE staff SET on_duty = true")).rowcount == many


HOLIDAY = "INSERT INTO holidays (unit_id, on_date, name, source, changed_at) VALUES (:unit, '2026-04-30', 'x', 'staff', now())"
SERVICE = """INSERT INTO services (id, unit_id, code, category, name, short_name, updated_at)
             VALUES (gen_random_uuid(), :unit, 'NEW', 'food', '', '', now())"""
CHANGE = """INSERT INTO text_changes (id, unit_id, purpose, base, version, texts, made_by, made_at)
            VALUES (gen_random_uuid(), :unit, 'x', '1', '2', '{}', :staff, now())"""


@pytest.mark.parametrize("deed", [HOLIDAY, SERVICE, CHANGE])
def test_what_a_lead_writes_no_case_worker_writes(two: Two, deed: str) -> None:
    values = {"unit": two.world.unit_id} | ({"staff": two.staff_id} if ":staff" in deed else {})
    for role in ("case_worker", "reviewer"):
        with pytest.raises(DBAPIError, match="row-level security"), unit_of_work(two.world.engine, _role(two, role)) as work:
            work.execute(text(deed), values)
    with unit_of_work(two.world.engine, _role(two, "supervisor")) as work:
        work.execute(text(deed), values)


CAMPAIGN = """INSERT INTO campaigns (id, unit_id, name, kind, consent_purpose, spec, state, created_by, approved_by, created_at)
              VALUES (gen_random_uuid(), :unit, 'New', 'one_off', 'reminder', '{}', :state, :maker, :approver, now())"""
START = "UPDATE campaigns SET state = 'running', approved_by = :me"
ASK = """INSERT INTO approvals (campaign_id, unit_id, asked_by, asked_at, of_all) SELECT id, unit_id, :me, now(), 0 FROM campaigns
         ON CONFLICT (campaign_id) DO UPDATE SET asked_by = :me, settled_at = NULL"""


def _do(two: Two, role: str, deed: str, **values: Any) -> None:
    named = {"me": two.staff_id, "unit": two.world.unit_id} | values
    with unit_of_work(two.world.engine, _role(two, role)) as work:
        assert work.execute(text(deed), {name: value for name, value in named.items() if f":{name}" in deed}).rowcount == 1


@pytest.mark.parametrize("role", ["case_worker", "reviewer"])
@pytest.mark.parametrize("deed", [START, ASK])
def test_a_campaign_is_started_by_nobody_but_a_lead(two: Two, role: str, deed: str) -> None:
    with pytest.raises(DBAPIError, match=r"may not do that|row-level security"):
        _do(two, role, deed)
    _do(two, "supervisor", deed)


def test_a_lead_starts_a_campaign_in_the_own_name_alone(two: Two) -> None:
    other = two.world.staff("+84919000001", role="supervisor")
    for deed in (START, ASK):
        with pytest.raises(DBAPIError, match=r"may not do that|row-level security"):
            _do(two, "supervisor", deed, me=other)


def test_a_draft_is_kept_in_the_own_name_and_has_not_begun(two: Two) -> None:
    other = two.world.staff("+84919000001")
    for state, maker, approver in (("running", two.staff_id, two.staff_id), ("draft", other, None), ("draft", None, None), ("draft", two.staff_id, other)):
        with pytest.raises(DBAPIError, match="may not do that"):
            _do(two, "administrator", CAMPAIGN, state=state, maker=maker, approver=approver)
    _do(two, "case_worker", CAMPAIGN, state="draft", maker=two.staff_id, approver=None)


@pytest.mark.parametrize("deed", [
    "UPDATE campaigns SET spec = spec || '{\"audience\": 1}'", "UPDATE campaigns SET created_by = :me", "UPDATE campaigns SET approved_by = NULL",
    "UPDATE campaigns SET state = 'draft'", "UPDATE campaigns SET state = 'done'", "UPDATE campaigns SET kind = 'reminders'",
])  # fmt: skip
def test_what_was_approved_is_what_is_sent_whoever_would_change_it(two: Two, deed: str) -> None:
    _do(two, "supervisor", START)
    with pytest.raises(DBAPIError, match="may not do that"):
        _do(two, "administrator", deed)
    for other in ("UPDATE campaign_steps SET purpose = 'x'", "DELETE FROM campaign_steps"):
        with unit_of_work(two.world.engine, _role(two, "administrator")) as work:
            assert work.execute(text(other)).rowcount == 0


def test_anybody_stops_a_campaign_and_a_lead_lets_it_go_on(two: Two) -> None:
    _do(two, "supervisor", START)
    _do(two, "case_worker", "UPDATE campaigns SET state = 'paused', state_reason = 'x'")
    with pytest.raises(DBAPIError, match="may not do that"):
        _do(two, "case_worker", "UPDATE campaigns SET state = 'running'")
    _do(two, "supervisor", "UPDATE campaigns SET state = 'running'")
    _do(two, "case_worker", "UPDATE campaigns SET state = 'cancelled', spec = spec || '{\"to_do\": {\"cancel\": true}}'")


def test_a_role_that_only_the_program_believes_in_opens_nothing(two: Two) -> None:
    with pytest.raises(DBAPIError, match="row-level security"), unit_of_work(two.world.engine, Actor(two.staff_id, two.world.unit_id, "administrator")) as work:
        work.execute(text(HOLIDAY), {"unit": two.world.unit_id})


def test_staff_add_a_stop_for_those_they_see_and_weaken_none(two: Two) -> None:
    add = text("INSERT INTO stops (phone_hash, reason, source, stopped_at) SELECT :hash, :reason, 'import', now()")
    hashes = {client: two.world.value("SELECT phone_hash FROM phones WHERE client_id = :id", id=client) for client in (two.own_client, two.other_client)}
    with two.as_staff() as work:
        work.execute(add, {"hash": hashes[two.own_client], "reason": "stop"})
    two.world.run("INSERT INTO stops (phone_hash, reason, source, stopped_at) VALUES (:hash, 'stop', 'inbound', now())", hash=hashes[two.other_client])
    for deed, values in (
        (add, {"hash": b"nobody's", "reason": "stop"}),
        (add, {"hash": hashes[two.other_client], "reason": "stop"}),
        (text("UPDATE stops SET reason = 'in_doubt' WHERE phone_hash = :hash"), {"hash": hashes[two.own_client]}),
    ):
        with pytest.raises(DBAPIError, match="row-level security"), two.as_staff() as work:
            work.execute(deed, values)
    with two.as_staff() as work:
        assert work.execute(text("UPDATE stops SET stopped_at = now() WHERE phone_hash = :hash"), {"hash": hashes[two.other_client]}).rowcount == 0
        assert work.value(text("SELECT count(*) FROM stops")) == 2  # whoever types the number in is told
