"""Rules and one-way channels where texts are planned: by which channel each leaves, and which are not planned at all."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.queues import silent
from gateway.store import channels, clients, inbound, routes
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import launch_campaign, plan_due, reply_to_client
from gateway.usecases.write_texts import NO_ANSWER
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now, name="a")


@pytest.fixture
def other(here: World) -> UUID:
    return builders.channel(here.engine, here.vault, here.now, here.unit_id, name="b")


@pytest.fixture
def boss(here: World) -> Actor:
    return Actor(here.staff("+84980000001", role="supervisor"), here.unit_id, "supervisor")


def create(here: World, boss: Actor, template: str = "check_in") -> None:
    spec = rules.read({"name": "one", "kind": "one_off", "steps": [{"template": template}]})
    with unit_of_work(here.engine, boss, here.now) as work:
        launch_campaign.create(work, CONTENT, spec)


def run(here: World, boss: Actor, template: str = "check_in") -> None:
    create(here, boss, template)
    launch_campaign.approve(here.engine, here.vault, CONTENT, boss, "one", here.now)
    while plan_due.plan_due(here.engine, here.vault, CONTENT, silent, here.now):
        pass


def rule(here: World, channel_id: UUID, **conditions: object) -> None:
    with unit_of_work(here.engine, now=here.now) as work:
        routes.add(work, channel_id, **({"unit_id": None, "prefix": None, "language": None, "purpose": None} | conditions))  # type: ignore[arg-type]


def leaves_by(here: World) -> dict[UUID, UUID]:
    return {row.client_id: row.channel_id for row in here.rows("SELECT client_id, channel_id FROM outbound WHERE client_id IS NOT NULL")}


def test_a_units_own_channel_carries_its_clients_and_nobody_elses(here: World, other: UUID) -> None:
    below = builders.unit(here.engine, here.now, code="P0101", parent_id=here.unit_id)
    boss = Actor(here.staff("+84980000001", role="supervisor"), here.unit_id, "supervisor")  # sees the unit below, which was there before
    theirs, ours = here.client(unit_id=below), here.client()
    rule(here, other, unit_id=below)
    run(here, boss)
    assert leaves_by(here) == {theirs: other, ours: here.channel_id}


def test_a_rule_for_a_language_and_a_text(here: World, other: UUID, boss: Actor) -> None:
    english, vietnamese = here.client(language="en"), here.client()
    rule(here, other, language="en", purpose="check_in")
    run(here, boss)
    assert leaves_by(here) == {english: other, vietnamese: here.channel_id}


def test_a_campaign_that_asks_is_refused_where_no_channel_brings_answers_back(here: World, boss: Actor) -> None:
    here.run("UPDATE channels SET one_way = '{+84}'")
    here.client()
    with pytest.raises(Refused) as refused:
        create(here, boss)
    assert "call-back number" in str(refused.value) and "USSD" in str(refused.value)


def test_a_draft_that_asks_is_not_started_when_its_channel_became_one_way(here: World, boss: Actor) -> None:
    here.client()
    create(here, boss)
    here.run("UPDATE channels SET one_way = '{+}'")
    with pytest.raises(Refused):
        launch_campaign.approve(here.engine, here.vault, CONTENT, boss, "one", here.now)


def test_a_text_that_asks_takes_the_channel_that_brings_answers_back(here: World, other: UUID, boss: Actor) -> None:
    here.run("UPDATE channels SET one_way = '{+84}' WHERE id = :id", id=here.channel_id)
    client = here.client()
    run(here, boss)
    assert leaves_by(here) == {client: other}


def test_whose_answer_would_be_lost_is_left_out_with_the_reason(here: World, other: UUID, boss: Actor) -> None:
    here.run("UPDATE channels SET one_way = '{+447}'")
    reached, lost = here.client(), here.client(phone="+447700900123")
    run(here, boss)
    assert set(leaves_by(here)) == {reached}
    assert here.value("SELECT reason FROM occurrences WHERE client_id = :c", c=lost) == NO_ANSWER


def test_an_answer_of_staff_leaves_by_the_channel_that_the_client_wrote_to(here: World, other: UUID, boss: Actor, vault: Vault) -> None:
    client = here.client()
    phone = here.phone_of(client)
    with unit_of_work(here.engine, SYSTEM, here.now) as work:
        person = clients.recipients(work, vault, [client])[client]
        arrived = uuid4()
        work.insert("inbound", [{
            "id": arrived, "unit_id": here.unit_id, "channel_id": other, "client_id": client, "key_id": person.key_id, "carrier_id": "x1",
            "from_enc": person.key.encrypt(phone, "inbound.from", arrived), "from_hash": vault.hash_phone(phone),
            "body_enc": person.key.encrypt("Canary", "inbound.body", arrived), "body_hash": vault.hash_body("Canary"), "received_at": work.now,
        }])  # fmt: skip
        assert inbound.last_channel(work, vault.hash_phone(phone), here.now - timedelta(days=1)) == other
    rung: list[UUID] = []
    with unit_of_work(here.engine, boss, here.now) as work:
        reply_to_client.send(work, vault, CONTENT, clients.get(work, client), "Canary reply", message_key=uuid4(), ring=rung.append)
    assert leaves_by(here) == {client: other} and rung == [other]


def test_a_disabled_channel_is_planned_on_no_more(here: World, other: UUID, boss: Actor) -> None:
    with unit_of_work(here.engine, now=here.now) as work:
        channels.set_state(work, here.channel_id, "disabled")
    client = here.client()
    run(here, boss)
    assert leaves_by(here) == {client: other}
