"""STOP in every spelling, words that only look like it, and the ways back. Cases 16, 17 and 19 of the fault table."""

import re
import subprocess
import sys
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest

from gateway.domain import campaigns as rules
from gateway.store import units
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import launch_campaign
from tests.builders import CONTENT
from tests.faults.processes import ROOT, until
from tests.faults.stage import Stage

_strangers = count(1)

CLEAR = [
    ("vi", "stop."), ("vi", " STOP "), ("vi", "Stop please"), ("vi", "dừng lại"), ("vi", "dung lai"), ("vi", "TC"), ("vi", "tc ạ"),
    ("vi", "HUY"), ("vi", "hủy"), ("vi", "STОP"), ("vi", "STOP 🙏🙏"), ("vi", "S.T.O.P"), ("vi", "Ｓｔｏｐ"), ("vi", "opt out"),
    ("vi", "ngừng nhắn tin cho tôi"), ("vi", "\u200bSTOP\u202c"), ("vi", "dung"), ("en", "opt out"), ("en", "revoke"), ("en", "OPTOUT"),
    ("en", "Stop please"), ("en", "please take me off your list"), ("en", "leave me alone"),
]  # fmt: skip
DOUBTFUL = [("vi", "thôi"), ("vi", "phiền quá"), ("vi", "không cần nữa")]


def ledger(stage: Stage, phone: str) -> str | None:
    """Why the phone gets no texts; None when it does."""
    return stage.world.value("SELECT reason FROM stops WHERE phone_hash = :p", p=stage.vault.hash_phone(phone))


def replies(stage: Stage, phone: str) -> list[str]:
    """The purposes of what we answered to a phone, once all of it has left."""
    on_its_way = "SELECT count(*) FROM outbound WHERE channel_id = :c AND lane < 2 AND state IN ('planned', 'submitting')"
    until(lambda: not stage.world.value(on_its_way, c=stage.world.channel_id), what="the leaving of all answers")
    rows = stage.world.rows(
        """SELECT purpose FROM outbound WHERE to_hash = :p AND channel_id = :c AND lane < 2 AND state = 'accepted'
           ORDER BY created_at""", p=stage.vault.hash_phone(phone), c=stage.world.channel_id)  # fmt: skip
    return [row.purpose for row in rows]


def flags(stage: Stage) -> list[str]:
    return [row.reason for row in stage.world.rows("SELECT reason FROM flags WHERE unit_id = :u ORDER BY number", u=stage.world.unit_id)]


def tomorrow(stage: Stage, client_id: UUID) -> UUID:
    """A text planned for later."""
    later = stage.world.now + timedelta(days=1)
    return stage.plan_for(client_id, send_after=later, send_before=later + timedelta(hours=4))


def nothing_more_leaves(stage: Stage, client_id: UUID, planned: UUID) -> None:
    """What was planned is cancelled, and what is planned from now on is suppressed."""
    assert stage.states([planned]) == {"cancelled": 1}
    later = stage.plan_for(client_id)
    stage.until_done(ids=[later])
    assert stage.states([later]) == {"suppressed": 1}


@pytest.mark.parametrize(("language", "words"), CLEAR)
def test_a_stop_however_it_is_written_holds_when_its_request_is_answered(stage: Stage, language: str, words: str) -> None:
    client = stage.world.client(language=language)
    phone, planned = stage.world.phone_of(client), tomorrow(stage, client)
    assert stage.say(phone, words)[1] == 200
    assert ledger(stage, phone) == "stop"
    nothing_more_leaves(stage, client, planned)
    assert replies(stage, phone) == ["stop_confirmed"]


@pytest.mark.parametrize(("language", "words"), DOUBTFUL)
def test_what_may_mean_stop_holds_texts_back_and_asks_once(stage: Stage, language: str, words: str) -> None:
    client = stage.world.client(language=language)
    phone, planned = stage.world.phone_of(client), tomorrow(stage, client)
    stage.say(phone, words)
    assert (ledger(stage, phone), flags(stage)) == ("in_doubt", ["stop_in_doubt"])
    nothing_more_leaves(stage, client, planned)
    stage.say(phone, "1")
    assert ledger(stage, phone) == "stop"
    assert replies(stage, phone) == ["stop_doubt", "stop_confirmed"]


