"""A whole check-in week by campaign: everybody is asked once, and every answer, silence, stop and cry for help leads where it should."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.store import campaigns, clients, enrolments, flags
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import launch_campaign, notice_silence, plan_due, preview_campaign
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT
from tests.usecases.test_sessions import DAY, HOUR, Talk, changed

MONDAY: Mapping[str, Any] = {"name": "Monday", "kind": "one_off", "steps": [{"dialogue": "weekly_check_in", "lasts": "24h"}]}


@pytest.fixture
def talk(engine: Engine, vault: Vault, now: datetime) -> Talk:
    here = builders.world(engine, vault, now)
    return Talk(here, here.staff("+84911999999", role="supervisor"), here.client(language="en"), now)


def boss(talk: Talk) -> Actor:
    return Actor(talk.staff_id, talk.world.unit_id, "supervisor")


def launch(talk: Talk, **changes: Any) -> campaigns.Campaign:
    asked = {**MONDAY, **changes}
    with unit_of_work(talk.world.engine, boss(talk), talk.now) as work:
        made = launch_campaign.create(work, talk.content, rules.read(asked))
    launch_campaign.approve(talk.world.engine, talk.world.vault, talk.content, boss(talk), asked["name"], talk.now)
    return made


def pass_time(talk: Talk, hours: float, every: timedelta = HOUR) -> None:
    """The clock's work, hour by hour."""
    until = talk.now + timedelta(hours=hours)
    while talk.now <= until:
        while plan_due.plan_due(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now):
            pass
        talk.leave()
        notice_silence.notice(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now)
        talk.now += every


def statuses(talk: Talk) -> Counter[str]:
    return Counter(row.status for row in talk.world.rows("SELECT status FROM sessions"))


def test_a_check_in_week(talk: Talk) -> None:
    habits = ["1"] * 5 + ["2"] * 2 + ["fine thanks", "", "", "late", "STOP", "i want to kill myself", "qqqq"]
    clients = {talk.world.client(language="en"): habit for habit in habits}
    launch(talk)
    pass_time(talk, 2)
    for client, habit in clients.items():
        if habit not in ("", "late"):
            talk.say(habit, after=timedelta(0), phone=talk.world.phone_of(client))
    pass_time(talk, 72)
    silent = [client for client, habit in clients.items() if habit in ("", "late")]
    assert set(flagged(talk, "no_reply")) == {*silent, talk.client, *by_habit(clients, "qqqq")}
    for client in by_habit(clients, "late"):
        talk.say("1", phone=talk.world.phone_of(client))
    pass_time(talk, 72)
    assert Counter(talk.flags()) == {"no_reply": 4, "not_well": 2, "crisis": 1}
    assert talk.flags("closed") == ["no_reply"]
    assert statuses(talk) == {"ended": 9, "with_person": 5, "stopped": 1}
    asked = talk.world.rows("SELECT client_id, count(*) AS n FROM outbound WHERE occurrence_id IS NOT NULL GROUP BY 1")
    assert {row.client_id: row.n for row in asked} == dict.fromkeys([*clients, talk.client], 1)


def flagged(talk: Talk, reason: str) -> list[UUID]:
    return [row.client_id for row in talk.world.rows("SELECT client_id FROM flags WHERE reason = :reason", reason=reason)]


def by_habit(clients: Mapping[UUID, str], wanted: str) -> list[UUID]:
    return [client for client, habit in clients.items() if habit == wanted]


def test_planning_twice_begins_one_session(talk: Talk) -> None:
    launch(talk)
    pass_time(talk, 5)
    talk.world.run("UPDATE occurrences SET state = 'waiting'")
    pass_time(talk, 1)
    assert [talk.world.value(f"SELECT count(*) FROM {table}") for table in ("sessions", "outbound")] == [1, 1]


