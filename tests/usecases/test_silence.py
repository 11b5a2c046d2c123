"""Nobody answers: reminded, then a person is called; a late answer still counts; nothing is opened where nothing was asked."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine, text

from gateway import queues
from gateway.channels.base import Inbound
from gateway.domain.errors import Refused
from gateway.store import channels, clients, consents, flags
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import notice_silence, receive_message
from gateway.vault import Vault
from tests import builders
from tests.usecases.test_sessions import DAY, HOUR, Talk


@pytest.fixture
def talk(engine: Engine, vault: Vault, now: datetime) -> Talk:
    here = builders.world(engine, vault, now)
    return Talk(here, here.staff("+84911999999"), here.client(language="en"), now)


def wait(talk: Talk, hours: float, every: timedelta = HOUR) -> None:
    """The clock goes on, and looks for silence as it does."""
    until = talk.now + timedelta(hours=hours)
    while talk.now < until:
        talk.leave()
        talk.now = min(talk.now + every, until)
        notice(talk)


def notice(talk: Talk) -> int:
    return notice_silence.notice(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now)


def test_silence_calls_a_person_after_48_hours_and_not_before(talk: Talk) -> None:
    talk.start("weekly_check_in")
    wait(talk, 47)
    assert (talk.flags(), talk.session()["status"]) == ([], "waiting")
    wait(talk, 2)
    assert (talk.flags(), talk.session()["status"]) == (["no_reply"], "with_person")
    wait(talk, 100)
    assert talk.flags() == ["no_reply"]


def test_a_late_answer_counts_and_closes_what_silence_opened(talk: Talk) -> None:
    talk.start("weekly_check_in")
    wait(talk, 60)
    talk.say("1", after=DAY)
    assert (talk.flags(), talk.flags("closed")) == ([], ["no_reply"])
    assert talk.world.value("SELECT outcome FROM flags") == "answered_by_text"
    assert (talk.answers(), talk.session()["status"]) == ([("ask", "yes")], "ended")


def test_a_late_answer_leaves_what_a_person_closed_as_it_was(talk: Talk) -> None:
    talk.start("weekly_check_in")
    wait(talk, 60)
    talk.world.run("UPDATE flags SET state = 'closed', outcome = 'spoke_to_client', closed_at = now()")
    talk.say("2")
    assert talk.world.value("SELECT outcome FROM flags WHERE reason = 'no_reply'") == "spoke_to_client"
    assert talk.flags() == ["not_well"]


def test_a_reminder_puts_the_question_once_more_and_is_not_sent_to_one_who_has_answered(talk: Talk) -> None:
    talk.start("after_discharge_welcome")
    wait(talk, 9)
    assert len(talk.heard()) == 2
    talk.say("1")
    wait(talk, 48)
    assert (len(talk.heard()), talk.flags()) == (3, [])


def test_a_reminder_leaves_by_a_channel_that_holds_its_words(talk: Talk) -> None:
    here = talk.world
    talk.start("after_discharge_welcome")
    talk.leave()
    narrow = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="a")
    here.run("UPDATE channels SET longest = 20 WHERE id = :id", id=narrow)
    talk.now += 9 * HOUR
    notice(talk)
    assert [row.channel_id for row in here.rows("SELECT channel_id FROM outbound WHERE state = 'planned'")] == [here.channel_id]


def test_where_no_channel_holds_the_reminder_silence_still_calls_a_person(talk: Talk) -> None:
    talk.start("after_discharge_welcome")
    talk.leave()
    talk.world.run("UPDATE channels SET longest = 20")
    wait(talk, 60)
    assert (len(talk.heard()), talk.flags()) == (1, ["no_reply"])


def test_a_reminder_that_waits_for_the_morning_is_cancelled_by_an_answer(talk: Talk) -> None:
    talk.start("after_discharge_welcome")
    talk.leave()
    talk.now += 9 * HOUR
    notice(talk)
    assert talk.world.value("SELECT count(*) FROM outbound WHERE state = 'planned'") == 1
    leave, talk.leave = talk.leave, lambda: None  # type: ignore[method-assign]
    talk.say("1")
    assert talk.world.value("SELECT count(*) FROM outbound WHERE state = 'cancelled'") == 1
    talk.leave = leave  # type: ignore[method-assign]


def test_silence_counts_from_the_moment_the_question_left(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.now += 20 * HOUR  # it was held back over night
    wait(talk, 47)
    assert talk.flags() == []
    wait(talk, 2)
    assert talk.flags() == ["no_reply"]


@pytest.mark.parametrize("state", ["suppressed", "cancelled", "expired"])
def test_where_nothing_was_asked_nobody_is_called(talk: Talk, state: str) -> None:
    talk.start("weekly_check_in")
    talk.world.run("UPDATE outbound SET state = :state", state=state)
    wait(talk, 60)
    assert (talk.flags(), talk.session()["status"]) == ([], "not_asked")


def test_where_the_urgent_question_never_left_the_silence_to_the_other_is_still_noticed(talk: Talk) -> None:
    talk.start("weekly_check_in")
    wait(talk, 24)
    talk.start("after_discharge_welcome")
    talk.world.run("UPDATE outbound SET state = 'expired' WHERE state = 'planned'")
    wait(talk, 48)
    assert {row.dialogue: row.status for row in talk.world.rows("SELECT dialogue, status FROM sessions")} == {
        "weekly_check_in": "with_person", "after_discharge_welcome": "not_asked",
    }  # fmt: skip
    assert talk.flags() == ["no_reply"]


def test_a_client_who_left_or_took_the_consent_back_is_not_called_for_silence(talk: Talk) -> None:
    other = talk.world.client(language="en")
    for each in (talk.client, other):
        talk.start("weekly_check_in", each)
    talk.leave()
    with unit_of_work(talk.world.engine) as work:
        consents.change(work, talk.client, "check_in", False, "said so", "staff")
        clients.set_status(work, other, "closed", "moved")
        clients.cancel_planned(work, other, "client closed")
    wait(talk, 60)
    assert (talk.flags(), talk.session()["status"], talk.session(other)["status"]) == ([], "stopped", "stopped")


def test_three_silent_check_ins_in_a_row_are_losing_touch(talk: Talk) -> None:
    for week in range(4):
        talk.start("weekly_check_in")
        wait(talk, 7 * 24, 4 * HOUR)
        assert talk.flags().count("losing_touch") == (week >= 2)
    assert talk.flags().count("no_reply") == 4


def test_whoever_stops_after_answering_every_week_is_losing_touch_before_the_third_silence(talk: Talk) -> None:
    for answered in (*[True] * 6, False, True, False, False):
        talk.start("weekly_check_in")
        if answered:
            talk.say("1")
        wait(talk, 7 * 24, 6 * HOUR)
    assert talk.flags().count("losing_touch") == 1


def test_a_clock_that_was_away_for_days_finds_every_silence(talk: Talk) -> None:
    several = [talk.client, *(talk.world.client(language="en") for _ in range(4))]
    for each in several:
        talk.start("weekly_check_in", each)
    talk.leave()
    talk.now += 9 * DAY
    assert notice_silence.notice(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now, limit=3) == 3
    assert notice(talk) == 2
    assert notice(talk) == 0
    assert talk.flags() == ["no_reply"] * 5


def test_what_is_being_answered_just_now_is_left_alone(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.leave()
    talk.now += 60 * HOUR
    with unit_of_work(talk.world.engine) as work:
        work.execute(text("SELECT FROM sessions FOR UPDATE"))
        assert notice(talk) == 0
    assert notice(talk) == 1


@pytest.mark.parametrize("broken", ["sessions SET state_enc", "phones SET phone_enc"])
def test_what_cannot_be_read_holds_up_nobody_and_a_person_is_called(talk: Talk, broken: str) -> None:
    other = talk.world.client(language="en")
    for each in (talk.client, other):
        talk.start("weekly_check_in", each)
    talk.leave()
    talk.world.run(f"UPDATE {broken} = '\\x00' WHERE client_id = :id", id=talk.client)
    talk.now += 60 * HOUR
    assert notice(talk) == 2
    assert {row.client_id for row in talk.world.rows("SELECT client_id FROM flags WHERE reason = 'no_reply'")} == {talk.client, other}


def test_a_reminder_of_a_client_at_discreet_level_2_waits_behind_its_own_first_text(talk: Talk) -> None:
    talk.client = talk.world.client(language="en", discreet=2)
    talk.start("after_discharge_welcome")
    talk.say("1")
    assert talk.session()["status"] == "waiting"
    talk.leave()
    wait(replace_now(talk), 10)
    assert [row.purpose for row in talk.world.rows("SELECT purpose FROM outbound ORDER BY created_at, waits_for NULLS FIRST")] == [
        "message_waiting", "dialogues/after_discharge_welcome", "message_waiting", "dialogues/after_discharge_welcome",
    ]  # fmt: skip


def replace_now(talk: Talk) -> Talk:
    talk.world = replace(talk.world, now=talk.now)
    return talk


def test_nobody_is_reminded_on_a_number_that_is_to_be_verified(talk: Talk) -> None:
    talk.start("after_discharge_welcome")
    wait(talk, 1)
    talk.world.run("UPDATE phones SET to_verify = 'it was altered'")
    wait(talk, 60)
    assert len(talk.heard()) == 1
    assert talk.flags() == ["no_reply"]


def test_staff_begin_no_dialogue_on_a_number_that_is_to_be_verified(talk: Talk) -> None:
    talk.world.run("UPDATE phones SET to_verify = 'it was altered'")
    with pytest.raises(Refused, match="number to be verified"):
        talk.start("weekly_check_in")
    assert talk.heard() == []


def test_silence_in_a_version_that_nobody_can_read_is_left_to_a_person_once(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.leave()
    talk.world.run("UPDATE sessions SET version = 'gone'")
    wait(talk, 100, 4 * HOUR)
    assert (talk.flags(), talk.session()["status"], talk.session()["due_at"]) == (["no_reply"], "with_person", None)


def test_a_client_whose_other_dialogue_is_being_answered_is_looked_at_later(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.leave()
    talk.start("after_discharge_welcome")
    talk.leave()
    talk.now += 60 * HOUR
    with unit_of_work(talk.world.engine) as work:
        work.execute(text("SELECT FROM sessions WHERE status = 'suspended' FOR UPDATE"))
        assert notice(talk) == 0
    assert notice(talk) == 2


def test_whoever_writes_each_week_is_not_losing_touch_though_it_answers_nothing(talk: Talk) -> None:
    for _ in range(3):
        talk.start("weekly_check_in")
        talk.say("HELP")
        wait(talk, 7 * 24, 4 * HOUR)
    assert "losing_touch" not in talk.flags()


def test_a_ping_that_another_text_waits_behind_outlives_the_dialogue_it_was_for(talk: Talk) -> None:
    talk.client = talk.world.client(language="en", discreet=2)
    talk.start("weekly_check_in")
    talk.world.run("""UPDATE outbound SET about_id = NULL WHERE waits_for IS NOT NULL""")  # a text of its own behind the same ping
    talk.start("after_discharge_welcome")
    pings = "SELECT p.state FROM outbound o JOIN outbound p ON p.id = o.waits_for WHERE o.state = 'planned'"
    assert [row.state for row in talk.world.rows(pings)] == ["planned", "planned"]


def behind_one_with_a_person(talk: Talk) -> None:
    """A needs check waits behind a welcome that nobody answered."""
    talk.start("needs_check")
    wait(talk, 1)
    talk.start("after_discharge_welcome")
    wait(talk, 30)
    assert states(talk) == {"needs_check": "suspended", "after_discharge_welcome": "with_person"}


def states(talk: Talk) -> dict[str, str]:
    return {row.dialogue: row.status for row in talk.world.rows("SELECT dialogue, status FROM sessions")}


def close_flags(talk: Talk) -> None:
    """As staff do."""
    with unit_of_work(talk.world.engine, Actor(talk.staff_id, talk.world.unit_id, "case_worker"), talk.now) as work:
        for flag in flags.list_open(work):
            flags.close(work, flag.id, "spoke_to_client")


def test_what_waits_behind_a_persons_dialogue_goes_on_when_the_person_is_done(talk: Talk) -> None:
    behind_one_with_a_person(talk)
    wait(talk, 3)
    assert states(talk)["needs_check"] == "suspended"
    close_flags(talk)
    notice(talk)
    talk.leave()
    assert states(talk) == {"needs_check": "waiting", "after_discharge_welcome": "ended"}
    assert talk.heard()[-1].startswith("What would be most useful")
    talk.say("8", after=HOUR)
    assert (states(talk)["needs_check"], talk.answers()) == ("ended", [("need", "nothing")])


def test_what_waits_behind_a_persons_dialogue_goes_on_when_nobody_closes_the_flag(talk: Talk) -> None:
    behind_one_with_a_person(talk)
    wait(talk, 14 * 24, 6 * HOUR)
    assert states(talk)["after_discharge_welcome"] == "ended"
    assert len([body for body in talk.heard() if body.startswith("What would be most useful")]) == 2
    assert (states(talk)["needs_check"], talk.flags()) == ("with_person", ["no_reply", "no_reply"])  # and its own silence is noticed


def test_after_a_cry_for_help_nothing_goes_on_while_its_flag_is_open(talk: Talk) -> None:
    talk.start("needs_check")
    wait(talk, 1)
    talk.start("after_discharge_welcome")
    talk.say("i want to kill myself")
    wait(talk, 14 * 24, 6 * HOUR)
    assert states(talk) == {"needs_check": "suspended", "after_discharge_welcome": "with_person"}
    close_flags(talk)
    notice(talk)
    assert states(talk)["needs_check"] == "waiting"


def test_after_a_cry_for_help_on_a_shared_phone_nothing_goes_on_while_its_flag_is_open(talk: Talk) -> None:
    talk.world.client(talk.phone, language="en")
    talk.start("needs_check")
    wait(talk, 1)
    talk.start("after_discharge_welcome")
    talk.say("i want to kill myself")
    wait(talk, 14 * 24, 6 * HOUR)
    assert states(talk) == {"needs_check": "suspended", "after_discharge_welcome": "with_person"}


def test_two_that_wait_behind_a_persons_dialogue_go_on_one_after_the_other(talk: Talk) -> None:
    talk.start("needs_check")
    wait(talk, 1)
    talk.start("weekly_check_in")
    wait(talk, 1)
    talk.start("after_discharge_welcome")
    wait(talk, 30)
    close_flags(talk)
    wait(talk, 1)
    assert states(talk) == {"needs_check": "suspended", "weekly_check_in": "waiting", "after_discharge_welcome": "ended"}
    talk.say("1", after=12 * HOUR)
    assert states(talk) == {"needs_check": "waiting", "weekly_check_in": "ended", "after_discharge_welcome": "ended"}


def test_what_waited_is_not_asked_again_once_its_consent_is_taken_back(talk: Talk) -> None:
    behind_one_with_a_person(talk)
    with unit_of_work(talk.world.engine) as work:
        for purpose in ("check_in", "service_information"):
            consents.change(work, talk.client, purpose, False, "said so", "staff")
    wait(talk, 14 * 24, 6 * HOUR)
    assert states(talk)["needs_check"] == "stopped"


def test_whoever_writes_what_could_not_be_decided_about_is_not_silent(talk: Talk) -> None:
    for _ in range(3):
        talk.start("weekly_check_in")
        talk.leave()
        talk.now += HOUR
        with unit_of_work(talk.world.engine) as work:
            channel = channels.get(work, talk.world.vault, talk.world.channel_id)
        came = receive_message.came(talk.world.engine, talk.world.vault, channel, Inbound(str(uuid4()), talk.phone, "+84900000000", "hello there"))
        receive_message.keep_undecided(talk.world.engine, talk.world.vault, talk.content, came, queues.silent, talk.now, False)
        wait(talk, 7 * 24, 4 * HOUR)
    assert "losing_touch" not in talk.flags()
    assert talk.world.value("SELECT count(*) FROM sessions WHERE heard_at IS NOT NULL") == 3


def test_a_text_decided_about_later_speaks_for_the_dialogue_it_came_in_and_for_none_that_began_since(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("HELP")
    came_at = talk.now
    wait(talk, 7 * 24, 4 * HOUR)
    talk.start("weekly_check_in")
    talk.leave()
    talk.world.run("UPDATE sessions SET heard_at = NULL")
    talk.world.run("UPDATE inbound SET handled_at = NULL, meaning = NULL")
    talk.now += HOUR
    assert receive_message.retry_unhandled(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now) == 1
    assert talk.world.value("SELECT count(*) FROM sessions WHERE heard_at IS NOT NULL") == 0

    talk.world.run("UPDATE inbound SET handled_at = NULL, meaning = NULL, received_at = :at", at=came_at + 8 * DAY)
    talk.now += DAY
    assert receive_message.retry_unhandled(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now) == 1
    assert talk.world.value("SELECT heard_at FROM sessions WHERE heard_at IS NOT NULL") == came_at + 8 * DAY


def test_nobody_is_read_whose_silence_is_none(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.leave()
    talk.world.run("UPDATE clients SET name_enc = '\\x00', status = 'paused'")  # would be flagged, were it read
    talk.now += 60 * HOUR
    assert (notice(talk), talk.flags(), talk.session()["status"]) == (1, [], "waiting")


def test_the_clock_looks_at_no_more_at_once_than_it_was_told(talk: Talk) -> None:
    for _ in range(3):
        talk.start("weekly_check_in", talk.world.client(language="en"))
    talk.leave()
    talk.now += 60 * HOUR
    looked = [notice_silence.notice(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now, 2) for _ in range(3)]
    assert looked == [2, 1, 0]


def test_a_question_that_a_daily_one_puts_off_again_and_again_is_not_overlooked(talk: Talk) -> None:
    talk.start("weekly_check_in")
    wait(talk, 2)
    for _ in range(3):  # each morning the visit goes first, is answered, and the week's question is put once more
        talk.start("daily_visit")
        wait(talk, 2)
        talk.say("1")
        wait(talk, 22)
    assert talk.flags() == ["no_reply"]
