"""Texts that come again: each round once, on the client's clock, off holidays; programmes from day 0 to their exit."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway.channels.base import Inbound
from gateway.content import Content
from gateway.domain import campaigns as rules
from gateway.domain.errors import NotAllowed
from gateway.domain.windows import Window
from gateway.queues import silent
from gateway.store import campaigns, channels, clients, enrolments, holidays
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import launch_campaign, plan_due, plan_rounds, receive_message
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WEEKLY: Mapping[str, Any] = {"every": "FREQ=WEEKLY;BYDAY=WE", "at": "09:00"}
NINE = datetime(2026, 2, 11, 2, tzinfo=UTC)  # the first Wednesday, at nine in Vietnam


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


@pytest.fixture
def boss(world: World) -> Actor:
    return Actor(world.staff("+84980000001", role="supervisor"), world.unit_id, "supervisor")


def launch(world: World, boss: Actor, content: Content = CONTENT, **changes: Any) -> UUID:
    """A weekly check-in that runs, unless `changes` say otherwise."""
    asked = {"name": f"campaign {uuid4()}", "kind": "recurring", "schedule": WEEKLY, "steps": [{"template": "check_in"}]} | changes
    with unit_of_work(world.engine, boss, world.now) as work:
        campaign = launch_campaign.create(work, content, rules.read(asked))
    launch_campaign.approve(world.engine, world.vault, content, boss, asked["name"], world.now)
    return campaign.id


def programme(world: World, boss: Actor, steps: list[dict[str, Any]], **schedule: Any) -> UUID:
    return launch(world, boss, kind="programme", schedule={"at": "11:00", **schedule}, steps=[{"template": "check_in", **step} for step in steps])


def plan(world: World, at: datetime) -> None:
    while plan_due.plan_due(world.engine, world.vault, CONTENT, silent, at):
        pass


def days(world: World, since: datetime, count: int, step: timedelta = HOUR) -> None:
    """Let the clock plan each hour of some days."""
    for n in range(int(count * DAY / step) + 1):
        plan(world, since + n * step)


def dues(world: World, state: str = "planned") -> list[datetime]:
    return [row.due_at for row in world.rows("SELECT due_at FROM occurrences WHERE state = :state ORDER BY due_at", state=state)]


def skipped(world: World) -> list[str]:
    return [row.reason for row in world.rows("SELECT reason FROM occurrences WHERE state = 'skipped' ORDER BY due_at")]


def test_a_weekly_text_leaves_each_week_on_the_clients_own_clock(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    launch(world, boss)
    days(world, now, 14)
    assert dues(world) == [NINE, NINE + 7 * DAY]
    assert len(world.bodies()) == 2


def test_whoever_joins_shortly_before_is_texted_and_whoever_left_is_not(world: World, boss: Actor, now: datetime) -> None:
    leaver = world.client()
    launch(world, boss)
    plan(world, now)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        clients.set_status(work, leaver, "closed", "moved away")
    newcomer = world.client()
    plan(world, NINE)
    assert [row.client_id for row in world.rows("SELECT client_id FROM occurrences")] == [newcomer]


def test_planning_again_plans_no_round_twice(world: World, boss: Actor, now: datetime) -> None:
    campaign_id = launch(world, boss, schedule={**WEEKLY, "spread": "2h"})
    client_id = world.client()
    plan(world, NINE)
    world.run("UPDATE clients SET opens = '10:00', closes = '12:00' WHERE id = :id", id=client_id)
    world.run("UPDATE campaigns SET spec = jsonb_set(spec, '{to_do}', CAST(:to_do AS jsonb)) WHERE id = :id", id=campaign_id,
              to_do=f'{{"from": "{now.isoformat()}"}}')  # fmt: skip
    plan(world, NINE + HOUR)
    assert world.value("SELECT count(*) FROM occurrences") == 1


def test_a_planner_that_was_away_sends_what_is_still_worth_it(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    launch(world, boss, schedule={**WEEKLY, "lasts": "24h"})
    plan(world, now)
    plan(world, NINE + 8 * DAY - HOUR)
    assert dues(world) == [NINE + 7 * DAY]
    assert skipped(world) == ["its time passed"]


@pytest.mark.parametrize(("policy", "day", "reason"), [
    ("send", 11, None), ("before", 10, "moved to before a holiday"), ("after", 13, "moved to after a holiday")])  # fmt: skip
def test_a_holiday_moves_a_text_as_the_campaign_says(world: World, boss: Actor, now: datetime, policy: str, day: int, reason: str | None) -> None:
    with unit_of_work(world.engine, SYSTEM, now) as work:
        for on in (11, 12):
            holidays.add(work, world.unit_id, date(2026, 2, on), "Tết")
    world.client()
    launch(world, boss, schedule={**WEEKLY, "at": "17:00", "holidays": policy})
    days(world, now, 5)
    assert dues(world) == [datetime(2026, 2, day, 10, tzinfo=UTC)]
    assert world.value("SELECT reason FROM outbound") == reason


def test_a_holiday_of_the_unit_above_holds_below_until_a_unit_says_otherwise(world: World, boss: Actor, now: datetime) -> None:
    below = builders.unit(world.engine, now, "P01-01", world.unit_id)
    at_work = builders.unit(world.engine, now, "P01-02", world.unit_id)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        holidays.add(work, world.unit_id, date(2026, 2, 11), "Tết")
        holidays.remove(work, at_work, date(2026, 2, 11))
    world.client(unit_id=below)
    texted = world.client(unit_id=at_work)
    launch(world, boss, schedule={**WEEKLY, "holidays": "skip"})
    plan(world, NINE)
    assert [row.client_id for row in world.rows("SELECT client_id FROM outbound")] == [texted]
    assert skipped(world) == ["holiday"]


def test_a_village_does_not_ring_all_at_once(world: World, boss: Actor, now: datetime) -> None:
    for _ in range(20):
        world.client()
    world.client(hours=Window(time(9, 30), time(10)))
    launch(world, boss, schedule={**WEEKLY, "spread": "2h"})
    days(world, NINE - HOUR, 1)
    found = dues(world)
    assert len(found) == 21 and len(set(found)) > 15
    assert all(NINE <= due < NINE + 2 * HOUR for due in found)
    narrow = world.value("SELECT due_at FROM occurrences o JOIN clients c ON c.id = o.client_id WHERE c.opens IS NOT NULL")
    assert NINE + 30 * MINUTE <= narrow < NINE + HOUR


def test_a_sequence_gives_each_client_the_next_text_of_their_topics(world: World, boss: Actor, now: datetime) -> None:
    both, one = (world.client(consent=("service_information",)) for _ in range(2))
    world.run("UPDATE clients SET groups = '{jobs,housing}' WHERE id = :id", id=both)
    world.run("UPDATE clients SET groups = '{housing}' WHERE id = :id", id=one)
    steps = [{"template": "service_information", "topic": topic, "values": {"info": f"{topic} {n}", "phone": "0238 555 0100"}}
             for topic, n in (("jobs", 1), ("housing", 1), ("housing", 2))]  # fmt: skip
    launch(world, boss, steps=steps)
    for week in range(4):
        plan(world, NINE + week * 7 * DAY)
    said = {each: [body.split("] ")[1].split(" Hỏi")[0] for body in world.bodies("client_id = :id", id=each)] for each in (both, one)}
    assert said == {both: ["jobs 1", "housing 1", "housing 2"], one: ["housing 1", "housing 2"]}


def test_a_campaign_whose_rule_ends_is_done(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    launch(world, boss, schedule={**WEEKLY, "every": "FREQ=WEEKLY;BYDAY=WE;COUNT=1"})
    days(world, now, 12)
    assert len(dues(world)) == 1
    assert world.value("SELECT state FROM campaigns") == "done"


def test_a_programme_counts_its_days_from_the_enrolment(world: World, boss: Actor, now: datetime) -> None:
    programme(world, boss, [{"day": 0}, {"day": 2, "every": 2, "times": 2}])
    world.client()
    days(world, now, 7)
    eleven = now + HOUR
    assert dues(world) == [eleven, eleven + 2 * DAY, eleven + 4 * DAY]
    assert world.value("SELECT end_reason FROM enrolments") == "all steps are done"


def test_day_0_is_the_next_day_where_its_hour_has_passed(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    programme(world, boss, [{"day": 0, "at": "09:00"}])
    days(world, now, 2)
    assert dues(world) == [NINE]


def test_a_programme_may_count_from_a_date_of_the_client_and_lists_what_is_past(world: World, boss: Actor, now: datetime) -> None:
    client_id, _ = world.client(), world.client()
    with unit_of_work(world.engine, SYSTEM, now) as work:
        enrolments.set_date(work, client_id, "discharge", date(2026, 2, 5))
    programme(world, boss, [{"day": 1}, {"day": 7}], since="discharge")
    days(world, now, 4)
    assert dues(world) == [datetime(2026, 2, 12, 4, tzinfo=UTC)]
    assert skipped(world) == ["in the past"]
    assert world.value("SELECT count(*) FROM enrolments") == 1


def test_a_date_that_changes_takes_the_coming_texts_with_it(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client()
    with unit_of_work(world.engine, SYSTEM, now) as work:
        enrolments.set_date(work, client_id, "discharge", date(2026, 2, 9))
    programme(world, boss, [{"day": 2}], since="discharge")
    plan(world, now)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        enrolments.set_date(work, client_id, "discharge", date(2026, 2, 11))
    days(world, now + 10 * MINUTE, 4)
    assert dues(world) == [datetime(2026, 2, 13, 4, tzinfo=UTC)]


@pytest.mark.parametrize("event", ["reply", "appointment_booked", "appointment_attended"])
def test_a_programme_ends_with_the_event_it_names(world: World, boss: Actor, now: datetime, event: str) -> None:
    client_id = world.client()
    visit = world.appointment(client_id, now + 9 * DAY) if event == "appointment_attended" else None
    programme(world, boss, [{"day": 1}, {"day": 2}], exit=[event])
    days(world, now + HOUR, 1)
    leave_for_good(world)
    if event == "appointment_booked":
        world.appointment(client_id, now + 9 * DAY)
        world.run("UPDATE appointments SET created_at = :at", at=now + DAY + 2 * HOUR)
    if visit is not None:
        world.run("UPDATE appointments SET status = 'attended', updated_at = :at", at=now + DAY + 2 * HOUR)
    if event == "reply":
        world.run("""INSERT INTO inbound (id, unit_id, channel_id, client_id, key_id, carrier_id, from_enc, from_hash, body_enc, body_hash,
          received_at) SELECT id, unit_id, :channel, id, key_id, '1', '', '', '', '', :at FROM clients""", channel=world.channel_id,
          at=now + DAY + 2 * HOUR)  # fmt: skip
    days(world, now + DAY + 3 * HOUR, 2)
    assert len(dues(world)) == 1
    assert world.value("SELECT end_reason FROM enrolments") == event


def test_a_text_already_written_is_cancelled_when_the_programme_ends(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client()
    programme(world, boss, [{"day": 0}], exit=["appointment_booked"])
    plan(world, now)
    plan(world, now + 11 * HOUR)  # in the night: the text waits for the morning
    world.appointment(client_id, now + 9 * DAY)
    world.run("UPDATE appointments SET created_at = :at", at=now + 11 * HOUR)
    plan(world, now + 12 * HOUR)
    assert [(row.state, row.reason) for row in world.rows("SELECT state, reason FROM outbound")] == [("cancelled", "appointment_booked")]


def test_a_second_person_approves_what_many_will_get_once_they_have_a_date(world: World, boss: Actor) -> None:
    for _ in range(2):
        world.client()
    asked = {"name": "P", "kind": "programme", "schedule": {"since": "discharge"}, "steps": [{"template": "check_in", "day": 1}]}
    with unit_of_work(world.engine, boss, world.now) as work:
        launch_campaign.create(work, CONTENT, rules.read(asked))
    with pytest.raises(NotAllowed, match="2 people would get it"):
        launch_campaign.approve(world.engine, world.vault, CONTENT, boss, "P", world.now, self_approval_up_to=1)


def say(world: World, client_id: UUID, day: date, at: datetime) -> None:
    """Keep the client's discharge."""
    with unit_of_work(world.engine, SYSTEM, at) as work:
        enrolments.set_date(work, client_id, "discharge", day)


