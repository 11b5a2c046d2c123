"""A phone that somebody else may have: a neutral answer, nothing more of our own accord, and staff are to ask."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway import queues
from gateway.channels.base import Inbound
from gateway.domain import messages as lanes
from gateway.domain import phone
from gateway.store import channels, clients, phones
from gateway.store.base import unit_of_work
from gateway.usecases import doubt_phone, receive_message, reply_to_client, tell_client
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World

DAYS = timedelta(days=1)
STRANGER = "+84987000009"


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    world = builders.world(engine, vault, now)
    world.run("UPDATE units SET language = 'en'")
    return world


def text_in(here: World, phone: str, words: str, now: datetime) -> None:
    with unit_of_work(here.engine) as work:
        channel = channels.get(work, here.vault, here.channel_id)
    message = Inbound(f"{phone} {words} {now}", phone, "+84900000000", words)
    receive_message.receive(here.engine, here.vault, CONTENT, channel, message, queues.silent, now)


def why_not(here: World, client: UUID) -> str | None:
    with unit_of_work(here.engine) as work:
        person = clients.recipients(work, here.vault, [client])[client]
        return tell_client.why_not(work, here.vault, person, "", lanes.BULK)


def flags(here: World) -> list[str]:
    return [row.reason for row in here.rows("SELECT reason FROM flags ORDER BY number")]


@pytest.mark.parametrize(("language", "words"), [
    ("en", "Who is this?"), ("en", "whos this"), ("en", "who are you"), ("vi", "Ai đấy ạ?"), ("vi", "ai vay"), ("fr", "C'est qui ?"), ("vi", "who is this"),
])  # fmt: skip
def test_who_is_this_gets_the_same_words_as_from_a_stranger_and_pauses_what_we_send(
    here: World, now: datetime, language: str, words: str
) -> None:
    here.run("UPDATE units SET language = :language", language=language)
    client = here.client(language=language, discreet=0)
    planned = here.planned(client, send_after=now + DAYS, send_before=now + 2 * DAYS)
    text_in(here, here.phone_of(client), words, now)
    text_in(here, STRANGER, words, now)
    mine, theirs = here.bodies("o.purpose = 'help'")
    assert mine == theirs
    assert here.value("SELECT state FROM outbound WHERE id = :id", id=planned) == "cancelled"
    assert why_not(here, client) == "number to be verified"
    assert flags(here) == ["number_to_verify", "unknown_sender"]


@pytest.mark.parametrize("words", ["HELP", "what is this", "who is on duty today", "is this a scam"])
def test_a_question_about_the_texts_pauses_nothing(here: World, now: datetime, words: str) -> None:
    client = here.client(language="en")
    text_in(here, here.phone_of(client), words, now)
    assert why_not(here, client) is None and "number_to_verify" not in flags(here)


def test_a_wrong_number_is_answered_neutrally_and_no_start_undoes_the_doubt(here: World, now: datetime) -> None:
    client = here.client(language="en")
    text_in(here, here.phone_of(client), "wrong number", now)
    text_in(here, here.phone_of(client), "START", now + timedelta(hours=1))
    assert why_not(here, client) == "number to be verified"
    assert "Bench" not in "".join(here.bodies())
    with unit_of_work(here.engine) as work:
        phones.verify(work, client)
    assert why_not(here, client) is None


def quiet(here: World, now: datetime) -> list[str]:
    doubt_phone.doubt_quiet(here.engine, now)
    return flags(here)


def test_after_ninety_days_without_a_word_the_number_is_to_be_verified(here: World, now: datetime) -> None:
    client = here.client(language="en")
    later = now + 89 * DAYS
    here.planned(client, send_after=later, send_before=later + DAYS)
    here.run("UPDATE outbound SET created_at = :at", at=later)
    assert quiet(here, later) == []
    assert quiet(here, now + 91 * DAYS) == ["number_to_verify"]
    assert why_not(here, client) == "number to be verified"
    assert quiet(here, now + 92 * DAYS) == ["number_to_verify"]
    with unit_of_work(here.engine, now=now + 92 * DAYS) as work:
        phones.verify(work, client)
    assert quiet(here, now + 93 * DAYS) == ["number_to_verify"]


def test_what_a_planner_was_just_writing_is_cancelled_by_a_doubt_too(here: World, now: datetime) -> None:
    client = here.client(language="en")

    def type_wrong_pins() -> None:
        with unit_of_work(here.engine, now=now) as work:
            doubt_phone.doubt(work, here.vault.hash_phone(number), doubt_phone.PIN_LOCKED)

    number = here.phone_of(client)
    with ThreadPoolExecutor(1) as other:
        with unit_of_work(here.engine, now=now) as planner:
            clients.lock(planner, [client])
            doubting = other.submit(type_wrong_pins)
            with suppress(TimeoutError):
                doubting.result(0.3)
            planned = here.planned(client)  # by what the planner read before
        doubting.result()
    assert here.state(planned) == "cancelled"


def test_a_worker_answers_a_doubted_number_only_where_the_words_came_from_it(here: World, now: datetime) -> None:
    client, other = here.client(language="en"), "+84912000777"
    with unit_of_work(here.engine, now=now) as work:
        clients.edit(work, here.vault, client, {"phones": [phone.parse(here.phone_of(client), "VN"), phone.parse(other, "VN")]})
    here.run("UPDATE phones SET to_verify = 'changed' WHERE rank = 0")

    def reason() -> str | None:
        with unit_of_work(here.engine, now=now + timedelta(hours=1)) as work:
            return reply_to_client.why_not(work, here.vault, CONTENT, clients.get(work, client))

    text_in(here, other, "please call me", now)
    assert reason() == "number to be verified"
    text_in(here, here.phone_of(client), "please call me", now)
    assert reason() is None


def test_a_new_number_of_an_old_client_is_not_doubted_before_its_own_ninety_days(here: World, now: datetime) -> None:
    client, later = here.client(language="en"), now + 91 * DAYS
    with unit_of_work(here.engine, now=later) as work:
        clients.edit(work, here.vault, client, {"phones": [phone.parse("+84912000555", "VN")]})
    here.planned(client)
    here.run("UPDATE outbound SET created_at = :at", at=later)
    assert quiet(here, later + DAYS) == []


def test_whoever_texts_comes_or_types_the_pin_is_not_silent_and_whom_we_do_not_text_is_not_asked_about(here: World, now: datetime) -> None:
    texts, comes, types, _untexted = (here.client(language="en") for _ in range(4))
    later = now + 91 * DAYS
    for client in (texts, comes, types):
        here.planned(client, send_after=later, send_before=later + DAYS)
    here.run("UPDATE outbound SET created_at = :at", at=later)
    text_in(here, here.phone_of(texts), "hello", now + 10 * DAYS)
    here.appointment(comes, now + 10 * DAYS)
    here.run("UPDATE appointments SET status = 'attended'")
    with unit_of_work(here.engine, now=now + 10 * DAYS) as work:
        phones.prove(work, types, here.vault.hash_phone(here.phone_of(types)))
    assert "number_to_verify" not in quiet(here, later)
