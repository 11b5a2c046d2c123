"""PostgreSQL is away, and more goes wrong: clocks, repeats, a text that cannot be kept, a journal that broke off."""

import time
from uuid import uuid4

import pytest

from gateway.spool import Spool
from gateway.store import base
from gateway.usecases.outage import Outage
from tests.faults.processes import until
from tests.usecases.test_outage import CRY, Machine, machine, renewed

__all__ = ["machine"]


def settled(process: Outage) -> bool:
    return not process._deputy._flying


def test_a_cry_for_help_that_the_database_cannot_take_is_told_of_all_the_same(machine: Machine) -> None:
    machine.world.staff("+84919990001")
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    process = machine.process(base.with_patience(machine.world.engine, 1))
    machine.say(process, phone, CRY)
    with base.unit_of_work(machine.world.engine, lock=[machine.world.vault.hash_phone(phone)]):
        process.look()
        process.look(time.time() + 10)
        until(lambda: machine.carrier.accepted_count() == 2 and settled(process), what="answer and alert")
    process._tried_later = -1000
    process.look()
    process._tried = 0
    process.look()
    assert machine.world.value("SELECT count(*) FROM inbound") == 1
    assert machine.world.value("SELECT count(*) FROM outbound WHERE state <> 'accepted'") == 0
    assert machine.world.value("SELECT count(*) FROM outbound") == 2


def test_a_clock_that_is_set_back_holds_up_no_cry_for_help(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.world.staff("+84919990001")
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    ahead = time.time() + 3600
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: ahead)
        machine.say(away, phone, CRY)
    away.look()
    away.look(time.time() + 10)
    until(lambda: machine.carrier.accepted_count() == 2 and settled(away), what="answer and alert")


def test_what_came_before_the_clock_was_set_back_did_not_come_in_the_future(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    process = machine.process(machine.world.engine)
    ahead = time.time() + 3600
    with monkeypatch.context() as clock:
        clock.setattr(time, "time", lambda: ahead)
        machine.say(process, phone, CRY)
    process.look()
    assert machine.world.value("SELECT count(*) FROM outbound WHERE send_after > now()") == 0


def test_a_text_that_the_carrier_posts_twice_is_answered_once(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    machine.say(away, phone, CRY, sid := f"SM{uuid4().hex}")
    machine.say(away, phone, CRY, sid)
    away.look(time.time() + 10)
    until(lambda: machine.carrier.accepted_count() > 0 and settled(away), what="an answer")
    assert machine.carrier.accepted_count() == 1


def test_a_flood_of_cries_costs_the_deputy_no_more_than_it_answers(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    for _ in range(20):
        machine.say(away, phone, CRY)
    away.look(time.time() - 60)
    assert len(away._deputy._cases) == 3


@pytest.fixture
def spool(machine: Machine) -> Spool:
    made = Spool(machine.folder, machine.world.vault, 2**20, floor=0)
    made.open()
    return made


def test_a_line_of_the_journal_that_broke_off_takes_no_other_with_it(spool: Spool) -> None:
    spool.note({"token": "1"})
    with (spool.folder / "journal").open("ab") as journal:
        journal.write(b"c29tZQ")  # the disk was full
    spool.note({"token": "2"})
    assert [line["token"] for line in spool.journal()] == ["1", "2"]


def test_files_stay_in_their_order_when_the_clock_is_set_back(spool: Spool, monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    with monkeypatch.context() as clock:
        clock.setattr(time, "time_ns", lambda: 2 * 10**18)
        spool.keep([{"id": "first"}])
    other = Spool(machine.folder, machine.world.vault, 2**20, floor=0)
    other.look()
    other.keep([{"id": "second"}])
    assert [other.read(file)[0]["id"] for file in other.waiting()] == ["first", "second"]


def test_a_cry_for_help_that_comes_while_the_spool_is_emptied_does_not_wait_for_its_end(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client())
    other = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    for n in range(12):
        machine.say(away, phone, f"Canary words {n}")
    machine.say(away, other, CRY)
    away.spool.release()
    back = machine.process(machine.world.engine)
    back.look()
    rows = [row.from_hash for row in machine.world.rows("SELECT from_hash FROM inbound ORDER BY handled_at, received_at")]
    assert len(rows) == 13
    first = machine.world.value("SELECT from_hash FROM inbound ORDER BY ctid LIMIT 1")
    assert bytes(first) == machine.world.vault.hash_phone(other)
