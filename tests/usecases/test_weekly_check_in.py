"""The weekly check-in of docs/scheduling.md over three weeks with Tết in between: each round a session of its own, and nobody overlooked."""

import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from gateway.domain import dialogues
from gateway.domain.rounds import MOVED_AFTER
from gateway.store import campaigns, channels
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import rehearse_campaign, seed_holidays
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT
from tests.usecases.test_check_in_week import flagged, launch, pass_time
from tests.usecases.test_find_services import service
from tests.usecases.test_sessions import DAY, HOUR, Talk

FILE = Path(__file__).parents[2] / "examples" / "campaigns" / "province-weekly-check-in.toml"
WEEKLY: Mapping[str, Any] = {**tomllib.loads(FILE.read_text("utf-8")), "audience": {}}
PURPOSE = dialogues.purpose("weekly_check_in")
SATURDAY = datetime(2027, 1, 30, 3, tzinfo=UTC)
ASKED = [date(2027, 2, 1), date(2027, 2, 11), date(2027, 2, 15)]  # the Monday of 8 February is a holiday, as are the two days after it


@pytest.fixture
def talk(engine: Engine, vault: Vault, now: datetime) -> Talk:
    here = builders.world(engine, vault, now)
    with unit_of_work(engine, SYSTEM, SATURDAY) as work:
        seed_holidays.seed(work, here.unit_id, "VN", None, [2027], "vi")
    return Talk(here, here.staff("+84911999999", role="supervisor"), here.client(language="en"), SATURDAY)


def until(talk: Talk, day: date, hour: int) -> None:
    """Let the clock work until this hour in Vietnam."""
    at = datetime(day.year, day.month, day.day, hour, tzinfo=ZoneInfo("Asia/Ho_Chi_Minh"))
    pass_time(talk, (at - talk.now) / HOUR)


def asked_on(talk: Talk) -> list[date]:
    rows = talk.world.rows("SELECT u.due_at FROM occurrences u JOIN outbound o ON o.occurrence_id = u.id WHERE u.client_id = :id "
                           "AND o.state = 'delivered' AND o.purpose = :purpose ORDER BY 1", id=talk.client, purpose=PURPOSE)  # fmt: skip
    return [row.due_at.astimezone(ZoneInfo("Asia/Ho_Chi_Minh")).date() for row in rows]


def test_three_weeks_with_tet_in_between(talk: Talk) -> None:
    world, well = talk.world, talk.client
    unwell, late, silent, leaver = (world.client(language="en") for _ in range(4))
    made = launch(talk, **WEEKLY)
    with unit_of_work(world.engine, SYSTEM, talk.now) as work:
        campaign = campaigns.by_name(work, WEEKLY["name"])
        seen = rehearse_campaign.rehearse(work, world.vault, CONTENT, campaign, talk.now + 21 * DAY)
    assert {on: day.sent for (on, purpose), day in seen.days.items() if purpose == PURPOSE} == dict.fromkeys(ASKED, 5)
    assert seen.days[ASKED[1], PURPOSE].held[MOVED_AFTER] == 5

    for week, day in enumerate(ASKED):
        until(talk, day, 12)
        for client, words in ((well, "1"), (unwell, "2" if week == 0 else "1"), (leaver, "STOP" if week == 0 else "")):
            if words:
                talk.say(words, after=timedelta(0), phone=world.phone_of(client))
        pass_time(talk, 47)
        assert Counter(flagged(talk, "no_reply")) == Counter({late: week + 1, silent: week + 1})
        talk.say("1", phone=world.phone_of(late))

    until(talk, date(2027, 2, 20), 9)
    assert asked_on(talk) == ASKED
    assert Counter(talk.flags()) == {"no_reply": 3, "not_well": 1, "losing_touch": 1}
    assert talk.flags("closed") == ["no_reply"] * 3 and flagged(talk, "losing_touch") == [silent]
    runs = Counter((row.client_id, row.status) for row in world.rows("SELECT client_id, status FROM sessions"))
    assert runs == {(well, "ended"): 3, (unwell, "ended"): 3, (late, "ended"): 3, (silent, "ended"): 2, (silent, "with_person"): 1,
                    (leaver, "stopped"): 1}  # fmt: skip
    unlinked = world.value("SELECT count(*) FROM outbound o WHERE occurrence_id IS NOT NULL AND NOT EXISTS "
                           "(SELECT FROM sessions WHERE id = o.about_id AND prompt_id = o.id)")  # fmt: skip
    assert unlinked == 0
    with unit_of_work(world.engine) as work:
        counts = campaigns.counts(work, made.id)
    assert (counts.by_state["accepted"], counts.reasons["suppressed", "opted out (stop)"]) == (13, 2)  # the leaver was asked once