def test_a_stop_said_aloud_and_entered_by_a_worker_is_the_same(stage: Stage) -> None:
    client = stage.world.client()
    phone, planned = stage.world.phone_of(client), tomorrow(stage, client)
    staff = stage.world.staff("+84919990001")
    code, worker = (stage.world.value(f"SELECT code FROM {table} WHERE id = :id", id=row) for table, row in (("clients", client), ("staff", staff)))
    subprocess.run([sys.executable, "-m", "gateway", "client", "stop", code, "--as", worker], cwd=ROOT, env=stage.processes.environ, check=True)
    assert ledger(stage, phone) == "stop"
    nothing_more_leaves(stage, client, planned)
    assert replies(stage, phone) == []


# --- false friends --------------------------------------------------------------------------------------------------


def asked(stage: Stage, client_id: UUID) -> UUID:
    """A yes-or-no question that the client has got."""
    question = stage.plan_for(client_id, expects="yes_no")
    stage.until_done(ids=[question])
    return question


@pytest.mark.parametrize(("language", "words"), [
    ("vi", "em là Huy"), ("vi", "anh Huy ơi mai em đến"), ("vi", "cuối tuần weekend em rảnh"), ("en", "see you at the weekend, my friend"),
    ("en", "We have got to STOP this terrible bill"), ("en", "I am sending it"), ("en", "my husband is Dung"),
])  # fmt: skip
def test_a_word_that_only_looks_like_stop_stops_nothing_and_staff_see_it(stage: Stage, language: str, words: str) -> None:
    client = stage.world.client(language=language)
    phone, planned = stage.world.phone_of(client), tomorrow(stage, client)
    stage.say(phone, words)
    assert (ledger(stage, phone), stage.states([planned])) == (None, {"planned": 1})
    assert flags(stage) == ["other_text"]


