"""Appointments are booked, moved, cancelled and closed; what waits about an old time goes in the same transaction."""

from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway.domain.errors import Refused
from gateway.store import appointments, clients, consents, staff
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import book_appointment, clinic_day, import_appointments, run_imports
from gateway.usecases.tables import Options, Table
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

DAY = timedelta(days=1)


@pytest.fixture
def world(engine: Engine, vault: Vault, now) -> World:
    return builders.world(engine, vault, now)


def _work(world: World):
    return unit_of_work(world.engine, now=world.now)


def _waiting(world: World, appointment_id: UUID, client_id: UUID) -> UUID:
    """A reminder of a running campaign that waits for its time."""
    campaign, step = uuid4(), uuid4()
    values = {"campaign": campaign, "step": step, "unit": world.unit_id, "client": client_id, "appointment": appointment_id,
              "now": world.now, "due": world.now + timedelta(hours=1)}  # fmt: skip
    for sql in (
        """INSERT INTO campaigns (id, unit_id, name, kind, consent_purpose, spec, created_at)
           VALUES (:campaign, :unit, CAST(:campaign AS text), 'reminders', 'reminder', '{}', :now)""",
        """INSERT INTO campaign_steps (id, campaign_id, unit_id, position, purpose, version, timing)
           VALUES (:step, :campaign, :unit, 0, 'appointment_reminder_1d', '1', '{}')""",
        """INSERT INTO occurrences (id, unit_id, campaign_id, step_id, client_id, appointment_id, due_at, send_before)
           VALUES (:step, :unit, :campaign, :step, :client, :appointment, :due, :due)""",
    ):
        world.run(sql, **{name: value for name, value in values.items() if f":{name}" in sql})
    return step


def _occurrence(world: World, occurrence_id: UUID) -> str:
    return str(world.value("SELECT state FROM occurrences WHERE id = :id", id=occurrence_id))


def _row(world: World, appointment_id: UUID) -> Any:
    return world.rows("SELECT * FROM appointments WHERE id = :id", id=appointment_id)[0]


def test_a_booked_appointment_waits_to_be_planned(world: World) -> None:
    client = world.client()
    with _work(world) as work:
        booked = book_appointment.book(work, clients.get(work, client), world.now + DAY, outside_id="A1")
    row = _row(world, booked)
    assert (row.status, row.unit_id, row.planned_revision < row.revision) == ("booked", world.unit_id, True)


def test_moving_cancels_what_waits_and_what_is_planned_and_asks_for_planning_anew(world: World) -> None:
    client = world.client()
    appointment = world.appointment(client, world.now + DAY)
    waiting, planned = _waiting(world, appointment, client), world.planned(client, about_id=appointment)
    other = world.planned(client, about_id=world.appointment(client, world.now + 2 * DAY))
    world.run("UPDATE appointments SET planned_revision = revision, answer = 'confirmed'")
    with _work(world) as work:
        book_appointment.move(work, appointment, world.now + 3 * DAY)
    row = _row(world, appointment)
    assert (row.revision, row.answer, row.planned_revision < row.revision) == (1, None, True)
    assert (_occurrence(world, waiting), world.state(planned), world.state(other)) == ("cancelled", "cancelled", "planned")


def test_moving_to_the_same_time_changes_nothing(world: World) -> None:
    client = world.client()
    appointment = world.appointment(client, world.now + DAY)
    planned = world.planned(client, about_id=appointment)
    with _work(world) as work:
        book_appointment.move(work, appointment, world.now + DAY)
    assert (_row(world, appointment).revision, world.state(planned)) == (0, "planned")


def test_a_move_that_fails_in_the_end_cancels_nothing(world: World) -> None:
    client = world.client()
    appointment = world.appointment(client, world.now + DAY)
    planned = world.planned(client, about_id=appointment)
    with suppress(ZeroDivisionError), _work(world) as work:
        book_appointment.move(work, appointment, world.now + 2 * DAY)
        raise ZeroDivisionError
    assert (_row(world, appointment).revision, world.state(planned)) == (0, "planned")


def test_cancelling_removes_every_unsent_step(world: World) -> None:
    client = world.client()
    appointment = world.appointment(client, world.now + DAY)
    waiting, planned = _waiting(world, appointment, client), world.planned(client, about_id=appointment)
    with _work(world) as work:
        book_appointment.cancel(work, appointment)
    assert _row(world, appointment).status == "cancelled"
    assert (_occurrence(world, waiting), world.state(planned)) == ("cancelled", "cancelled")


