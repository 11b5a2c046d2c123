"""A cry for help while people are being asked things: nobody on the phone is asked any more."""

from datetime import datetime

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.usecases import notice_silence
from gateway.vault import Vault
from tests import builders
from tests.usecases.test_sessions import DAY, HOUR, Talk

CRY = "i want to kill myself"


@pytest.fixture
def talk(engine: Engine, vault: Vault, now: datetime) -> Talk:
    here = builders.world(engine, vault, now)
    return Talk(here, here.staff("+84911999999"), here.client(language="en"), now)


def asked_again(talk: Talk, hours: int = 12) -> int:
    """How many bulk texts there are when so many hours have gone by."""
    for _ in range(hours):
        talk.now += HOUR
        notice_silence.notice(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now)
    count: int = talk.world.value("SELECT count(*) FROM outbound WHERE lane = 2 AND state <> 'cancelled'")
    return count


def test_after_a_cry_for_help_nobody_on_a_shared_phone_is_asked_again(talk: Talk) -> None:
    other = talk.world.client(talk.phone, language="en")
    talk.start("after_discharge_welcome", talk.client)
    talk.start("after_discharge_welcome", other)
    talk.leave()
    talk.say(CRY, phone=talk.phone)
    assert "crisis" in talk.flags()
    assert asked_again(talk) == 2
    assert {row.status for row in talk.world.rows("SELECT status FROM sessions")} == {"with_person"}


def test_after_a_cry_for_help_beside_a_newer_question_the_dialogue_asks_no_more(talk: Talk) -> None:
    talk.start("after_discharge_welcome")
    talk.leave()
    talk.now += HOUR
    visit = talk.world.appointment(talk.client, talk.now + 2 * DAY)
    reminder = talk.world.planned(talk.client, purpose="appointment_reminder_1d", expects="appointment", about_id=visit)
    talk.world.run("UPDATE outbound SET created_at = :now WHERE id = :id", now=talk.now, id=reminder)
    talk.leave()
    talk.say(CRY)
    assert asked_again(talk) == 2
    assert talk.session()["status"] == "with_person"
