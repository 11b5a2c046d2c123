"""What is changed about a client holds for what is planned already."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway.domain import messages as lanes
from gateway.domain import phone
from gateway.domain.routing import TOO_LONG
from gateway.store import clients
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import change_client
from gateway.vault import Vault
from tests import builders
from tests.builders import World

NEW = "+84912000777"


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


def renumber(here: World, client: UUID, *numbers: str) -> None:
    worker = here.staff("+84900000001")
    with unit_of_work(here.engine, Actor(worker, here.unit_id, "case_worker"), here.now) as work:
        change_client.edit(work, here.vault, clients.get(work, client), {"phones": [phone.parse(each, "VN") for each in numbers]})


def goes_to(here: World, message: UUID) -> str:
    (row,) = here.rows("""SELECT o.id, o.to_enc, o.to_hash, o.key_id, k.wrapped FROM outbound o JOIN keys k ON k.id = o.key_id
                          WHERE o.id = :id""", id=message)  # fmt: skip
    to = here.vault.open_key(row.wrapped, row.key_id).decrypt(row.to_enc, "outbound.to", row.id)
    assert here.vault.hash_phone(to) == bytes(row.to_hash)
    return to


def test_what_is_planned_goes_to_the_new_number_and_not_to_whoever_has_the_old_one(here: World, now: datetime) -> None:
    client, other = here.client(), here.client()
    old, tomorrow = here.phone_of(client), now + timedelta(days=1)
    reminder = here.planned(client, send_after=tomorrow, send_before=tomorrow + timedelta(hours=2))
    by_hand = here.planned(client, lane=lanes.REPLY, purpose="manual", send_after=tomorrow, send_before=tomorrow + timedelta(hours=2))
    answer = here.planned(client, lane=lanes.REPLY, purpose="help")
    anothers = here.planned(other)
    renumber(here, client, NEW)
    assert [goes_to(here, each) for each in (reminder, by_hand, answer)] == [NEW, NEW, old]
    assert goes_to(here, anothers) == here.phone_of(other)


def test_a_number_that_stays_the_clients_second_one_keeps_what_is_planned(here: World, now: datetime) -> None:
    client = here.client()
    old, planned = here.phone_of(client), here.planned(client)
    renumber(here, client, NEW, old)
    assert goes_to(here, planned) == old


def test_what_no_channel_can_bring_to_the_new_number_is_cancelled(here: World, now: datetime) -> None:
    client = here.client()
    planned = here.planned(client)
    here.run("UPDATE channels SET prefix = '+8491'")
    renumber(here, client, "+84982000777")
    assert here.state(planned) == "cancelled"


def leaves_by(here: World, message: UUID) -> UUID:
    found: UUID = here.value("SELECT channel_id FROM outbound WHERE id = :id", id=message)
    return found


def test_each_text_goes_to_the_new_number_by_a_channel_that_holds_its_words(here: World) -> None:
    first = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="a")
    client = here.client()
    marked, long, plain = here.planned(client, "Lịch hẹn Canary"), here.planned(client, "Canary " * 9), here.planned(client)
    here.run("UPDATE channels SET gsm_only = true, longest = 60 WHERE id = :id", id=first)
    renumber(here, client, NEW)
    assert [leaves_by(here, each) for each in (marked, long, plain)] == [here.channel_id, here.channel_id, first]
    here.run("UPDATE channels SET longest = 20")
    renumber(here, client, "+84912000778")
    assert [here.state(each) for each in (marked, long, plain)] == ["planned", "cancelled", "planned"]
    assert here.value("SELECT reason FROM outbound WHERE id = :id", id=long) == TOO_LONG


def test_a_question_goes_to_the_new_number_by_a_channel_that_brings_the_answer_back(here: World) -> None:
    first = builders.channel(here.engine, here.vault, here.now, here.unit_id, name="a")
    client = here.client()
    question, news = here.planned(client, expects="yes_no"), here.planned(client)
    here.run("UPDATE channels SET one_way = '{+84}' WHERE id = :id", id=first)
    renumber(here, client, NEW)
    assert (leaves_by(here, question), leaves_by(here, news)) == (here.channel_id, first)


def test_nothing_that_is_planned_goes_to_a_number_that_a_person_has_to_verify(here: World) -> None:
    client = here.client()
    planned, by_hand = here.planned(client), here.planned(client, lane=lanes.REPLY, purpose="manual")
    renumber(here, client, "01234567890")  # of 11 figures, as they were until 2018
    assert [here.state(each) for each in (planned, by_hand)] == ["cancelled", "cancelled"]
    assert here.value("SELECT reason FROM outbound WHERE id = :id", id=planned) == "number to be verified"
