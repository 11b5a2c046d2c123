"""PostgreSQL is away, and more goes wrong: clocks, repeats, a text that cannot be kept, a journal that broke off."""

import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from gateway.channels.base import Inbound, Part
from gateway.spool import Spool
from gateway.store import base, channels
from gateway.usecases.outage import ATTEND_SECONDS, Outage
from gateway.usecases.receive_message import receive, retry_unhandled, wants
from gateway.webhooks import _Channels
from tests import builders
from tests.builders import CONTENT
from tests.faults.processes import until
from tests.usecases.test_outage import CRY, Machine, cried, machine, renewed

__all__ = ["machine"]


def channel(machine: Machine) -> channels.Channel:
    with base.unit_of_work(machine.world.engine) as work:
        return channels.get(work, machine.world.vault, machine.world.channel_id)


class Broken:
    """Words that nothing can be decided with."""

    def __getattr__(self, name: str) -> Any:
        if name == "lexicons":
            raise RuntimeError
        return getattr(CONTENT, name)


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


def test_an_answer_that_left_meanwhile_does_not_leave_again_though_the_database_knew_the_text(machine: Machine) -> None:
    machine.world.staff("+84919990001")
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    sid = f"SM{uuid4().hex}"
    receive(machine.world.engine, machine.world.vault, CONTENT, channel(machine), Inbound(sid, phone, "+15005550001", CRY), lambda _: None)
    away = machine.process()
    machine.say(away, phone, CRY, sid)  # its 2xx was lost with the database
    away.look(time.time() + 10)
    until(lambda: machine.carrier.accepted_count() == 2 and settled(away), what="answer and alert")
    away.spool.release()
    machine.process(machine.world.engine).look()
    assert machine.world.value("SELECT state FROM outbound WHERE purpose = 'crisis_answer'") == "accepted"