def test_whoever_is_in_an_open_dialogue_is_counted_with_the_reason(talk: Talk) -> None:
    other = talk.world.client(language="en")
    talk.start("weekly_check_in", other)
    talk.leave()
    made = launch(talk)
    pass_time(talk, 1)
    with unit_of_work(talk.world.engine) as work:
        counts = campaigns.counts(work, made.id)
    assert counts.planned == 2
    assert counts.reasons == {("suppressed", "another dialogue is open: weekly_check_in"): 1}


def test_a_more_urgent_campaign_suspends_and_what_was_to_be_sent_is_cancelled(talk: Talk) -> None:
    talk.start("needs_check")  # not sent yet
    launch(talk)
    pass_time(talk, 1)
    assert statuses(talk) == {"suspended": 1, "waiting": 1}
    assert talk.world.value("SELECT count(*) FROM outbound WHERE state = 'cancelled'") == 1


def test_a_less_urgent_campaign_asks_once_the_open_question_is_answered(talk: Talk) -> None:
    talk.start("daily_visit")
    talk.leave()
    launch(talk)
    pass_time(talk, 3)
    assert statuses(talk) == {"waiting": 1, "suspended": 1}
    assert [row.state for row in weekly(talk)] == ["cancelled"]
    talk.say("1")
    pass_time(talk, 1)
    assert statuses(talk) == {"ended": 1, "waiting": 1}
    talk.say("1")
    assert statuses(talk) == {"ended": 2}


def test_a_less_urgent_campaign_asks_though_the_open_question_is_never_answered(talk: Talk) -> None:
    talk.start("daily_visit")
    talk.leave()
    launch(talk)
    pass_time(talk, 72)
    assert flagged(talk, "day_not_confirmed")
    close_flags(talk)
    pass_time(talk, 2)
    assert [row.state for row in weekly(talk)] == ["cancelled", "delivered"]


def test_a_question_that_waits_behind_another_leaves_nothing_after_a_stop(talk: Talk) -> None:
    talk.start("daily_visit")
    talk.leave()
    launch(talk)
    pass_time(talk, 1)
    talk.say("STOP")
    pass_time(talk, 72)
    assert statuses(talk) == {"stopped": 2}
    assert [row.state for row in weekly(talk)] == ["cancelled"]


def weekly(talk: Talk) -> list[Any]:
    """The texts that put the weekly question."""
    return talk.world.rows("SELECT state FROM outbound WHERE purpose = 'dialogues/weekly_check_in' ORDER BY created_at, id")


def close_flags(talk: Talk) -> None:
    with unit_of_work(talk.world.engine, boss(talk), talk.now) as work:
        for flag in flags.list_open(work):
            flags.close(work, flag.id, "spoke_to_client")


def test_a_client_who_answers_just_now_is_left_for_the_next_batch(talk: Talk) -> None:
    talk.start("needs_check")
    launch(talk)
    with unit_of_work(talk.world.engine) as work:
        work.connection.exec_driver_sql("SELECT FROM sessions FOR UPDATE")
        pass_time(talk, 0)
        assert statuses(talk) == {"waiting": 1}
    pass_time(talk, 0)
    assert statuses(talk) == {"suspended": 1, "waiting": 1}


def test_two_campaigns_of_dialogues_at_the_same_moment_ask_one_question(talk: Talk) -> None:
    launch(talk)
    launch(talk, name="Needs", steps=[{"dialogue": "needs_check"}])
    pass_time(talk, 1)
    assert statuses(talk).total() - statuses(talk)["suspended"] == 1


def test_a_campaign_keeps_the_version_it_was_approved_with(talk: Talk, tmp_path: Any) -> None:
    launch(talk, steps=[{"dialogue": "weekly_check_in", "not_before": (talk.now + DAY).isoformat()}])
    talk.content = changed(tmp_path, "weekly_check_in", "en.txt", "Are things all right", "ARE THINGS FINE")
    pass_time(talk, 26)
    assert talk.heard()[0].startswith("Hello. Are things all right")
    talk.say("1")
    assert talk.session()["status"] == "ended"


