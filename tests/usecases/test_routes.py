"""Rules and one-way channels where texts are planned: by which channel each leaves, and which are not planned at all."""

from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from gateway.channels.base import Inbound
from gateway.domain import campaigns as rules
from gateway.domain.errors import Refused
from gateway.domain.routing import NO_ANSWER, ODD_LETTERS, TOO_LONG
from gateway.queues import silent
from gateway.store import campaigns, channels, clients, inbound, routes
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import (
    change_channel,
    launch_campaign,
    move_traffic,
    plan_due,
    preview_campaign,
    receive_message,
    reply_to_client,
    tell_client,
)
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


def test_a_text_takes_the_channel_that_carries_its_letters_and_its_length(here: World, other: UUID, boss: Actor) -> None:
    here.run("UPDATE channels SET gsm_only = true WHERE id = :id", id=here.channel_id)
    marked, plain = here.client(), here.client(language="en")
    run(here, boss)
    assert leaves_by(here) == {marked: other, plain: here.channel_id}
    here.run("UPDATE channels SET gsm_only = false, longest = 20 WHERE id = :id", id=here.channel_id)
    later = here.client()
    assert (tell(here, boss, later, "Canary " * 5, lane=2), leaves_by(here)[later]) == (None, other)


@pytest.mark.parametrize(("limits", "reason"), [("gsm_only = true", ODD_LETTERS), ("longest = 20", TOO_LONG)])
def test_a_text_that_no_channel_carries_is_refused_with_the_reason_and_the_preview_says_so_before(
    here: World, boss: Actor, limits: str, reason: str
) -> None:
    here.run(f"UPDATE channels SET {limits}")
    client = here.client()
    create(here, boss)
    with unit_of_work(here.engine, boss, here.now) as work:
        seen = preview_campaign.preview(work, here.vault, CONTENT, campaigns.by_name(work, "one"))
    assert dict(seen.faults) == {reason: [here.value("SELECT code FROM clients")]}
    assert tell(here, boss, client, "Được " * 5, lane=2) == reason
    assert leaves_by(here) == {}


