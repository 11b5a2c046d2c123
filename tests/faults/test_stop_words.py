"""STOP in every spelling, words that only look like it, and the ways back. Cases 16, 17 and 19 of the fault table."""

import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import timedelta
from itertools import count
from uuid import UUID

import pytest

from gateway.domain import campaigns as rules
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
FALSE_FRIENDS = [
    ("vi", "em là Huy"), ("vi", "anh Huy ơi mai em đến"), ("vi", "cuối tuần weekend em rảnh"), ("en", "see you at the weekend, my friend"),
    ("en", "We have got to STOP this terrible bill"), ("en", "I am sending it"), ("en", "my husband is Dung"),
]  # fmt: skip
DOUBTFUL = [("vi", "thôi"), ("vi", "phiền quá"), ("vi", "không cần nữa")]
TALKS: list[list[tuple[str, str | None]]] = [
    [("START", None)], [("YES", None)], [("YES", "START")], [("STOP", None), ("YES", None), ("START", None)],
    [("STOP", None), ("alo", None), ("HELP", None)], [("STOP", "STOP"), ("YES", "START"), ("alo", None)],
    [("nhầm số", None), ("alo", None), ("START", None)], [("thôi", None), ("alo", None), ("1", None)], [("tu tu", None)],
]  # fmt: skip
"""What somebody may write, and what the carrier says it made of it, to find out whose phone this is."""


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


def nothing_more_leaves(stage: Stage, clients: Iterable[UUID], planned: list[UUID]) -> None:
    """What was planned is cancelled, and what is planned from now on is suppressed."""
    assert stage.states(planned) == {"cancelled": len(planned)}
    later = [stage.plan_for(client) for client in clients]
    stage.until_done(ids=later)
    assert stage.states(later) == {"suppressed": len(planned)}


def test_a_stop_however_it_is_written_holds_when_its_request_is_answered(stage: Stage) -> None:
    clients = {words: stage.world.client(language=language) for language, words in CLEAR}
    phones = {words: stage.world.phone_of(client) for words, client in clients.items()}
    planned = [tomorrow(stage, client) for client in clients.values()]
    for words, phone in phones.items():
        assert stage.say(phone, words)[1] == 200
        assert ledger(stage, phone) == "stop", words
    nothing_more_leaves(stage, clients.values(), planned)
    assert {words: replies(stage, phone) for words, phone in phones.items()} == {words: ["stop_confirmed"] for words in phones}


def test_what_may_mean_stop_holds_texts_back_and_asks_once(stage: Stage) -> None:
    clients = {words: stage.world.client(language=language) for language, words in DOUBTFUL}
    phones = {words: stage.world.phone_of(client) for words, client in clients.items()}
    planned = [tomorrow(stage, client) for client in clients.values()]
    for words, phone in phones.items():
        stage.say(phone, words)
        assert ledger(stage, phone) == "in_doubt", words
    assert flags(stage) == ["stop_in_doubt"] * len(phones)
    nothing_more_leaves(stage, clients.values(), planned)
    for phone in phones.values():
        stage.say(phone, "1")
        assert ledger(stage, phone) == "stop"
    assert {words: replies(stage, phone) for words, phone in phones.items()} == {words: ["stop_doubt", "stop_confirmed"] for words in phones}


def test_a_stop_said_aloud_and_entered_by_a_worker_is_the_same(stage: Stage) -> None:
    client = stage.world.client()
    phone, planned = stage.world.phone_of(client), tomorrow(stage, client)
    staff = stage.world.staff("+84919990001")
    code, worker = (stage.world.value(f"SELECT code FROM {table} WHERE id = :id", id=row) for table, row in (("clients", client), ("staff", staff)))
    subprocess.run([sys.executable, "-m", "gateway", "client", "stop", code, "--as", worker], cwd=ROOT, env=stage.processes.environ, check=True)
    assert ledger(stage, phone) == "stop"
    nothing_more_leaves(stage, [client], [planned])
    assert replies(stage, phone) == []