def test_a_cry_for_help_that_is_cut_between_two_parts_is_heard(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    copy = away.copy()
    assert copy is not None
    for number, words in ((2, "chet"), (1, "toi muon ")):
        sid = str(uuid4())
        entry = {"id": sid, "at": 1.0, "channel": str(machine.world.channel_id)}
        heard = away._deputy.hear(copy, entry, Inbound(sid, phone, "", words, part=Part("7", number, 2)), 1.0)
        assert ("crisis" in heard.wants) == (number == 1)


def test_while_the_database_hangs_nobody_waits_for_more_than_one_look_at_their_channel(machine: Machine) -> None:
    renewed(machine)
    with socket.create_server(("127.0.0.1", 0), backlog=16) as mute:
        outage = machine.process()
        engine = base.connect(f"postgresql://nobody@127.0.0.1:{mute.getsockname()[1]}/none", connect_timeout=2)
        gateway = SimpleNamespace(engine=engine, vault=machine.world.vault)
        known, began = _Channels(gateway, outage), time.monotonic()  # type: ignore[arg-type]
        with ThreadPoolExecutor(6) as threads:
            found = list(threads.map(known.get, [machine.world.channel_id] * 6))
    assert {each.id for each in found} == {machine.world.channel_id}
    assert time.monotonic() - began < 6


def test_a_stop_that_the_carrier_understood_comes_first_too(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    copy = away.copy()
    assert copy is not None
    entry = {"id": str(uuid4()), "at": 1.0, "channel": str(machine.world.channel_id)}
    assert "stop" in away._deputy.hear(copy, entry, Inbound("1", phone, "", "", opt_out="stop"), 1.0).wants


def test_an_answer_that_left_meanwhile_does_not_leave_again_though_nothing_could_be_decided_at_first(machine: Machine) -> None:
    cried(machine)
    back = machine.process(machine.world.engine)
    back._content = Broken()  # type: ignore[assignment]
    back.look()
    assert machine.world.value("SELECT count(*) FROM inbound WHERE handled_at IS NULL") == 1
    with base.unit_of_work(machine.world.engine) as work:
        later = work.now + timedelta(minutes=1)
    assert retry_unhandled(machine.world.engine, machine.world.vault, CONTENT, lambda _: None, later) == 1
    assert [row.state for row in machine.world.rows("SELECT state FROM outbound WHERE purpose = 'crisis_answer'")] == ["accepted"]


def test_an_answer_that_left_meanwhile_does_not_leave_again_though_the_database_had_kept_the_text_undecided(machine: Machine) -> None:
    machine.world.staff("+84919990001")
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    cry = Inbound(f"SM{uuid4().hex}", phone, "+15005550001", CRY)
    receive(machine.world.engine, machine.world.vault, Broken(), channel(machine), cry, lambda _: None)  # type: ignore[arg-type]
    away = machine.process()
    machine.say(away, phone, CRY, cry.carrier_id)  # its 2xx was lost with the database
    away.look(time.time() + 10)
    until(lambda: machine.carrier.accepted_count() == 2 and settled(away), what="answer and alert")
    away.spool.release()
    machine.process(machine.world.engine).look()
    with base.unit_of_work(machine.world.engine) as work:
        later = work.now + timedelta(minutes=1)
    assert retry_unhandled(machine.world.engine, machine.world.vault, CONTENT, lambda _: None, later) == 1
    assert [row.state for row in machine.world.rows("SELECT state FROM outbound WHERE purpose = 'crisis_answer'")] == ["accepted"]


def test_what_cannot_wait_overtakes_what_is_being_taken_out_of_the_spool(machine: Machine) -> None:
    phones = [machine.world.phone_of(machine.world.client()) for _ in range(6)]
    crying = machine.world.phone_of(machine.world.client())
    renewed(machine)
    back = machine.process(machine.world.engine)
    came: list[str] = []

    def ring(_: object) -> None:
        if not came:
            came.append(machine.say(back, crying, CRY))
            time.sleep(ATTEND_SECONDS)

    back._ring = ring
    for phone in phones:
        machine.say(back, phone, "help")
    back.look()
    order = [row.carrier_id for row in machine.world.rows("SELECT carrier_id FROM inbound ORDER BY ctid")]
    assert order.index(came[0]) <= 2
    back.look()
    assert machine.world.value("SELECT count(*) FROM inbound") == 7


def test_a_text_that_nothing_can_be_decided_about_holds_up_nobody_and_may_be_a_cry_for_help() -> None:
    assert wants(Broken(), "hello", ["en"]) == {"crisis"}  # type: ignore[arg-type]


def test_what_may_have_left_meanwhile_is_taken_over_once_by_a_process_that_finds_its_text_kept_already(machine: Machine) -> None:
    machine.carrier.script("accept_500")
    cried(machine)
    first = machine.process(machine.world.engine)
    (file,) = first.spool.waiting()
    entries = file.read_bytes()
    first.look()
    file.write_bytes(entries)  # it was killed before the file was dropped
    first.spool.release()
    second = machine.process(machine.world.engine)
    second.look()
    assert (second.spool.waiting(), second.spool.waiting(later=True)) == ([], [])
    states = machine.world.rows("SELECT state, attempts FROM outbound")
    assert [tuple(row) for row in states] == [("submitting", 1)] * 2
    assert machine.world.value("SELECT count(*) FROM attempts") == 2


def test_a_copy_that_cannot_be_written_anew_leaves_the_old_one_and_is_said_once(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    renewed(machine)
    away = machine.process()
    os.utime(machine.folder / "copy", (1, 1))
    for _ in range(3):
        away.look()
    assert capfd.readouterr().err.count("copy_not_renewed") == 1
    assert away.stands_in
    assert away.channel(machine.world.channel_id) is not None
    away.spool.release()
    back = machine.process(machine.world.engine)
    back.noticed()
    back.look()
    assert not back.stands_in


def test_a_channel_of_a_kind_that_is_no_more_keeps_no_cry_for_help_from_its_answer(machine: Machine) -> None:
    builders.channel(machine.world.engine, machine.world.vault, machine.world.now, machine.world.unit_id, name="a gone one")
    machine.world.run("UPDATE channels SET kind = 'gone' WHERE name = 'a gone one'")
    cried(machine)


def test_a_file_in_the_spool_that_is_none_of_ours_keeps_nothing_in_it(machine: Machine) -> None:
    renewed(machine)
    process = machine.process(machine.world.engine)
    machine.say(process, machine.world.phone_of(machine.world.client()), "xin chao")
    (machine.folder / "copy of a file.in").write_bytes(b"nothing")
    process.look()
    assert machine.world.value("SELECT count(*) FROM inbound") == 1
    assert not process.stands_in