def test_a_text_moves_only_to_a_channel_that_carries_it(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET gsm_only = true WHERE id = :id", id=other)
    marked, plain = here.planned(here.client(), body="Được"), here.planned(here.client(), body="Canary")
    with unit_of_work(here.engine, now=here.now) as work:
        channels.pause(work, here.channel_id, "suspended", None)
    move_traffic.move_traffic(here.engine, here.vault, CONTENT, silent, here.now)
    assert {row.id: row.channel_id for row in here.rows("SELECT id, channel_id FROM outbound")} == {marked: here.channel_id, plain: other}


@pytest.mark.parametrize("lane", [0, 1])
def test_an_alert_or_answer_leaves_a_stopped_channel_also_for_one_that_does_not_hold_its_words(here: World, other: UUID, lane: int) -> None:
    here.run("UPDATE channels SET gsm_only = true, longest = 20 WHERE id = :id", id=other)
    said = here.planned(here.client(), body="Được " * 5, lane=lane)
    with unit_of_work(here.engine, now=here.now) as work:
        channels.pause(work, here.channel_id, "suspended", None)
    move_traffic.move_traffic(here.engine, here.vault, CONTENT, silent, here.now)
    assert here.value("SELECT channel_id FROM outbound WHERE id = :id", id=said) == other


def test_what_a_carrier_carries_is_known_to_routing_of_channels_that_were_there_before(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET kind = 'generic' WHERE id = :id", id=other)  # without a description: one plain text
    change_channel.write_limits(here.engine, here.vault)
    assert here.rows("SELECT name, longest, gsm_only FROM channels ORDER BY name") == [("a", 1600, False), ("b", 160, True)]


def test_a_channel_of_a_kind_that_is_no_more_keeps_no_other_from_being_known(here: World, other: UUID) -> None:
    here.run("UPDATE channels SET kind = CASE WHEN id = :id THEN 'generic' ELSE 'gone' END", id=other)
    change_channel.write_limits(here.engine, here.vault)
    assert here.rows("SELECT name, longest FROM channels ORDER BY name") == [("a", 1600), ("b", 160)]


def test_a_text_leaves_a_channel_of_a_kind_that_is_no_more_for_another(here: World, other: UUID) -> None:
    message = here.planned(here.client())
    here.run("UPDATE channels SET kind = 'gone' WHERE id = :id", id=here.channel_id)
    change_channel.write_limits(here.engine, here.vault)
    move_traffic.move_traffic(here.engine, here.vault, CONTENT, lambda _: None)
    assert here.value("SELECT channel_id FROM outbound WHERE id = :id", id=message) == other
    assert here.value("SELECT count(*) FROM flags WHERE reason = 'channel_stopped'") == 1


def test_a_campaign_says_that_its_texts_wait_for_a_channel_whose_day_is_used_up(here: World, boss: Actor) -> None:
    here.run("UPDATE channels SET daily = 10, daily_used = 8, daily_on = '2026-02-10'")  # a fifth is reserved
    here.client()
    run(here, boss)
    for after, waiting in ((0, [("a", 1, True)]), (24, [])):
        with unit_of_work(here.engine, boss, here.now + timedelta(hours=after)) as work:
            found = routes.stopped_for(work, campaigns.by_name(work, "one").id)
        assert [(each.name, each.texts, each.is_full) for each in found] == waiting


def test_an_answer_leaves_by_a_channel_without_its_letters_rather_than_not_at_all(here: World, boss: Actor) -> None:
    here.run("UPDATE channels SET gsm_only = true")
    client = here.client()
    assert (tell(here, boss, client, "Được", lane=1), leaves_by(here)) == (None, {client: here.channel_id})


def tell(here: World, boss: Actor, client_id: UUID, words: str, lane: int) -> str | None:
    with unit_of_work(here.engine, boss, here.now) as work:
        return tell_client.tell(
            work, here.vault, CONTENT, client_id, "manual", {"text": words}, dedupe_key=words, send_before=here.now + timedelta(days=1), lane=lane
        )


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


@pytest.mark.parametrize(
    ("set_own", "set_other", "crisis_by", "reply_by"),
    [
        ("weight = 100", "weight = 100", "a", "a"),
        ("weight = 75", "weight = 100", "b", "a"),  # alerts and crisis answers take the healthy road, answers stay where the client wrote
        ("weight = 75", "weight = 75", "a", "a"),
        ("weight = 0", "weight = 100", "b", "b"),
        ("weight = 0", "one_way = '{+84}'", "a", "a"),  # what the client says next would be lost
        ("state = 'paused', state_reason = 'suspended'", "weight = 100", "b", "b"),
        ("daily = 5, daily_used = 5, daily_on = '2026-02-10'", "weight = 100", "b", "a"),  # the clock moves the reply
    ],
)
def test_an_answer_leaves_by_the_channel_the_client_wrote_to_unless_that_fails_them(
    here: World, other: UUID, set_own: str, set_other: str, crisis_by: str, reply_by: str
) -> None:
    here.run(f"UPDATE channels SET {set_own} WHERE id = :id", id=here.channel_id)
    here.run(f"UPDATE channels SET {set_other} WHERE id = :id", id=other)
    with unit_of_work(here.engine, now=here.now) as work:
        wrote_to = channels.get(work, here.vault, here.channel_id)
    for number, words in enumerate(("toi muon chet", "HELP")):
        came = Inbound(f"SM{number}", here.phone_of(here.client()), "+84900000000", words)
        receive_message.receive(here.engine, here.vault, CONTENT, wrote_to, came, silent, here.now)
    found = here.rows("SELECT o.purpose, c.name FROM outbound o JOIN channels c ON c.id = o.channel_id WHERE o.client_id IS NOT NULL ORDER BY o.lane")
    assert found == [("crisis_answer", crisis_by), ("help", reply_by)]
