"""A dialogue by SMS through the real path: asked, answered, asked again, overtaken by stop and danger, late, suspended, pinned."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Inbound
from gateway.content import ROOT, Content
from gateway.domain.errors import Refused
from gateway.store import channels, clients, erasure
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import notice_silence, receive_message, start_dialogue
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass
class Talk:
    """A world whose clock the test moves, and one client in it."""

    world: World
    staff_id: UUID
    client: UUID
    now: datetime
    content: Content = field(default=CONTENT)

    @property
    def phone(self) -> str:
        return self.world.phone_of(self.client)

    def start(self, name: str, client: UUID | None = None) -> None:
        with unit_of_work(self.world.engine) as work:
            code = clients.get(work, client or self.client).code
        actor = Actor(self.staff_id, self.world.unit_id, "case_worker")
        start_dialogue.start(self.world.engine, self.world.vault, self.content, actor, name, code, self.now)

    def leave(self) -> None:
        """What is planned reaches the phones."""
        for row in self.world.rows("SELECT id FROM outbound WHERE state = 'planned' AND waits_for IS NULL AND send_after <= :now", now=self.now):
            attempt = uuid4()
            self.world.run("""
              INSERT INTO attempts (id, outbound_id, channel_id, number, started_at, state)
              SELECT :attempt, id, channel_id, 1, :now, 'accepted' FROM outbound WHERE id = :id""", attempt=attempt, id=row.id, now=self.now)  # fmt: skip
            self.world.run("UPDATE outbound SET state = 'submitting', attempt_id = :attempt WHERE id = :id", attempt=attempt, id=row.id)
            self.world.run("UPDATE outbound SET state = 'delivered', state_at = :now WHERE id = :id", id=row.id, now=self.now)

    def say(self, words: str, *, after: timedelta = MINUTE, phone: str | None = None, **more: Any) -> None:
        self.leave()
        self.now += after
        self.leave()
        with unit_of_work(self.world.engine) as work:
            channel = channels.get(work, self.world.vault, self.world.channel_id)
        message = Inbound(str(uuid4()), phone or self.phone, "+84900000000", words, **more)  # type: ignore[arg-type]
        receive_message.receive(self.world.engine, self.world.vault, self.content, channel, message, queues.silent, self.now)

    def session(self, client: UUID | None = None) -> Mapping[str, Any]:
        """The client's newest session."""
        (row,) = self.world.rows("""SELECT dialogue, status, step, due_at FROM sessions WHERE client_id = :client
                                    ORDER BY started_at DESC, changed_at DESC LIMIT 1""", client=client or self.client)  # fmt: skip
        return row._asdict()  # type: ignore[no-any-return]

    def heard(self) -> list[str]:
        """What the phone has got, in order."""
        return self.world.bodies("o.purpose <> 'staff_alert' AND o.state <> 'cancelled'")

    def flags(self, state: str = "open") -> list[str]:
        return [row.reason for row in self.world.rows("SELECT reason FROM flags WHERE state = :state ORDER BY number", state=state)]

    def answers(self) -> list[tuple[str, str]]:
        rows = self.world.rows("""
          SELECT a.session_id, a.step, a.value_enc, k.id AS key_id, k.wrapped FROM session_answers a JOIN clients c ON c.id = a.client_id
            JOIN keys k ON k.id = c.key_id ORDER BY a.answered_at""")  # fmt: skip
        keys = [self.world.vault.open_key(row.wrapped, row.key_id) for row in rows]
        return [(row.step, key.decrypt(row.value_enc, f"session_answers.{row.step}", row.session_id)) for row, key in zip(rows, keys, strict=True)]


@pytest.fixture
def talk(engine: Engine, vault: Vault, now: datetime) -> Talk:
    here = builders.world(engine, vault, now)
    return Talk(here, here.staff("+84911999999"), here.client(language="en"), now)