# --- false friends --------------------------------------------------------------------------------------------------


def asked(stage: Stage, client_id: UUID) -> UUID:
    """A yes-or-no question that the client has got."""
    question = stage.plan_for(client_id, expects="yes_no")
    stage.until_done(ids=[question])
    return question


def test_a_word_that_only_looks_like_stop_stops_nothing_and_staff_see_it(stage: Stage) -> None:
    clients = {words: stage.world.client(language=language) for language, words in FALSE_FRIENDS}
    planned = [tomorrow(stage, client) for client in clients.values()]
    for words, client in clients.items():
        stage.say(stage.world.phone_of(client), words)
        assert ledger(stage, stage.world.phone_of(client)) is None, words
    assert stage.states(planned) == {"planned": len(planned)}
    assert flags(stage) == ["other_text"] * len(planned)


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
    nothing_more_leaves(stage, [client], [planned])


# --- the way back ---------------------------------------------------------------------------------------------------


def stranger() -> str:
    """The phone of nobody we know."""
    return f"+8491999{next(_strangers):04d}"


def granted(stage: Stage, client_id: UUID) -> set[str]:
    return {row.purpose for row in stage.world.rows("SELECT purpose FROM consents WHERE client_id = :c AND granted", c=client_id)}


def test_start_brings_back_what_was_agreed_to_before_and_nothing_else(stage: Stage) -> None:
    talks = [("START", None), ("bắt đầu", None), ("YES", "START"), ("START", "START")]
    clients = [stage.world.client(consent=("check_in",)) for _ in talks]
    for client, (words, carrier) in zip(clients, talks, strict=True):
        phone = stage.world.phone_of(client)
        stage.say(phone, "STOP", opt_out="STOP" if carrier else None)
        stage.say(phone, words, opt_out=carrier)
        assert (ledger(stage, phone), granted(stage, client)) == (None, {"check_in"}), words
    agreed = [stage.plan_for(client) for client in clients]
    others = [stage.plan_for(client, consent_purpose="reminder") for client in clients]
    stage.until_done()
    assert (stage.states(agreed), stage.states(others)) == ({"accepted": 4}, {"suppressed": 4})


def test_who_changes_their_mind_twice_in_seconds_has_stopped(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client())
    for words in ("STOP", "START", "STOP"):
        stage.say(phone, words)
    assert ledger(stage, phone) == "stop"


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


def test_a_yes_to_our_question_whether_to_stop_stops_even_where_the_carrier_takes_it_for_start(stage: Stage) -> None:
    phone = stage.world.phone_of(stage.world.client(language="en"))
    stage.say(phone, "not interested")
    assert ledger(stage, phone) == "in_doubt"
    stage.say(phone, "YES", opt_out="START")
    assert ledger(stage, phone) == "stop"


def test_no_answer_tells_a_known_phone_from_an_unknown_one(stage: Stage) -> None:
    phones = [(stage.world.phone_of(stage.world.client()), stranger()) for _ in TALKS]
    for turn in range(max(map(len, TALKS))):
        for pair, talk in zip(phones, TALKS, strict=True):
            for phone in pair if turn < len(talk) else ():
                stage.say(phone, talk[turn][0], opt_out=talk[turn][1])
        replies(stage, phones[0][0])
    for (known, unknown), talk in zip(phones, TALKS, strict=True):
        assert heard(stage, known) == heard(stage, unknown), talk


def heard(stage: Stage, phone: str) -> list[str]:
    """What a phone got, whatever the time of day in it."""
    return [re.sub(r"\d", "#", body) for body in stage.received(phone)]


def recipients(stage: Stage) -> dict[str, int]:
    """Whom a check-in to the whole unit would reach now, and why it would not."""
    staff_id = stage.world.staff(stranger(), role="supervisor")
    boss = Actor(staff_id, stage.world.unit_id, "supervisor")
    spec = rules.read({"name": f"canary {staff_id}", "kind": "one_off", "steps": [{"template": "check_in"}]})
    with unit_of_work(stage.engine, boss) as work:
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