def leave_for_good(world: World) -> None:
    """What is planned was sent and has arrived."""
    world.run("UPDATE outbound SET state = 'submitting' WHERE state = 'planned'")
    world.run("UPDATE outbound SET state = 'delivered' WHERE state = 'submitting'")


def test_a_corrected_date_sends_no_text_twice_and_takes_along_what_is_to_come(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client()
    say(world, client_id, now.date() - 2 * DAY, now)
    programme(world, boss, [{"day": 3, "every": 3, "times": 2}, {"day": 40}], since="discharge")
    days(world, now, 2)
    leave_for_good(world)
    say(world, client_id, now.date(), now + 2 * DAY)
    days(world, now + 2 * DAY, 6)
    eleven = now + HOUR
    assert dues(world) == [eleven + DAY, eleven + 6 * DAY]
    assert len(world.bodies()) == 2


def test_a_date_put_back_sends_the_text_that_was_cancelled(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client(hours=Window(time(14), time(16)))
    say(world, client_id, now.date(), now)
    programme(world, boss, [{"day": 1}, {"day": 60}], since="discharge")
    plan(world, now)
    written = now + DAY + HOUR + 5 * MINUTE  # the text waits for the client's hours
    plan(world, written)
    say(world, client_id, now.date() + DAY, written)
    plan(world, written + 6 * MINUTE)
    assert dues(world) == [] and dues(world, "cancelled") == [now + DAY + HOUR]
    say(world, client_id, now.date(), written + 10 * MINUTE)
    days(world, written + 20 * MINUTE, 2)
    assert dues(world) == [now + DAY + HOUR] and dues(world, "cancelled") == []
    assert [row.state for row in world.rows("SELECT state FROM outbound ORDER BY state")] == ["cancelled", "planned"]


def test_who_left_by_mistake_and_is_enrolled_again_gets_the_text_of_the_day(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client(hours=Window(time(14), time(16)))
    campaign_id = programme(world, boss, [{"day": 0}, {"day": 30}], at="13:00")
    plan(world, now)
    shortly_before = now + 2 * HOUR + 55 * MINUTE
    plan(world, shortly_before)
    with unit_of_work(world.engine, SYSTEM, shortly_before) as work:
        clients.lock(work, [client_id])
        enrolments.leave(work, campaign_id, [client_id], enrolments.BY_STAFF)
    with unit_of_work(world.engine, SYSTEM, shortly_before + MINUTE) as work:
        campaign = next(each for each in campaigns.live(work) if each.id == campaign_id)
        plan_rounds.enrol_by_hand(work, campaign, [client_id])
    days(world, shortly_before + 2 * MINUTE, 1)
    assert dues(world) == [now + 3 * HOUR]
    assert len(world.bodies("state = 'planned'")) == 1


def test_a_reply_from_a_shared_phone_ends_the_programme_of_its_people(world: World, boss: Actor, now: datetime) -> None:
    for _ in range(2):
        world.client("+84912345678")
    world.client("+84912345679")
    programme(world, boss, [{"day": 3}], exit=["reply"])
    plan(world, now)
    with unit_of_work(world.engine) as work:
        channel = channels.get(work, world.vault, world.channel_id)
    told = Inbound("x1", "+84912345678", "+84900000000", "ok em khoe")
    receive_message.receive(world.engine, world.vault, CONTENT, channel, told, silent, now + HOUR)
    plan(world, now + 2 * HOUR)
    assert [row.end_reason for row in world.rows("SELECT end_reason FROM enrolments ORDER BY 1 NULLS LAST")] == ["reply", "reply", None]


def test_who_joins_a_topic_after_the_enrolment_gets_its_steps(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client()
    programme(world, boss, [{"day": 3, "topic": "work"}])
    days(world, now, 1)
    world.run("UPDATE clients SET groups = '{work}' WHERE id = :id", id=client_id)
    days(world, now + DAY, 5)
    assert dues(world) == [now + 3 * DAY + HOUR]
    assert world.value("SELECT end_reason FROM enrolments") == "all steps are done"


def test_a_holiday_added_the_evening_before_leaves_a_text_listed_that_should_have_left_before_it(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    launch(world, boss, schedule={**WEEKLY, "holidays": "before"})
    plan(world, now)
    plan(world, NINE - 12 * HOUR)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        holidays.add(work, world.unit_id, date(2026, 2, 11), "Tết")
    days(world, NINE - 11 * HOUR, 3)
    assert skipped(world) == ["holiday"] and dues(world) == []


def test_a_text_that_left_before_the_holiday_is_not_listed_again_on_its_day(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    with unit_of_work(world.engine, SYSTEM, now) as work:
        holidays.add(work, world.unit_id, date(2026, 2, 18), "Tết")
    launch(world, boss, schedule={**WEEKLY, "holidays": "before"})
    days(world, now, 10)
    assert dues(world) == [NINE, NINE + 6 * DAY] and skipped(world) == []


def test_a_step_that_a_late_holiday_takes_to_a_day_before_is_listed_too(world: World, boss: Actor, now: datetime) -> None:
    world.client()
    programme(world, boss, [{"day": 2}], holidays="before", at="09:00")
    days(world, now, 1)
    with unit_of_work(world.engine, SYSTEM, now) as work:
        holidays.add(work, world.unit_id, date(2026, 2, 12), "Tết")
    days(world, now + DAY + 2 * HOUR, 2)
    assert skipped(world) == ["holiday"] and dues(world) == []


def test_who_has_had_all_steps_gets_those_that_a_corrected_date_brings(world: World, boss: Actor, now: datetime) -> None:
    client_id = world.client()
    say(world, client_id, date(2026, 2, 1), now)  # typed wrongly
    programme(world, boss, [{"day": 1}, {"day": 9}, {"day": 20}], since="discharge")
    days(world, now, 14)
    assert world.value("SELECT end_reason FROM enrolments") == "all steps are done"
    leave_for_good(world)
    say(world, client_id, date(2026, 2, 22), now + 14 * DAY)
    days(world, now + 14 * DAY, 40)
    assert [at.date() for at in dues(world)] == [date(2026, 2, 10), date(2026, 2, 21), date(2026, 2, 23)]  # no step twice
    assert world.value("SELECT end_reason FROM enrolments") == "all steps are done"


@pytest.mark.parametrize("reason", ["ended by staff", "reply", "client closed"])
def test_who_left_a_programme_is_not_brought_back_by_a_corrected_date(world: World, boss: Actor, now: datetime, reason: str) -> None:
    client_id = world.client()
    say(world, client_id, date(2026, 2, 9), now)
    programme(world, boss, [{"day": 1}, {"day": 9}], since="discharge")
    days(world, now, 1)
    world.run("UPDATE enrolments SET ended_at = now(), end_reason = :reason", reason=reason)
    say(world, client_id, date(2026, 2, 20), now + DAY)
    days(world, now + DAY, 20)
    assert world.value("SELECT end_reason FROM enrolments") == reason