def test_a_check_in_that_goes_well_is_asked_answered_and_ended(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("1")
    assert talk.heard() == ["Hello. Are things all right with you at the moment? Reply 1 if they are, 2 if things are hard.",
                            "Thank you for telling us. You can text us whenever you like."]  # fmt: skip
    assert (talk.session()["status"], talk.session()["step"], talk.session()["due_at"]) == ("ended", "well", None)
    assert talk.answers() == [("ask", "yes")]
    assert talk.flags() == []


def test_not_well_calls_a_person_and_says_so_with_the_helpline(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("2")
    assert talk.flags() == ["not_well"]
    assert talk.heard()[-1].endswith("If you need help now, call 115.")


def test_what_is_not_understood_is_asked_in_other_words_twice_and_then_a_person_reads_it(talk: Talk) -> None:
    talk.start("weekly_check_in")
    for words in ("zzz", "qqq", "vvv"):
        talk.say(words)
    assert [body[:12] for body in talk.heard()] == ["Hello. Are t", "Sorry, just ", "How are you?", "Thank you, y"]
    assert (talk.session()["status"], talk.flags()) == ("with_person", ["other_text"])
    talk.say("1")
    assert talk.session()["status"] == "ended"


def test_a_dialogue_of_many_steps_is_not_taken_for_a_conversation_of_machines(talk: Talk) -> None:
    talk.start("work_and_college")
    for words in ("0", "the bus was late all week", "2", "24/12", "HELP"):
        talk.say(words)
    assert talk.answers() == [("days", "0"), ("hard", "the bus was late all week"), ("next", "apply"), ("when", "2026-12-24")]
    assert talk.session()["status"] == "ended"
    assert "loop" not in talk.flags()
    assert talk.world.value("SELECT count(*) FROM outbound WHERE purpose = 'help'") == 1


def test_a_request_is_answered_and_leaves_the_question_open(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("HELP")
    talk.say("INFO")
    assert talk.session()["status"] == "waiting"
    talk.say("1")
    assert talk.session()["status"] == "ended"


def test_a_wish_to_be_called_is_left_to_a_person_and_the_answer_still_counts(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("please call me")
    assert (talk.session()["status"], talk.flags()) == ("with_person", ["callback"])
    talk.say("2")
    assert talk.flags() == ["callback", "not_well"]


@pytest.mark.parametrize("step", [0, 1])
def test_stop_wins_at_every_step_and_ends_the_session(talk: Talk, step: int) -> None:
    talk.start("work_and_college")
    for words in ["2"][:step]:
        talk.say(words)
    talk.say("STOP")
    assert talk.session()["status"] == "stopped"
    assert talk.world.value("SELECT reason FROM stops") == "stop"
    talk.say("2")
    assert talk.answers() == [("days", "2")][:step]


def test_danger_wins_at_every_step_and_nothing_more_is_asked(talk: Talk) -> None:
    talk.start("work_and_college")
    talk.say("0")
    talk.say("i want to kill myself")
    assert talk.flags()[0] == "crisis"
    assert (talk.session()["status"], talk.session()["due_at"]) == ("with_person", None)
    assert talk.world.value("SELECT count(*) FROM outbound WHERE purpose = 'crisis_answer'") == 1


def test_a_possible_stop_pauses_the_dialogue_for_a_person(talk: Talk) -> None:
    talk.client = talk.world.client(language="vi")
    talk.start("weekly_check_in")
    talk.say("Dung")
    assert talk.world.value("SELECT reason FROM stops") == "in_doubt"
    assert talk.session()["status"] == "with_person"


def test_stop_ends_the_sessions_of_everyone_on_the_phone(talk: Talk) -> None:
    other = talk.world.client(talk.phone, language="en")
    talk.start("weekly_check_in")
    talk.start("weekly_check_in", other)
    talk.say("STOP")
    assert [talk.session(each)["status"] for each in (talk.client, other)] == ["stopped", "stopped"]


def test_two_open_dialogues_on_one_phone_are_told_apart_by_a_person(talk: Talk) -> None:
    other = talk.world.client(talk.phone, language="en")
    talk.start("weekly_check_in")
    talk.start("weekly_check_in", other)
    talk.say("1")
    assert (talk.answers(), talk.flags()) == ([], ["which_person"])


def test_of_a_shared_phone_the_one_open_question_is_answered(talk: Talk) -> None:
    talk.world.client(talk.phone, language="en")
    talk.start("weekly_check_in")
    talk.say("2")
    assert (talk.answers(), talk.flags()) == ([("ask", "no")], ["not_well"])
    assert talk.world.value("SELECT client_id FROM flags") == talk.client


def test_an_answer_before_the_question_has_left_is_none(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.leave = lambda: None  # type: ignore[method-assign]
    talk.say("1")
    assert (talk.answers(), talk.session()["status"]) == ([], "waiting")


def test_what_was_asked_last_is_the_open_question(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.leave()
    talk.now += HOUR
    later = replace(talk.world, now=talk.now)
    visit = later.appointment(talk.client, talk.now + DAY)
    later.planned(talk.client, expects="appointment", purpose="appointment_reminder_1d", about_id=visit, send_after=talk.now)
    talk.say("1")
    assert (talk.world.value("SELECT answer FROM appointments"), talk.session()["status"]) == ("confirmed", "waiting")
    talk.say("1", after=HOUR)
    assert talk.session()["status"] == "ended"


def test_a_more_urgent_dialogue_goes_first_and_the_other_goes_on_afterwards(talk: Talk) -> None:
    talk.start("needs_check")
    talk.leave()
    talk.now += HOUR
    talk.start("after_discharge_welcome")
    assert [row.status for row in talk.world.rows("SELECT status FROM sessions ORDER BY started_at")] == ["suspended", "waiting"]
    talk.say("1")
    assert talk.heard()[-1].startswith("What would be most useful")
    talk.say("8", after=HOUR)
    assert talk.answers() == [("ask", "yes"), ("need", "nothing")]
    assert {row.status for row in talk.world.rows("SELECT status FROM sessions")} == {"ended"}


def test_a_less_urgent_dialogue_is_not_asked_over_an_open_one(talk: Talk) -> None:
    talk.start("weekly_check_in")
    with pytest.raises(Refused, match="weekly_check_in"):
        talk.start("needs_check")
    assert len(talk.world.rows("SELECT FROM sessions")) == 1


def test_the_question_follows_the_language_that_the_client_chooses(talk: Talk) -> None:
    talk.start("needs_check")
    talk.say("francais")
    talk.say("2")
    assert talk.heard()[-1].startswith("C'est noté. Vous recevrez")


def test_what_was_chosen_is_sent_by_a_person_and_a_referral_is_a_task_of_its_own(talk: Talk) -> None:
    talk.start("needs_check")
    talk.say("4")
    assert talk.flags() == ["info"]
    talk.say("1")
    assert talk.flags() == ["info", "referral"]


def test_a_running_dialogue_keeps_its_words_and_steps_when_the_files_change(talk: Talk, tmp_path: Path) -> None:
    talk.start("weekly_check_in")
    talk.content = changed(tmp_path, "weekly_check_in", "en.txt", "Thank you for telling us. You", "Other words. You")
    talk.say("1")
    assert talk.heard()[-1].startswith("Thank you for telling us. You")
    talk.start("weekly_check_in")
    talk.say("1", after=HOUR)
    assert talk.heard()[-1].startswith("Other words.")
    assert talk.world.value("SELECT count(*) FROM dialogues") == 2


def test_stop_holds_where_the_dialogue_can_no_longer_be_read(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.world.run("UPDATE dialogues SET files = '{}'")
    talk.world.run("UPDATE sessions SET version = 'lost'")
    talk.say("STOP")
    assert talk.world.value("SELECT reason FROM stops") == "stop"
    assert talk.session()["status"] == "stopped"


def test_erasing_a_client_leaves_nothing_of_their_dialogues(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("1")
    talk.leave()
    with unit_of_work(talk.world.engine) as work:
        erasure.erase(work, talk.world.vault, talk.client, None)
    assert [talk.world.value(f"SELECT count(*) FROM {table}") for table in ("sessions", "session_answers", "scores")] == [0, 0, 0]


def changed(folder: Path, name: str, file: str, old: str, new: str) -> Content:
    """The content with one text of a dialogue changed."""
    shutil.copytree(ROOT / "templates_sms", folder / "templates_sms")
    (folder / "locales").symlink_to(ROOT / "locales")
    path = folder / "templates_sms" / "dialogues" / name / file
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")
    return Content(folder)


def ask_about_a_visit(talk: Talk, in_days: int = 1) -> UUID:
    """A reminder is planned for a client; the id of its visit."""
    later = replace(talk.world, now=talk.now)
    visit = later.appointment(talk.client, talk.now + in_days * DAY)
    later.planned(talk.client, expects="appointment", purpose="appointment_reminder_1d", about_id=visit, send_after=talk.now)
    return visit


def leave_one(talk: Talk, where: str) -> None:
    """Only these texts reach the phone."""
    talk.world.run(f"UPDATE outbound SET send_after = '2100-01-01' WHERE state = 'planned' AND NOT ({where})")
    talk.leave()
    talk.world.run("UPDATE outbound SET send_after = created_at WHERE send_after > '2099-01-01'")


def test_the_open_question_is_the_one_that_left_last_whichever_was_planned_last(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.now += MINUTE
    visit = ask_about_a_visit(talk)
    leave_one(talk, "about_id = (SELECT id FROM appointments)")
    talk.now += HOUR
    talk.say("1")
    assert talk.session()["status"] == "ended"
    assert talk.world.value("SELECT answer FROM appointments WHERE id = :id", id=visit) is None


def test_of_two_reminders_the_one_that_left_last_is_answered(talk: Talk) -> None:
    first = ask_about_a_visit(talk, 2)
    talk.now += MINUTE
    ask_about_a_visit(talk, 3)
    leave_one(talk, f"about_id <> '{first}'")
    talk.now += HOUR
    talk.say("1")
    assert talk.world.value("SELECT answer FROM appointments WHERE id = :id", id=first) == "confirmed"


def test_what_is_just_leaving_is_not_what_the_client_answers(talk: Talk) -> None:
    first = ask_about_a_visit(talk, 2)
    talk.leave()
    talk.now += HOUR
    ask_about_a_visit(talk, 3)
    talk.world.run("UPDATE outbound SET state = 'submitting' WHERE state = 'planned'")
    talk.leave = lambda: None  # type: ignore[method-assign]
    talk.say("1", after=timedelta(0))
    assert talk.world.value("SELECT answer FROM appointments WHERE id = :id", id=first) == "confirmed"


def test_a_question_put_once_more_is_asked_last(talk: Talk) -> None:
    talk.start("after_discharge_welcome")
    talk.leave()
    talk.now += HOUR
    visit = ask_about_a_visit(talk)
    talk.leave()
    talk.now += 8 * HOUR
    notice_silence.notice(talk.world.engine, talk.world.vault, talk.content, queues.silent, talk.now)
    talk.now += 14 * HOUR  # in the morning
    talk.say("1")
    assert talk.session()["status"] == "ended"
    assert talk.world.value("SELECT answer FROM appointments WHERE id = :id", id=visit) is None


def test_an_answer_is_none_to_the_next_question_before_that_has_left(talk: Talk) -> None:
    talk.start("work_and_college")
    talk.say("0")
    talk.leave = lambda: None  # type: ignore[method-assign]
    talk.say("the bus was late")
    assert (talk.answers(), talk.session()["step"]) == ([("days", "0")], "hard")
    assert talk.flags() == ["other_text"]  # a person reads it


def test_an_answer_to_a_question_counts_while_its_other_words_still_wait_to_leave(talk: Talk) -> None:
    talk.start("weekly_check_in")
    talk.say("zzz")
    talk.leave = lambda: None  # type: ignore[method-assign]
    talk.say("1")
    assert talk.answers() == [("ask", "yes")]