def test_the_preview_shows_the_first_question_and_a_client_of_discreet_level_2_gets_a_text_before_it(talk: Talk) -> None:
    quiet = talk.world.client(language="en", discreet=2)
    with unit_of_work(talk.world.engine, boss(talk), talk.now) as work:
        made = launch_campaign.create(work, CONTENT, rules.read(MONDAY))
        seen = preview_campaign.preview(work, talk.world.vault, CONTENT, made)
    assert (seen.recipients, seen.texts, seen.faults) == (2, 3, {})
    assert seen.samples["en"][0].body.startswith("Hello. Are things all right")
    launch_campaign.approve(talk.world.engine, talk.world.vault, CONTENT, boss(talk), "Monday", talk.now)
    pass_time(talk, 1)
    phone = talk.world.phone_of(quiet)
    talk.say("1", phone=phone)
    assert talk.session(quiet)["status"] == "waiting"
    talk.say("1", phone=phone)
    assert talk.session(quiet)["status"] == "ended"


@pytest.mark.parametrize(("steps", "said"), [
    ([{"dialogue": "nothing"}], "no template 'dialogues/nothing'"),
    ([{"dialogue": "weekly_check_in", "template": "check_in"}], "not both"),
    ([{"dialogue": 3}], "template is missing"),
])  # fmt: skip
def test_a_campaign_of_a_dialogue_that_cannot_be_is_refused(talk: Talk, steps: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(Refused, match=said):
        launch(talk, steps=steps)


@pytest.mark.parametrize("state", ["cancelled", "paused"])
def test_a_campaign_that_is_cancelled_or_paused_reminds_nobody(talk: Talk, state: str) -> None:
    launch(talk, steps=[{"dialogue": "after_discharge_welcome", "lasts": "24h"}])
    pass_time(talk, 2)
    set_campaign(talk, state)
    pass_time(talk, 60)
    assert talk.world.value("SELECT count(*) FROM outbound") == 1
    assert (talk.flags(), talk.session()["status"]) == ([], {"cancelled": "stopped", "paused": "waiting"}[state])


def test_a_campaign_that_is_resumed_goes_on_with_the_silence(talk: Talk) -> None:
    launch(talk, steps=[{"dialogue": "after_discharge_welcome", "lasts": "24h"}])
    pass_time(talk, 2)
    set_campaign(talk, "paused")
    pass_time(talk, 8)
    talk.world.run("UPDATE campaigns SET state = 'running'")
    pass_time(talk, 60)
    assert talk.world.value("SELECT count(*) FROM outbound") == 2
    assert talk.flags() == ["no_reply"]


def test_a_reminder_belongs_to_the_campaign_of_its_question(talk: Talk) -> None:
    made = launch(talk, steps=[{"dialogue": "after_discharge_welcome", "lasts": "24h"}])
    pass_time(talk, 14)
    assert [row.campaign_id for row in talk.world.rows("SELECT campaign_id FROM outbound")] == [made.id] * 2


@pytest.mark.parametrize(("reason", "reminded"), [(enrolments.BY_STAFF, False), (enrolments.ALL_DONE, True)])
def test_whoever_left_a_programme_is_not_reminded(talk: Talk, reason: str, reminded: bool) -> None:
    made = launch(talk, kind="programme", schedule={"at": "11:00"}, steps=[{"dialogue": "after_discharge_welcome", "day": 0}])
    pass_time(talk, 3)
    assert talk.world.value("SELECT count(*) FROM outbound") == 1
    with unit_of_work(talk.world.engine, now=talk.now) as work:
        clients.lock(work, [talk.client])
        enrolments.leave(work, made.id, [talk.client], reason)
    talk.world.run("UPDATE enrolments SET ended_at = now(), end_reason = :reason", reason=reason)
    pass_time(talk, 12)
    assert talk.world.value("SELECT count(*) FROM outbound") == 1 + reminded


def set_campaign(talk: Talk, state: str) -> None:
    if state == "cancelled":
        launch_campaign.cancel(talk.world.engine, boss(talk), "Monday", "wrong wording", talk.now)
    else:
        with unit_of_work(talk.world.engine, boss(talk), talk.now) as work:
            launch_campaign.pause(work, "Monday", "wrong wording")
