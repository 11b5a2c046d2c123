"""Planning: each thing once, following the appointment, skipping with a reason, in the words of the start."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain.windows import Window
from gateway.queues import silent
from gateway.store import appointments, clients
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import apply_effects, book_appointment, launch_campaign, plan_due
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STEPS = [{"template": "appointment_reminder_1d", "before": "1d"}, {"template": "appointment_reminder_2h", "before": "2h"}]


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


@pytest.fixture
def boss(world: World) -> Actor:
    staff_id = world.staff("+84980000001", role="supervisor")
    return Actor(staff_id, world.unit_id, "supervisor")


def launch(world: World, boss: Actor, content: Content = CONTENT, at: datetime | None = None, **changes: Any) -> UUID:
    """A campaign that runs: reminders unless `changes` say otherwise."""
    asked = {"name": f"campaign {uuid4()}", "kind": "reminders", "steps": STEPS} | changes
    with unit_of_work(world.engine, boss, at or world.now) as work:
        campaign = launch_campaign.create(work, content, rules.read(asked))
    launch_campaign.approve(world.engine, world.vault, content, boss, asked["name"], at or world.now)
    return campaign.id


def check_in(world: World, boss: Actor, **changes: Any) -> UUID:
    return launch(world, boss, **({"kind": "one_off", "steps": [{"template": "check_in"}]} | changes))


def plan(world: World, at: datetime | None = None, content: Content = CONTENT, limit: int = 2000) -> int:
    """All there is to plan at a moment, as the clock does it; how much that was."""
    total, done = 0, 1
    while done:
        done = plan_due.plan_due(world.engine, world.vault, content, silent, at or world.now, limit)
        total += done
    return total


def occurrences(world: World) -> list[tuple[str, str | None]]:
    return [(row.state, row.reason) for row in world.rows("SELECT state, reason FROM occurrences ORDER BY due_at, state")]


def dues(world: World, state: str = "waiting") -> list[datetime]:
    rows = world.rows("SELECT due_at FROM occurrences WHERE state = :state ORDER BY due_at", state=state)
    return [row.due_at for row in rows]


def skipped(world: World) -> list[str]:
    return [row.reason for row in world.rows("SELECT reason FROM occurrences WHERE state = 'skipped' ORDER BY reason")]


def move(world: World, appointment_id: UUID, starts_at: datetime, at: datetime | None = None) -> None:
    with unit_of_work(world.engine, SYSTEM, at or world.now) as work:
        book_appointment.move(work, appointment_id, starts_at)


def test_a_booked_appointment_gets_a_step_for_each_reminder(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    world.appointment(world.client(), now + 3 * DAY)
    plan(world)
    assert dues(world) == [now + 2 * DAY, now + 3 * DAY - 2 * HOUR]


def test_a_reminder_says_when_on_the_clients_clock_and_in_their_language(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    world.appointment(world.client(), now + 3 * DAY)
    plan(world)
    plan(world, now + 2 * DAY)
    (body,) = world.bodies()
    assert "10:00" in body
    assert "13/2" in body


def test_an_appointment_booked_before_the_campaign_started_is_planned_too(world: World, boss: Actor, now: datetime) -> None:
    for days in range(2, 7):
        world.appointment(world.client(), now + days * DAY)
    plan(world)
    launch(world, boss)
    plan(world, limit=2)
    assert len(dues(world)) == 10


def test_planning_again_plans_nothing_twice(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    world.appointment(world.client(), now + 3 * DAY)
    later = now + 2 * DAY
    assert plan(world, later) > 0
    world.run("UPDATE appointments SET planned_revision = -1")
    world.run("""UPDATE campaigns SET spec = jsonb_set(spec, '{to_do}', '{"after": ["2000-01-01T00:00:00+00:00",
                 "00000000-0000-0000-0000-000000000000"]}')""".replace(":00", "\\:00"))
    plan(world, later)
    assert [state for state, _ in occurrences(world)] == ["planned", "waiting"]
    assert world.value("SELECT count(*) FROM outbound") == 1