@pytest.mark.parametrize("deed", [
    lambda work, client, appointment, now: book_appointment.book(work, client, now - DAY),
    lambda work, client, appointment, now: book_appointment.move(work, appointment, now - DAY),
    lambda work, client, appointment, now: book_appointment.close(work, appointment, "attended"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(world: World, deed) -> None:
    client = world.client()
    appointment = world.appointment(client, world.now + DAY)
    with pytest.raises(Refused), _work(world) as work:
        deed(work, clients.get(work, client), appointment, world.now)


def test_missed_may_be_corrected_to_attended_but_a_cancelled_one_stays(world: World) -> None:
    client = world.client()
    past, gone = world.appointment(client, world.now - DAY), world.appointment(client, world.now + DAY)
    with _work(world) as work:
        book_appointment.close(work, past, "missed")
        book_appointment.close(work, past, "attended")
        book_appointment.cancel(work, gone)
        with pytest.raises(Refused, match="cancelled already"):
            book_appointment.move(work, gone, world.now + 2 * DAY)
    assert _row(world, past).status == "attended"


def test_a_closed_client_gets_no_appointment(world: World) -> None:
    client = world.client()
    with _work(world) as work:
        clients.set_status(work, client, "closed", "left")
        with pytest.raises(Refused, match="closed"):
            book_appointment.book(work, clients.get(work, client), world.now + DAY)


# --- a worker's day -------------------------------------------------------------------------------------------------


def _day(world: World) -> tuple[UUID, list[UUID]]:
    """A worker with three clients on one day and one on the next."""
    worker = world.staff("+84900000001")
    people = [world.client() for _ in range(4)]
    with _work(world) as work:
        for place, client in enumerate(people):
            at = world.now + DAY + timedelta(hours=place) if place < 3 else world.now + 2 * DAY
            appointments.add(work, client, at, worker)
    return worker, people


TOMORROW = date(2026, 2, 11)
ZONE = "Asia/Ho_Chi_Minh"


def test_cancelling_a_day_tells_everyone_of_that_day(world: World) -> None:
    worker, _people = _day(world)
    with _work(world) as work:
        told = clinic_day.cancel(work, world.vault, CONTENT, worker, TOMORROW, ZONE)
    assert [each.reason for each in told] == [None, None, None]
    assert world.value("SELECT count(*) FROM appointments WHERE status = 'booked'") == 1
    bodies = world.bodies("purpose = 'appointment_cancelled'")
    assert len(bodies) == 3 and any("10:00" in body for body in bodies)


def test_moving_a_day_keeps_the_times_of_day_and_tells_the_new_one(world: World) -> None:
    worker, people = _day(world)
    with _work(world) as work:
        clinic_day.move(work, world.vault, CONTENT, worker, TOMORROW, TOMORROW + 7 * DAY, ZONE)
        moved = appointments.list_between(work, world.now + 8 * DAY - timedelta(hours=4), world.now + 9 * DAY)
    assert [each.client_id for each in moved] == people[:3]
    assert {each.starts_at.hour for each in moved} == {3, 4, 5}
    assert world.value("SELECT count(*) FROM outbound WHERE purpose = 'appointment_moved' AND about_id IS NOT NULL") == 3


def test_moving_twice_tells_only_the_last_time(world: World) -> None:
    worker, _people = _day(world)
    with _work(world) as work:
        clinic_day.move(work, world.vault, CONTENT, worker, TOMORROW, TOMORROW + 7 * DAY, ZONE)
    with _work(world) as work:
        clinic_day.move(work, world.vault, CONTENT, worker, TOMORROW + 7 * DAY, TOMORROW + 8 * DAY, ZONE)
    states = world.rows("SELECT state, count(*) AS n FROM outbound WHERE purpose = 'appointment_moved' GROUP BY state")
    assert {row.state: row.n for row in states} == {"cancelled": 3, "planned": 3}


def test_who_cannot_be_told_is_named_to_be_called(world: World) -> None:
    worker, people = _day(world)
    with _work(world) as work:
        consents.stop_phone(work, world.vault.hash_phone(world.phone_of(people[0])), "stop", "staff")
        consents.change(work, people[1], "reminder", False, "said so", "staff")
        clients.set_status(work, people[2], "paused", "in hospital")
    with _work(world) as work:
        told = clinic_day.cancel(work, world.vault, CONTENT, worker, TOMORROW, ZONE)
    assert [each.reason for each in told] == ["wants no texts (stop)", "no consent for reminder", "client paused"]
    assert world.value("SELECT count(*) FROM outbound") == 0


def test_at_discreet_level_2_the_ping_goes_first(world: World) -> None:
    client = world.client(discreet=2)
    appointment = world.appointment(client, world.now + DAY)
    with _work(world) as work:
        assert clinic_day.cancel_one(work, world.vault, CONTENT, appointment).reason is None
    purposes = {row.purpose: row.waits_for for row in world.rows("SELECT purpose, waits_for FROM outbound")}
    assert purposes["message_waiting"] is None and purposes["appointment_cancelled"] is not None


# --- from another system --------------------------------------------------------------------------------------------

HEADINGS = "appointment id,client code,date,time,state\n"


def _import(world: World, path: Path, *rows: str, dry_run: bool = False) -> tuple[import_appointments.Counts, list[tuple[int, str]]]:
    path.write_text(HEADINGS + "\n".join(rows) + "\n", encoding="utf-8")
    member = world.rows("SELECT id FROM staff WHERE code = 'importer'")
    if not member:
        with _work(world) as work:
            staff.add(work, world.vault, unit_id=world.unit_id, code="importer", name="I", role="case_worker", language="vi")
        member = world.rows("SELECT id FROM staff WHERE code = 'importer'")
    told: list[tuple[int, str]] = []
    actor = Actor(member[0].id, world.unit_id, "case_worker")
    table = Table(path, Options(), lambda line, what, reason, cells: told.append((line, reason)))
    counts = run_imports.run(world.engine, world.vault, CONTENT, actor, "appointments", table, dry_run=dry_run)
    assert isinstance(counts, import_appointments.Counts)
    return counts, told


def _code(world: World, client_id: UUID) -> str:
    return str(world.value("SELECT code FROM clients WHERE id = :id", id=client_id))


def test_an_import_knows_an_appointment_by_its_outside_id(world: World, tmp_path: Path) -> None:
    client = world.client()
    code, path = _code(world, client), tmp_path / "list.csv"
    counts, _ = _import(world, path, f"A1,{code},1/12/2030,9h30,", f"A2,{code},2030-12-02,14:00,")
    assert counts.new == 2
    assert world.value("SELECT min(starts_at) FROM appointments") == datetime.fromisoformat("2030-12-01T02:30+00:00")
    appointment = world.value("SELECT id FROM appointments WHERE outside_id = 'A1'")
    planned = world.planned(client, about_id=appointment)
    counts, _ = _import(world, path, f"A1,{code},1/12/2030,10h00,", f"A2,{code},2030-12-02,14:00,cancelled")
    assert (counts.new, counts.moved, counts.changed, counts.unchanged) == (0, 1, 1, 0)
    assert (world.state(planned), _row(world, appointment).revision) == ("cancelled", 1)
    counts, _ = _import(world, path, f"A1,{code},1/12/2030,10h00,", f"A2,{code},2030-12-02,14:00,cancelled")
    assert (counts.moved, counts.changed, counts.unchanged) == (0, 0, 2)


def test_bad_rows_of_a_list_are_named_and_the_others_taken(world: World, tmp_path: Path) -> None:
    code, other = _code(world, world.client()), _code(world, world.client())
    _import(world, tmp_path / "a.csv", f"A9,{other},1/12/2030,9h30,")
    counts, told = _import(
        world, tmp_path / "a.csv", f"A1,{code},1/12/2030,9h30,", f"A1,{code},2/12/2030,9h30,", "A2,nobody,1/12/2030,9h30,",
        f"A3,{code},31/2/2030,9h30,", f",{code},1/12/2030,9h30,", f"A9,{code},1/12/2030,9h30,", f"A4,{code},1/12/2030,,",
    )  # fmt: skip
    assert (counts.new, counts.invalid) == (1, 6)
    reasons = dict(told)
    assert reasons.keys() == {3, 4, 5, 6, 7, 8}
    assert "line 2" in reasons[3] and "no such code" in reasons[4] and "another client" in reasons[7] and "time: missing" in reasons[8]


def test_a_dry_run_of_a_list_changes_nothing(world: World, tmp_path: Path) -> None:
    counts, _ = _import(world, tmp_path / "a.csv", f"A1,{_code(world, world.client())},1/12/2030,9h30,", dry_run=True)
    assert counts.new == 1 and world.value("SELECT count(*) FROM appointments") == 0


def test_the_row_of_a_client_is_held_while_an_appointment_moves(world: World) -> None:
    client = world.client()
    appointment = world.appointment(client, world.now + DAY)
    with _work(world) as work:
        book_appointment.move(work, appointment, world.now + 2 * DAY)
        assert _free(world, client) == []
    assert _free(world, client) == [client]


def _free(world: World, client_id: UUID) -> list[UUID]:
    """What a sender or planner could lock just now."""
    rows = world.rows("SELECT id FROM clients WHERE id = :id FOR SHARE SKIP LOCKED", id=client_id)
    return [row.id for row in rows]


