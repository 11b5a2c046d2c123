"""Clients, their consents and the stop ledger."""

from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from gateway.domain.errors import Refused
from gateway.domain.phone import Phone
from gateway.store import clients, consents, enrolments, erasure, flags, staff, units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import change_consent
from gateway.vault import Vault, VaultError
from tests import builders
from tests.builders import World

PHONE = Phone("+84912000123")


@pytest.fixture
def world(engine: Engine, vault: Vault, now) -> World:
    return builders.world(engine, vault, now)


def _new(world: World, **changes) -> clients.New:
    fields = {"unit_id": world.unit_id, "code": f"K{uuid4().hex[:6]}", "name": "Nguyễn Thị Được", "phones": [PHONE], "language": "vi"}
    return clients.New(**(fields | changes))


def _keep(world: World, **changes) -> clients.New:
    new = _new(world, **changes)
    with unit_of_work(world.engine, now=world.now) as work:
        clients.add(work, world.vault, new)
    return new


def test_what_is_kept_is_read_back(world: World) -> None:
    new = _keep(world, fields={"ghi chú": "ở với mẹ"}, phones=[PHONE, Phone("+84912000124", "old prefix")], groups=["a"])
    with unit_of_work(world.engine) as work:
        record = clients.read(work, world.vault, new.id)
    assert (record.name, record.fields, record.found.groups) == (new.name, new.fields, ["a"])
    assert [(number.e164, number.to_verify) for number in record.phones] == [("+84912000123", None), ("+84912000124", "old prefix")]


def test_nothing_personal_lies_in_the_clear(world: World) -> None:
    _keep(world, name="Canaryname", fields={"note": "canarynote"})
    for table in ("clients", "phones", "client_words", "keys"):
        dumped = " ".join(str(row) for row in world.rows(f"SELECT {table}::text AS row FROM {table}"))
        for secret in ("Canaryname", "canarynote", "912000123", b"Canaryname".hex(), b"912000123".hex()):
            assert secret not in dumped, table


def test_a_code_is_taken_once_whatever_the_unit(world: World) -> None:
    new = _keep(world)
    with pytest.raises(Refused, match="already"), unit_of_work(world.engine) as work:
        clients.add(work, world.vault, _new(world, code=new.code))


@pytest.mark.parametrize("words", ["duoc", "Được", "NGUYEN thi", "0123", "thị 0123"])
def test_a_client_is_found_by(world: World, words: str) -> None:
    new = _keep(world)
    _keep(world, name="Trần Văn Nam", phones=[Phone("+84912009999")])
    with unit_of_work(world.engine) as work:
        assert [found.id for found in clients.search(work, world.vault, words)] == [new.id]


@pytest.mark.parametrize("words", ["", "  ", "duoc lan", "9999"])
def test_nobody_is_found_by(world: World, words: str) -> None:
    _keep(world)
    with unit_of_work(world.engine) as work:
        assert clients.search(work, world.vault, words) == []


def test_an_edited_client_is_found_by_the_new_words_only(world: World) -> None:
    new = _keep(world)
    with unit_of_work(world.engine) as work:
        clients.edit(work, world.vault, new.id, {"name": "Lò Văn Mai", "phones": [Phone("+84912000777")], "discreet": 2})
    with unit_of_work(world.engine) as work:
        assert [found.id for found in clients.search(work, world.vault, "mai 0777")] == [new.id]
        assert clients.search(work, world.vault, "duoc") == []
        person = clients.recipients(work, world.vault, [new.id])[new.id]
    assert (person.phone, person.discreet, person.zone, person.tones) == ("+84912000777", 2, "Asia/Ho_Chi_Minh", "saves")


def test_everyone_on_a_shared_phone_is_found_and_stopped(world: World) -> None:
    first, second, third = _keep(world), _keep(world), _keep(world, phones=[Phone("+84912000999")])
    waiting = [world.planned(each.id, to=each.phones[0].e164) for each in (first, second, third)]
    with unit_of_work(world.engine, now=world.now) as work:
        assert {found.id for found in clients.by_phone_hash(work, world.vault.hash_phone(PHONE.e164))} == {first.id, second.id}
        assert change_consent.stop(work, clients.get(work, first.id), SYSTEM) == 2
    assert [world.state(each) for each in waiting] == ["cancelled", "cancelled", "planned"]
    with unit_of_work(world.engine) as work:
        assert [row.purpose for row in consents.history(work, second.id)] == ["all"]


def test_a_doubt_does_not_weaken_a_stop(world: World) -> None:
    phone = world.vault.hash_phone(PHONE.e164)
    with unit_of_work(world.engine) as work:
        assert consents.stop_phone(work, phone, "in_doubt", "inbound")
        assert consents.stop_phone(work, phone, "stop", "staff")
        assert not consents.stop_phone(work, phone, "in_doubt", "inbound")
        assert consents.stopped(work, [phone]) == {phone: "stop"}
        assert consents.start_phone(work, phone, "staff")
        assert not consents.start_phone(work, phone, "staff")


def test_a_start_grants_nothing_new(world: World) -> None:
    new = _keep(world)
    with unit_of_work(world.engine, now=world.now) as work:
        found = clients.get(work, new.id)
        change_consent.change(work, world.vault, found, "reminder", True, "signed form")
        change_consent.stop(work, found, SYSTEM)
        change_consent.start(work, world.vault, found, "signed form", SYSTEM)
        assert [(each.purpose, each.granted) for each in consents.current(work, new.id)] == [("reminder", True)]