def test_a_programme_begins_dialogues_too(talk: Talk) -> None:
    steps = [{"dialogue": "after_discharge_welcome", "day": 1}, {"dialogue": "weekly_check_in", "day": 3, "every": 7, "times": 2}]
    launch(talk, name="After", kind="programme", schedule={"at": "09:00"}, steps=steps)
    pass_time(talk, 40)
    talk.say("1")
    pass_time(talk, 12 * 24)
    rows = talk.world.rows("SELECT dialogue FROM sessions WHERE client_id = :id ORDER BY started_at", id=talk.client)
    assert [row.dialogue for row in rows] == ["after_discharge_welcome", "weekly_check_in", "weekly_check_in"]
    assert flagged(talk, "no_reply") == [talk.client] * 2


def test_a_chosen_need_is_answered_from_the_directory_behind_the_question(talk: Talk) -> None:
    service(talk.world, "H1")
    talk.start("needs_check")
    talk.say("4")
    ids = [row.id for row in talk.world.rows("SELECT id FROM outbound ORDER BY send_after")]
    _need, offer, near = [body for message_id in ids for body in talk.world.bodies("o.id = :id", id=message_id)]
    assert offer.startswith("Noted. We will text you") and near.startswith("House H1. ")
    assert talk.flags() == []
    talk.say("1")
    assert talk.flags() == ["referral"]


def test_a_question_says_what_its_answer_costs_and_the_last_word_does_not(talk: Talk) -> None:
    with unit_of_work(talk.world.engine) as work:
        channels.set_replies_cost(work, talk.world.channel_id, True)
    talk.start("weekly_check_in")
    talk.say("perhaps")
    talk.say("1")
    first, again, last = talk.heard()
    assert "costs a normal text" in first and "costs a normal text" in again and "cost" not in last


def test_a_campaigns_question_says_what_its_answer_costs(talk: Talk) -> None:
    with unit_of_work(talk.world.engine) as work:
        channels.set_replies_cost(work, talk.world.channel_id, True)
    launch(talk)
    pass_time(talk, 60)
    assert ["costs a normal text" in body for body in talk.heard()] == [True]


def test_a_missed_call_after_an_empty_text_is_a_call(talk: Talk) -> None:
    talk.say("")
    talk.say("", call=True)
    assert "callback" in talk.flags()


def test_a_missed_call_in_a_dialogue_is_no_answer_and_leaves_it_to_a_person(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("", call=True)
    assert talk.flags() == ["callback"] and talk.session()["status"] == "with_person"
    talk.say("1")
    assert talk.answers() == [("ask", "yes")]


def test_asking_for_what_is_near_in_a_dialogue_is_answered_and_leaves_its_question_open(talk: Talk) -> None:
    service(talk.world, "H1")
    talk.start("needs_check")
    talk.say("INFO 4")
    assert [body for body in talk.heard() if body.startswith("House H1.")] and talk.flags() == []
    assert (talk.session()["status"], talk.session()["step"]) == ("waiting", "need")
    talk.say("8")
    assert talk.answers() == [("need", "nothing")]
