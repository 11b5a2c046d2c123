"""A rehearsal says what the clock will really plan, and what the sender's judge will make of it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from gateway.domain import campaigns as rules
from gateway.domain.windows import Window
from gateway.queues import silent
from gateway.store import base, campaigns, clients, enrolments, holidays, units
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import (
    launch_campaign,
    notice_silence,
    plan_due,
    rehearse_campaign,
    send_due,
    start_dialogue,
)
from gateway.usecases.rehearse_campaign import Rehearsal
from gateway.vault import Vault
from tests import builders, servers
from tests.builders import CONTENT, World

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
WEEKLY: Mapping[str, Any] = {"every": "FREQ=WEEKLY;BYDAY=WE", "at": "09:00", "spread": "2h", "holidays": "after"}
NINE = datetime(2026, 2, 11, 2, tzinfo=UTC)


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


@pytest.fixture
def boss(world: World) -> Actor:
    return Actor(world.staff("+84980000001", role="supervisor"), world.unit_id, "supervisor")


def draft(world: World, boss: Actor, **changes: Any) -> str:
    asked = {"name": "R", "kind": "recurring", "schedule": WEEKLY, "steps": [{"template": "check_in"}]} | changes
    with unit_of_work(world.engine, boss, world.now) as work:
        launch_campaign.create(work, CONTENT, rules.read(asked))
    return str(asked["name"])


def rehearse(world: World, boss: Actor, days: float, name: str = "R") -> Rehearsal:
    with unit_of_work(world.engine, boss, world.now) as work:
        return rehearse_campaign.rehearse(work, world.vault, CONTENT, campaigns.by_name(work, name), world.now + days * DAY, limit=3)


def sent(seen: Rehearsal) -> dict[date, int]:
    days: Counter[date] = Counter()
    for (on, _), day in seen.days.items():
        days[on] += day.sent
    return {on: count for on, count in sorted(days.items()) if count}


def reality(world: World, boss: Actor, days: float) -> dict[date, int]:
    """What the clock plans in these days, by the day of the clients' clocks on which it would leave."""
    launch_campaign.approve(world.engine, world.vault, CONTENT, boss, "R", world.now)
    for n in range(int(days * 24)):
        while plan_due.plan_due(world.engine, world.vault, CONTENT, silent, world.now + n * HOUR):
            pass
    rows = world.rows("""SELECT greatest(o.send_after, u.due_at) AS at, coalesce(c.time_zone, 'Asia/Ho_Chi_Minh') AS zone FROM outbound o
      JOIN occurrences u ON u.id = o.occurrence_id JOIN clients c ON c.id = o.client_id""")
    return dict(sorted(Counter(row.at.astimezone(ZoneInfo(row.zone)).date() for row in rows).items()))


def people(world: World) -> None:
    """Clients with hours, zones, consents and levels of their own."""
    for n in range(7):
        client_id = world.client(hours=Window(time(12), time(20)) if n == 1 else None, consent=() if n == 2 else ("check_in",))
        zone = "Europe/London" if n == 3 else None
        world.run("UPDATE clients SET time_zone = :zone, discreet = :level WHERE id = :id", zone=zone, level=2 if n == 4 else 1, id=client_id)
        with unit_of_work(world.engine, SYSTEM, world.now) as work:
            enrolments.set_date(work, client_id, "discharge", date(2026, 2, 8 + n))
    with unit_of_work(world.engine, SYSTEM, world.now) as work:
        holidays.add(work, world.unit_id, date(2026, 2, 18), "Tết")