def test_a_step_already_past_is_listed_with_its_reason(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    world.appointment(world.client(), now + 3 * HOUR)
    plan(world)
    assert occurrences(world) == [("skipped", "in the past"), ("waiting", None)]


def test_a_step_that_fell_due_while_no_planner_ran_is_still_sent(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    plan(world)
    world.appointment(world.client(), now + 26 * HOUR)
    plan(world, now + 3 * HOUR)
    assert [state for state, _ in occurrences(world)] == ["planned", "waiting"]


def test_moving_an_appointment_replaces_every_unsent_step(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    appointment_id = world.appointment(world.client(), now + 3 * DAY)
    plan(world)
    move(world, appointment_id, now + 5 * DAY)
    plan(world)
    assert dues(world) == [now + 4 * DAY, now + 5 * DAY - 2 * HOUR]
    assert dues(world, "cancelled") == [now + 2 * DAY, now + 3 * DAY - 2 * HOUR]


def test_a_time_changed_behind_our_back_replaces_steps_and_unsent_texts_too(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    appointment_id = world.appointment(world.client(), now + DAY + timedelta(minutes=1))
    plan(world)
    plan(world, now + timedelta(minutes=2))
    with unit_of_work(world.engine, SYSTEM, now + timedelta(minutes=3)) as work:
        appointments.move(work, appointment_id, now + 4 * DAY)
    plan(world, now + timedelta(minutes=4))
    assert [(r.state, r.reason) for r in world.rows("SELECT state, reason FROM outbound")] == [("cancelled", "appointment moved")]
    assert dues(world) == [now + 3 * DAY, now + 4 * DAY - 2 * HOUR]


def test_an_appointment_moved_back_gets_its_steps_back(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    appointment_id = world.appointment(world.client(), now + 3 * DAY)
    plan(world)
    for starts_at in (now + 5 * DAY, now + 3 * DAY):
        move(world, appointment_id, starts_at)
        plan(world)
    assert dues(world) == [now + 2 * DAY, now + 3 * DAY - 2 * HOUR]
    assert world.value("SELECT count(*) FROM occurrences") == 4


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hours=st.lists(st.integers(3, 400).filter(lambda n: n != 24), min_size=1, max_size=6), plans=st.lists(st.booleans(), min_size=6, max_size=6))
def test_however_often_it_moves_only_the_last_time_has_steps(world: World, boss: Actor, hours: list[int], plans: list[bool]) -> None:
    if not world.value("SELECT count(*) FROM campaigns"):
        launch(world, boss)
    client_id = world.client()
    appointment_id = world.appointment(client_id, world.now + 500 * HOUR)
    for wait, plans_between in zip(hours, plans, strict=False):
        move(world, appointment_id, world.now + wait * HOUR)
        if plans_between:
            plan(world)
    plan(world)
    rows = world.rows("SELECT due_at, state FROM occurrences WHERE client_id = :id AND state <> 'cancelled'", id=client_id)
    starts_at = world.now + hours[-1] * HOUR
    waiting = {starts_at - 2 * HOUR} | ({starts_at - DAY} if hours[-1] > 24 else set())
    assert {row.due_at for row in rows if row.state == "waiting"} == waiting


def test_a_cancelled_appointment_has_no_reminders(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    appointment_id = world.appointment(world.client(), now + 3 * DAY)
    plan(world)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        book_appointment.cancel(work, appointment_id)
    plan(world, now + 4 * DAY)
    assert world.value("SELECT count(*) FROM outbound") == 0


def test_two_appointments_on_one_day_get_a_reminder_each(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss, steps=[{"template": "appointment_reminder_1d", "before": "1d", "at": "17:00"}])
    client_id = world.client()
    for hours in (0, 4):
        world.appointment(client_id, now + 3 * DAY + hours * HOUR)
    plan(world)
    plan(world, now + 2 * DAY + 8 * HOUR)
    assert len(set(world.bodies())) == 2


def test_two_appointments_at_one_moment_share_a_reminder_until_one_moves(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    client_id = world.client()
    first, second = (world.appointment(client_id, now + 3 * DAY) for _ in range(2))
    plan(world)
    assert len(dues(world)) == 2
    owner = world.value("SELECT appointment_id FROM occurrences LIMIT 1")
    move(world, owner, now + 9 * DAY)
    plan(world)
    assert len(dues(world)) == 4
    assert {row.appointment_id for row in world.rows("SELECT appointment_id FROM occurrences WHERE state = 'waiting'")} == {first, second}


def test_a_reminder_at_a_time_of_day_keeps_to_it_over_a_clock_change(engine: Engine, vault: Vault) -> None:
    at = datetime(2026, 3, 27, 9, tzinfo=UTC)  # London's clocks go forward on the 29th
    world = replace(builders.world(engine, vault, at), unit_id=builders.unit(engine, at, "L01", time_zone="Europe/London", language="en"))
    boss = Actor(world.staff("+447700900001", role="supervisor"), world.unit_id, "supervisor")
    launch(world, boss)
    world.appointment(world.client("+447700900123", language="en"), datetime(2026, 3, 30, 8, 30, tzinfo=UTC))  # 9:30 there
    plan(world)
    assert dues(world)[0] == datetime(2026, 3, 29, 8, 30, tzinfo=UTC)
    plan(world, dues(world)[0])
    assert "9:30am" in world.bodies()[0]


def test_nobody_without_consent_or_after_a_stop_is_texted_and_each_is_listed(world: World, boss: Actor, now: datetime) -> None:
    stopped, closed, paused = world.client(), world.client(), world.client()
    world.client(consent=())
    world.client()
    check_in(world, boss)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        for phone_hash in clients.phone_hashes(work, stopped):
            apply_effects.stop_phone(work, phone_hash, "stop", "inbound", None)
        clients.set_status(work, paused, "paused", "in hospital")
        clients.set_status(work, closed, "closed", "moved away")
    plan(world)
    assert skipped(world) == ["client paused", "no consent for check_in", "opted out (stop)"]
    assert world.value("SELECT count(*) FROM outbound") == 1


def test_a_phone_that_a_person_must_check_first_is_not_texted(world: World, boss: Actor) -> None:
    world.client()
    check_in(world, boss)
    world.run("UPDATE phones SET to_verify = 'old prefix'")
    plan(world)
    assert skipped(world) == ["number to be verified"]


def test_a_stop_between_planning_and_sending_cancels_the_text(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client()
    check_in(world, boss)
    plan(world)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        for phone_hash in clients.phone_hashes(work, client_id):
            apply_effects.stop_phone(work, phone_hash, "stop", "inbound", None)
    assert world.value("SELECT state FROM outbound") == "cancelled"


def test_a_client_locked_by_someone_else_is_planned_a_moment_later(world: World, boss: Actor) -> None:
    held, _ = world.client(), world.client()
    world.run("UPDATE clients SET time_zone = 'Asia/Tokyo' WHERE id <> :id", id=held)
    check_in(world, boss, steps=[{"template": "check_in", "not_before": "2026-02-10T12:00"}])
    plan(world, world.now)
    with unit_of_work(world.engine) as work:
        clients.lock(work, [held])
        plan(world, world.now + 2 * HOUR)
        assert world.value("SELECT count(*) FROM outbound") == 1
    plan(world, world.now + 2 * HOUR)
    assert world.value("SELECT count(*) FROM outbound") == 2


def test_running_campaigns_never_change_their_words(world: World, boss: Actor, now: datetime) -> None:
    world.client(language="en")
    check_in(world, boss)
    changed = Content.__new__(Content)
    changed.__dict__.update(CONTENT.__dict__)
    key = ("check_in", "en")
    changed.templates = CONTENT.templates | {key: replace(CONTENT.templates[key], body="Other words.", version="new")}
    plan(world, content=changed)
    assert world.bodies() == [CONTENT.templates[key].body]


def without(content: Content, purpose: str, language: str) -> Content:
    """The library as it would be if nobody had written this text."""
    less = Content.__new__(Content)
    less.__dict__.update(content.__dict__)
    less.templates = {key: one for key, one in content.templates.items() if key != (purpose, language)}
    return less


def test_a_missing_language_is_not_sent_and_says_so(world: World, boss: Actor) -> None:
    world.client(language="fr")
    world.client(language="vi")
    less = without(CONTENT, "check_in", "fr")
    check_in(world, boss, content=less)
    plan(world, content=less)
    assert skipped(world) == ["no text in fr; not sent, as the campaign says"]


@pytest.mark.parametrize(("language", "sent_in", "rule"), [
    ({"missing": "unit_default"}, "vi", "the unit's language"),
    ({"missing": "campaign_default", "default": "en"}, "en", "the campaign's language")])  # fmt: skip
def test_a_fall_back_of_language_is_chosen_and_visible(world: World, boss: Actor, language: dict[str, str], sent_in: str, rule: str) -> None:
    world.client(language="fr")
    less = without(CONTENT, "check_in", "fr")
    check_in(world, boss, content=less, language=language)
    plan(world, content=less)
    (row,) = world.rows("SELECT language, reason FROM outbound")
    assert (row.language, row.reason) == (sent_in, f"no text in fr; sent in {sent_in} ({rule})")
    assert occurrences(world)[0][1] == row.reason


def test_a_text_due_at_night_waits_for_the_morning_with_its_reason(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    check_in(world, boss)
    plan(world, now + 14 * HOUR)  # midnight there
    (row,) = world.rows("SELECT send_after, reason FROM outbound")
    assert (row.send_after, row.reason) == (datetime(2026, 2, 11, 1, tzinfo=UTC), "quiet hours")


def test_a_text_whose_time_passes_in_the_quiet_hours_is_skipped(world: World, boss: Actor, now: datetime) -> None:
    world.client(hours=Window(time(18), time(19)))
    check_in(world, boss, steps=[{"template": "check_in", "lasts": "2h"}])
    plan(world)
    assert skipped(world) == ["quiet hours; its time passed before they end"]


def test_after_an_outage_no_stale_text_is_planned(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    check_in(world, boss)
    plan(world, now + 3 * DAY)
    assert skipped(world) == ["its time passed"]
    assert world.value("SELECT state FROM campaigns") == "done"


def test_at_discreet_level_two_the_text_waits_behind_one_first_text(world: World, boss: Actor) -> None:
    world.client(discreet=2)
    for _ in range(2):
        check_in(world, boss)
        plan(world)
    pings = world.rows("SELECT id, expects, state FROM outbound WHERE purpose = 'message_waiting' ORDER BY state DESC")
    waiting = world.rows("SELECT waits_for FROM outbound WHERE purpose = 'check_in' AND state = 'planned'")
    assert [(ping.expects, ping.state) for ping in pings] == [("ready", "planned"), ("ready", "cancelled")]
    assert [row.waits_for for row in waiting] == [pings[0].id] * 2


def test_a_row_that_cannot_be_read_holds_up_nobody(world: World, boss: Actor) -> None:
    bad, _ = world.client(), world.client()
    world.appointment(bad, world.now + DAY)
    check_in(world, boss)
    world.run("UPDATE phones SET phone_enc = 'broken' WHERE client_id = :id", id=bad)
    plan(world)
    assert skipped(world) == ["could not be written (ValueError)"]
    assert world.value("SELECT count(*) FROM outbound") == 1


def test_a_phone_that_no_channel_reaches_is_skipped(world: World, boss: Actor) -> None:
    world.client()
    check_in(world, boss)
    world.run("UPDATE channels SET prefix = '+44'")
    plan(world)
    assert skipped(world) == ["no channel reaches this phone"]


def test_someone_who_left_the_audience_before_it_was_due_is_not_texted(world: World, boss: Actor, now: datetime) -> None:
    client_id, _ = world.client(), world.client()
    world.run("UPDATE clients SET time_zone = 'Europe/London' WHERE id = :id", id=client_id)
    world.run("UPDATE clients SET groups = '{jobs}'")
    check_in(world, boss, audience={"groups": ["jobs"]}, steps=[{"template": "check_in", "at": "12:00"}])
    plan(world, now + 2 * HOUR)  # noon in Vietnam
    with unit_of_work(world.engine, SYSTEM, now) as work:
        clients.edit(work, world.vault, client_id, {"groups": []})
    plan(world, now + 9 * HOUR)  # noon in London
    assert occurrences(world) == [("planned", None), ("skipped", "outside the audience")]


def test_recipients_are_counted_when_it_is_sent_not_when_it_was_scheduled(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    check_in(world, boss, steps=[{"template": "check_in", "not_before": "2026-02-12T09:00"}])
    plan(world)
    assert world.value("SELECT count(*) FROM occurrences") == 0
    world.client()
    plan(world, datetime(2026, 2, 12, 2, tzinfo=UTC))
    assert world.value("SELECT count(*) FROM outbound") == 2


def test_a_one_off_text_is_due_by_each_clients_own_clock(world: World, boss: Actor, now: datetime) -> None:
    here, there = world.client(), world.client()
    world.run("UPDATE clients SET time_zone = 'Europe/London' WHERE id = :id", id=there)
    check_in(world, boss, steps=[{"template": "check_in", "at": "11:00"}])
    plan(world, now + HOUR)
    rows = world.rows("SELECT client_id, due_at FROM occurrences ORDER BY due_at")
    assert [(row.client_id, row.due_at) for row in rows] == [(here, now + HOUR), (there, now + 8 * HOUR)]


@pytest.mark.parametrize(("hours", "rings"), [(0, 1), (14, 0)])
def test_the_doorbell_rings_only_for_what_may_leave_now(world: World, boss: Actor, now: datetime, hours: int, rings: int) -> None:
    rung: list[UUID] = []
    world.client()
    check_in(world, boss)
    plan_due.plan_due(world.engine, world.vault, CONTENT, rung.append, now + hours * HOUR)
    assert rung == [world.channel_id] * rings


def test_an_appointment_that_moves_away_and_back_is_planned_anew(world: World, boss: Actor, now: datetime) -> None:
    launch(world, boss)
    at = now + 3 * DAY + 11 * HOUR  # in the night: the text of the day before is written and waits for the morning
    visit = world.appointment(world.client(), at)
    plan(world)
    plan(world, at - DAY)
    assert world.value("SELECT count(*) FROM outbound WHERE state = 'planned' AND campaign_id IS NOT NULL") == 1
    move(world, visit, at + 5 * DAY, at - DAY + MINUTE)
    move(world, visit, at, at - DAY + MINUTE)
    plan(world, at - DAY + 2 * MINUTE)
    assert world.value("SELECT count(*) FROM outbound WHERE state = 'planned' AND campaign_id IS NOT NULL") == 0
    step = world.rows("SELECT state, reason FROM occurrences WHERE due_at = :due", due=at - DAY)
    assert [row.state for row in step] == ["skipped"], "it fell due before the last booking, and the list says so"