def test_dung_while_a_question_is_open_is_no_opt_out_but_asked_about_and_shown_to_staff(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    asked(stage, client)
    stage.say(phone, "Dung")
    assert ledger(stage, phone) == "in_doubt"
    assert flags(stage) == ["stop_in_doubt"]
    stage.say(phone, "2")
    assert ledger(stage, phone) is None
    assert replies(stage, phone) == ["stop_doubt", "started"]
    stage.until_done(ids=[later := stage.plan_for(client)])
    assert stage.states([later]) == {"accepted": 1}


def test_words_about_pain_stop_no_texts_and_are_looked_at_as_danger(stage: Stage) -> None:
    stage.world.staff("+84919990002")
    client = stage.world.client(language="en")
    asked(stage, client)
    stage.say(stage.world.phone_of(client), "We must stop this pain")
    assert ledger(stage, stage.world.phone_of(client)) is None
    assert set(flags(stage)) & {"crisis", "crisis_in_doubt"}


@pytest.mark.parametrize(("language", "words"), [("en", "STOP I want to die"), ("vi", "STOP toi muon chet"), ("vi", "TC. Tôi muốn chết")])
def test_a_cry_for_help_inside_a_stop_is_both(stage: Stage, language: str, words: str) -> None:
    stage.world.staff("+84919990003")
    client = stage.world.client(language=language)
    phone, planned = stage.world.phone_of(client), tomorrow(stage, client)
    stage.say(phone, words)
    assert (ledger(stage, phone), flags(stage)) == ("stop", ["crisis"])
    until(lambda: stage.received(phone) and stage.received("+84919990003"), 15, "answer and alert")
    assert replies(stage, phone) == ["crisis_answer"]
    nothing_more_leaves(stage, client, planned)


# --- the way back ---------------------------------------------------------------------------------------------------


def stranger() -> str:
    """The phone of nobody we know."""
    return f"+8491999{next(_strangers):04d}"


def granted(stage: Stage, client_id: UUID) -> set[str]:
    return {row.purpose for row in stage.world.rows("SELECT purpose FROM consents WHERE client_id = :c AND granted", c=client_id)}


@pytest.mark.parametrize(("words", "carrier"), [("START", None), ("bắt đầu", None), ("YES", "START"), ("START", "START")])
def test_start_brings_back_what_was_agreed_to_before_and_nothing_else(stage: Stage, words: str, carrier: str | None) -> None:
    client = stage.world.client(consent=("check_in",))
    phone = stage.world.phone_of(client)
    stage.say(phone, "STOP", opt_out="STOP" if carrier else None)
    stage.say(phone, words, opt_out=carrier)
    assert (ledger(stage, phone), granted(stage, client)) == (None, {"check_in"})
    agreed, other = stage.plan_for(client), stage.plan_for(client, consent_purpose="reminder")
    stage.until_done()
    assert (stage.states([agreed]), stage.states([other])) == ({"accepted": 1}, {"suppressed": 1})


def test_a_bare_yes_of_someone_who_stopped_brings_nothing_back_and_staff_see_it(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    stage.say(phone, "STOP")
    stage.say(phone, "YES")
    assert (ledger(stage, phone), flags(stage)) == ("stop", ["other_text"])


def test_a_yes_that_the_carrier_takes_for_start_answers_our_question_all_the_same(stage: Stage) -> None:
    client = stage.world.client(language="en")
    question = asked(stage, client)
    stage.say(stage.world.phone_of(client), "YES", opt_out="START")
    assert stage.world.value("SELECT value FROM answers WHERE outbound_id = :q", q=question) == "yes"


@pytest.mark.parametrize("talk", [
    [("START", None)], [("YES", None)], [("YES", "START")], [("STOP", None), ("YES", None), ("START", None)],
    [("STOP", None), ("alo", None), ("HELP", None)], [("STOP", "STOP"), ("YES", "START"), ("alo", None)], [("nhầm số", None), ("alo", None)],
    [("thôi", None), ("alo", None)],
])  # fmt: skip
def test_no_answer_tells_a_known_phone_from_an_unknown_one(stage: Stage, talk: list[tuple[str, str | None]]) -> None:
    known, unknown = stage.world.phone_of(stage.world.client()), stranger()
    heard: dict[str, list[str]] = {}
    for phone in (known, unknown):
        for words, carrier in talk:
            stage.say(phone, words, opt_out=carrier)
            replies(stage, phone)
        heard[phone] = [re.sub(r"\d", "#", body) for body in stage.received(phone)]
    assert heard[known] == heard[unknown]


def recipients(stage: Stage) -> dict[str, int]:
    """Whom a check-in to the whole unit would reach now, and why it would not."""
    staff_id = stage.world.staff(stranger(), role="supervisor")
    boss = Actor(staff_id, stage.world.unit_id, "supervisor")
    spec = rules.read({"name": f"canary {staff_id}", "kind": "one_off", "steps": [{"template": "check_in"}]})
    with unit_of_work(stage.engine, boss) as work:
        units.get(work, stage.world.unit_id)
        campaign = launch_campaign.create(work, CONTENT, spec)
        seen = launch_campaign.preview_campaign.preview(work, stage.vault, CONTENT, campaign)
    return {"recipients": seen.recipients, **seen.excluded}


def test_a_number_that_changed_hands_gets_nothing_personal_after_start_until_staff_verified_it(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    stage.say(phone, "nhầm số rồi")
    assert (ledger(stage, phone), flags(stage)) == ("wrong_number", ["wrong_number"])
    stage.say(phone, "STOP")
    stage.say(phone, "START")
    assert replies(stage, phone) == ["wrong_number_noted", "stop_confirmed", "started"]
    assert recipients(stage) == {"recipients": 0, "number to be verified": 1}


def test_the_number_of_someone_who_left_is_nobodys(stage: Stage) -> None:
    client = stage.world.client()
    phone = stage.world.phone_of(client)
    stage.world.run("UPDATE clients SET status = 'closed' WHERE id = :c", c=client)
    stage.say(phone, "START")
    assert flags(stage) == ["unknown_sender"]
    assert replies(stage, phone) == ["started"]
    assert stage.world.value("SELECT count(*) FROM inbound WHERE client_id = :c", c=client) == 0