@pytest.mark.parametrize("changes", [
    {}, {"schedule": {**WEEKLY, "every": "FREQ=DAILY", "holidays": "before"}},
    {"kind": "programme", "schedule": {"at": "08:00"}, "steps": [{"template": "check_in", "day": 1, "every": 3, "times": 3}]},
    {"kind": "programme", "schedule": {"at": "10:00", "since": "discharge", "holidays": "skip", "weekdays": ["mo", "we", "fr"]},
     "steps": [{"template": "check_in", "day": 2, "every": 2, "times": 6}]},
])  # fmt: skip
def test_what_is_rehearsed_is_what_is_planned(world: World, boss: Actor, changes: dict[str, Any]) -> None:
    people(world)
    draft(world, boss, **changes)
    until = 9 + 14 / 24  # midnight there
    seen = rehearse(world, boss, until)
    assert sent(seen) == reality(world, boss, until)
    assert sum(sent(seen).values()) > 6


def test_it_says_what_is_held_or_skipped_and_why(world: World, boss: Actor) -> None:
    people(world)
    draft(world, boss, prices={"+84": 450, "currency": "VND"})
    seen = rehearse(world, boss, 12)
    assert seen.days[date(2026, 2, 11), "check_in"].held == {"quiet hours": 1}
    assert seen.days[date(2026, 2, 19), "check_in"].held == {"moved to after a holiday": 5, "moved to after a holiday; quiet hours": 1}
    assert seen.days[date(2026, 2, 11), "check_in"].skipped == {"no consent for check_in": 1}
    assert seen.holidays == {date(2026, 2, 18): "Tết"}
    week = seen.weeks()[date(2026, 2, 9)]
    assert (week.sent, week.texts, week.segments, week.cost) == (6, 7, 7, 7 * 450)
    assert (seen.clients, seen.reached) == (7, 6)


def test_a_cap_holds_what_is_too_much_and_the_rehearsal_knows(world: World, boss: Actor) -> None:
    world.client()
    with unit_of_work(world.engine, SYSTEM, world.now) as work:
        province = units.get(work, world.unit_id)
        units.save(work, replace(province, texts_a_week=2))
    draft(world, boss, schedule={"every": "FREQ=DAILY", "at": "09:00", "lasts": "24h"})
    seen = rehearse(world, boss, 7)
    assert sum(sent(seen).values()) == 2
    assert sum((day.skipped for day in seen.days.values()), Counter()) == {"enough texts this week; its time passes before then": 5}


def test_it_marks_both_clock_changes_of_a_year_and_keeps_nothing(world: World, boss: Actor) -> None:
    world.run("UPDATE units SET time_zone = 'Europe/London'")
    world.client()
    draft(world, boss)
    seen = rehearse(world, boss, 365)
    assert list(seen.clock_changes) == [date(2026, 3, 29), date(2026, 10, 25)]
    assert {(day.first >= "09:00", day.last < "11:00") for day in seen.days.values()} == {(True, True)}
    assert world.value("SELECT count(*) FROM occurrences") + world.value("SELECT count(*) FROM outbound") == 0


@pytest.mark.parametrize("changes", [
    {"kind": "one_off", "schedule": {}, "steps": [{"template": "check_in", "at": "11:00"}]},
    {"kind": "reminders", "schedule": {}, "steps": [{"template": "appointment_reminder_1d", "before": "1d"}]},
])  # fmt: skip
def test_other_campaigns_can_be_rehearsed_too(world: World, boss: Actor, now: datetime, changes: dict[str, Any]) -> None:
    client_id = world.client()
    world.appointment(client_id, now + 2 * DAY)
    draft(world, boss, **changes)
    seen = rehearse(world, boss, 5)
    assert sum(sent(seen).values()) == 1
    assert sent(seen) == reality(world, boss, 5)


def test_no_more_than_the_units_week_leaves(world: World, now: datetime) -> None:
    client_id = world.client()
    world.run("UPDATE units SET texts_a_week = 1")
    first = world.planned(client_id)
    send_due.claim(world.engine, world.vault, world.channel_id, 10, now)
    world.run("UPDATE outbound SET state = 'accepted'")
    second = world.planned(client_id, send_before=now + 9 * DAY)
    for days, state in ((2, "planned"), (6, "planned"), (8, "submitting")):
        send_due.claim(world.engine, world.vault, world.channel_id, 10, now + days * DAY)
        assert world.state(second) == state
        world.run("UPDATE outbound SET send_after = :at WHERE state = 'planned'", at=now)
    assert world.state(first) == "accepted"