def test_a_revocation_cancels_what_is_planned_for_the_purpose(world: World) -> None:
    client = world.client()
    check_in, reminder = world.planned(client), world.planned(client, consent_purpose="reminder")
    with unit_of_work(world.engine, now=world.now) as work:
        found = clients.get(work, client)
        assert change_consent.change(work, world.vault, found, "check_in", False, "said so")
        assert not change_consent.change(work, world.vault, found, "check_in", False, "said so")
    assert (world.state(check_in), world.state(reminder)) == ("cancelled", "planned")


def test_a_consent_without_a_basis_is_refused(world: World) -> None:
    with pytest.raises(Refused, match="basis"), unit_of_work(world.engine) as work:
        change_consent.change(work, world.vault, clients.get(work, world.client()), "reminder", True, "  ")


def test_an_erased_client_can_never_be_read_again(world: World) -> None:
    new = _keep(world)
    message = world.planned(new.id, body="Canary body")
    key_id, wrapped, body = world.rows("""SELECT o.key_id, k.wrapped, o.body_enc FROM outbound o JOIN keys k ON k.id = o.key_id""")[0]
    with unit_of_work(world.engine, now=world.now) as work:
        enrolments.set_date(work, new.id, "discharge", world.now.date())
        erasure.erase(work, world.vault, new.id, None)
    assert world.state(message) == "cancelled"
    assert world.rows("SELECT id FROM keys WHERE id = :id", id=key_id) == []
    for table in ("phones", "client_words", "consents", "consent_history", "client_dates", "enrolments"):
        assert world.value(f"SELECT count(*) FROM {table} WHERE client_id = :id", id=new.id) == 0
    with unit_of_work(world.engine) as work:
        record = clients.read(work, world.vault, new.id)
        assert (record.name, record.phones, record.found.status) == ("", [], "closed")
        assert new.code not in record.found.code
        assert consents.stopped(work, [world.vault.hash_phone(PHONE.e164)])
    with pytest.raises(VaultError):
        world.vault.open_key(wrapped, key_id).decrypt(body, "outbound.body", new.id)


def test_erasing_one_of_two_on_a_phone_leaves_the_other_reachable(world: World) -> None:
    new, other = _keep(world), _keep(world)
    with unit_of_work(world.engine) as work:
        erasure.erase(work, world.vault, new.id, None)
        assert consents.stopped(work, [world.vault.hash_phone(PHONE.e164)]) == {}
        assert clients.recipients(work, world.vault, [other.id])[other.id].phone == PHONE.e164


def test_a_client_with_an_open_flag_is_not_erased(world: World) -> None:
    client = world.client()
    with unit_of_work(world.engine) as work:
        flags.add(work, unit_id=world.unit_id, reason="crisis", dedupe_key="x", client_id=client)
    with pytest.raises(Refused, match="flags are open"), unit_of_work(world.engine) as work:
        erasure.erase(work, world.vault, client, None)


def test_the_same_flag_is_opened_once_and_never_closed_by_itself(world: World) -> None:
    with unit_of_work(world.engine, now=world.now) as work:
        first = flags.add(work, unit_id=world.unit_id, reason="callback", dedupe_key="one")
        assert flags.add(work, unit_id=world.unit_id, reason="callback", dedupe_key="one") is None
        assert first is not None and flags.get(work, first.id).due_at == world.now + timedelta(hours=4)
        with pytest.raises(Refused, match="no outcome"):
            flags.close(work, first.id, "whatever")
        flags.close(work, first.id, "spoke_to_client")
        with pytest.raises(Refused, match="closed"):
            flags.assign(work, first.id, world.staff("+84900000001"))


def test_urgent_flags_come_first(world: World) -> None:
    with unit_of_work(world.engine, now=world.now) as work:
        for reason in ("info", "crisis", "callback"):
            flags.add(work, unit_id=world.unit_id, reason=reason, dedupe_key=reason)
        assert [flag.reason for flag in flags.list_open(work)] == ["crisis", "callback", "info"]


def test_whoever_is_on_duty_nearest_is_alerted_else_the_supervisor(world: World) -> None:
    below = builders.unit(world.engine, world.now, code="P01-1", parent_id=world.unit_id)
    world.staff("+84900000001", role="supervisor", on_duty=False)
    assert _alerted(world, below) == ["+84900000001"]
    world.staff("+84900000002")
    world.staff("+84900000003", role="supervisor")
    assert _alerted(world, below) == ["+84900000002", "+84900000003"]
    with unit_of_work(world.engine) as work:
        staff.add(work, world.vault, unit_id=below, code="near", name="N", role="case_worker", language="vi", phone="+84900000004",
                  on_duty=True)  # fmt: skip
    assert _alerted(world, below) == ["+84900000004"]


def _alerted(world: World, unit_id) -> list[str]:
    with unit_of_work(world.engine) as work:
        return sorted(person.phone for person in staff.to_alert(work, world.vault, unit_id))


def test_a_new_unit_is_seen_by_those_who_see_the_one_above(world: World) -> None:
    member = world.staff("+84900000001")
    below = builders.unit(world.engine, world.now, code="P01-1", parent_id=world.unit_id)
    assert world.value("SELECT count(*) FROM staff_units WHERE staff_id = :s AND unit_id = :u", s=member, u=below) == 1
    with unit_of_work(world.engine) as work:
        assert set(units.below(work, world.unit_id)) == {world.unit_id, below}