def test_the_unit_above_may_narrow_what_a_unit_allows(world: World, now: datetime) -> None:
    below = builders.unit(world.engine, now, "P01-01", world.unit_id)
    with unit_of_work(world.engine) as work:
        units.save(work, replace(units.get(work, world.unit_id), texts_a_day=1))
        units.save(work, replace(units.get(work, below), texts_a_day=2, texts_a_week=5))
        found = units.caps(work, [below])
    assert (found[str(below)].a_day, found[str(below)].a_week) == (1, 5)


@pytest.mark.parametrize(("own", "of_unit", "days"), [((1, None), (None, None), [0, 1, 2]), ((None, 2), (None, None), [0, 0]), ((3, 9), (1, 2), [0, 1])])
def test_a_clients_own_figure_holds_where_it_is_the_narrower(world: World, boss: Actor, now: datetime, own: Any, of_unit: Any, days: list[int]) -> None:
    client_id = world.client()
    for table, (a_day, a_week) in (("clients", own), ("units", of_unit)):
        world.run(f"UPDATE {table} SET texts_a_day = :a_day, texts_a_week = :a_week", a_day=a_day, a_week=a_week)
    texts = [world.planned(client_id, body=f"Canary {n}", send_after=now + n * HOUR, send_before=now + 2.5 * DAY) for n in range(3)]
    for hour in range(61):
        send_due.claim(world.engine, world.vault, world.channel_id, 10, now + hour * HOUR)
        world.run("UPDATE outbound SET state = 'accepted' WHERE state = 'submitting'")
    left = world.rows("SELECT state_at FROM outbound WHERE state = 'accepted' ORDER BY 1")
    assert ([(row.state_at - now) // DAY for row in left], len(texts)) == (days, 3)

    draft(world, boss, schedule={"every": "FREQ=DAILY", "at": "13:00", "lasts": "12h"})
    with_own = rehearse(world, boss, 6)
    assert max(sent(with_own).values(), default=0) <= 1


def a_world(world: World, chance: Random, sharing: float = 0.3) -> None:
    """People with hours, caps and zones of their own, on phones of their own or shared, some in a dialogue or texted lately."""
    week = chance.choice([None, 2, 4])
    world.run("UPDATE units SET texts_a_day = :a_day, texts_a_week = :a_week", a_day=chance.choice([None, 1, 2]), a_week=week)
    phone = None
    for n in range(8):
        phone = phone if n and chance.random() < sharing else None
        if phone is None:  # of two due at once on a shared phone either may be first: it makes no difference where they are alike
            own = {"a_day": chance.choice([None, 1]), "a_week": chance.choice([None, None, 3]), "zone": chance.choice([None, "Asia/Tokyo", "Mars/Olympus"])}
            opens = chance.choice([None, 10, 15])
        client_id = world.client(phone, hours=Window(time(opens), time(19)) if opens else None,
                                 consent=("check_in",) if chance.random() < 0.9 else ())  # fmt: skip
        phone = world.phone_of(client_id)
        world.run("UPDATE clients SET texts_a_day = :a_day, texts_a_week = :a_week, time_zone = :zone WHERE id = :id", id=client_id, **own)
        with unit_of_work(world.engine, SYSTEM, world.now) as work:
            enrolments.set_date(work, client_id, "discharge", date(2026, 2, 6 + n))
        if chance.random() < 0.3:
            world.planned(client_id, body=f"Canary {n}")
        elif chance.random() < 0.4 and world.value("SELECT granted FROM consents WHERE client_id = :id", id=client_id):
            with unit_of_work(world.engine) as work:
                code = clients.get(work, client_id).code
            actor = Actor(world.value("SELECT id FROM staff LIMIT 1"), world.unit_id, "case_worker")
            start_dialogue.start(world.engine, world.vault, CONTENT, actor, "weekly_check_in", code, world.now)
    claim(world, world.now)
    world.run("DELETE FROM sessions WHERE prompt_id IN (SELECT id FROM outbound WHERE state <> 'accepted')")
    world.run("DELETE FROM outbound WHERE state <> 'accepted'")  # what others have still to send is not known to a rehearsal


def claim(world: World, at: datetime) -> None:
    """What may leave now has left."""
    while send_due.claim(world.engine, world.vault, world.channel_id, 100, at).sends:
        world.run("UPDATE outbound SET state = 'accepted' WHERE state = 'submitting'")


SHORT: list[dict[str, Any]] = [
    {"schedule": {"every": "FREQ=DAILY", "at": "09:00", "lasts": "12h"}},
    {"schedule": {"every": "FREQ=DAILY", "at": "18:00", "lasts": "20h"}, "steps": [{"dialogue": "weekly_check_in"}]},
    {"schedule": {"every": "FREQ=DAILY", "at": "08:00", "lasts": "12h", "holidays": "after"}, "steps": [{"dialogue": "after_discharge_welcome"}]},
    # Of two that are due at once either may go first, and take the day's last place: none are here.
    {"kind": "programme", "schedule": {"at": "09:00", "since": "discharge", "lasts": "5h"},
     "steps": [{"template": "check_in", "day": 3}, {"dialogue": "weekly_check_in", "day": 4, "every": 2, "times": 4, "at": "11:00"}, {"template": "check_in", "day": 5}]},
]  # fmt: skip


@settings(max_examples=3, derandomize=True, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(chance=st.randoms(use_true_random=False))
@pytest.mark.parametrize("changes", SHORT, ids=["texts", "check-in", "welcome", "programme"])
def test_a_rehearsal_is_what_is_really_sent_when_nobody_answers(vault: Vault, now: datetime, changes: dict[str, Any], chance: Random) -> None:
    with servers.new_database() as made:
        engine = base.connect(made.url)
        try:
            world = builders.world(engine, vault, now)
            leader = Actor(world.staff("+84980000001", role="supervisor"), world.unit_id, "supervisor")
            a_world(world, chance, 0 if changes.get("kind") == "programme" else 0.3)
            draft(world, leader, **changes)
            end = (now + 5 * DAY).date()  # what is held beyond it also waits for texts that are due later
            rehearsed, real = sent(rehearse(world, leader, 5)), really_sent(world, leader, 5)
            assert {on: count for on, count in rehearsed.items() if on < end} == {on: count for on, count in real.items() if on < end}
        finally:
            engine.dispose()


def really_sent(world: World, boss: Actor, days: int) -> dict[date, int]:
    """By planner, sender and the look for silence, each hour; of what is due in these days."""
    launch_campaign.approve(world.engine, world.vault, CONTENT, boss, "R", world.now)
    for hour in range(days * 24):
        at = world.now + hour * HOUR
        while plan_due.plan_due(world.engine, world.vault, CONTENT, silent, at):
            pass
        claim(world, at)
        notice_silence.notice(world.engine, world.vault, CONTENT, silent, at)
        claim(world, at)
    rows = world.rows("""SELECT o.state_at, coalesce(nullif(c.time_zone, 'Mars/Olympus'), 'Asia/Ho_Chi_Minh') AS zone
      FROM outbound o JOIN occurrences u ON u.id = o.occurrence_id JOIN clients c ON c.id = o.client_id
      WHERE o.state = 'accepted' AND u.due_at < :until""", until=world.now + days * DAY)  # fmt: skip
    return dict(sorted(Counter(row.state_at.astimezone(ZoneInfo(row.zone)).date() for row in rows).items()))
