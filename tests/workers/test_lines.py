"""Lines held open, with the real processes: a bind to an SMSC that speaks SMPP by code that is not ours."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from gateway.domain.messages import REPLY
from gateway.queues import Bell
from gateway.store import channels, health
from gateway.store.base import unit_of_work
from gateway.usecases import move_traffic
from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.faults.processes import Processes, free_port, until
from tests.smsc import HANG, FakeSmsc
from tests.workers.conftest import plan


@pytest.fixture
def smsc() -> Iterator[FakeSmsc]:
    started = FakeSmsc(free_port()).start()
    yield started
    started.stop()


def world_of(engine: Engine, vault: Vault, port: int, **settings: str) -> World:
    """A unit that is always open, and a channel to the SMSC at the port."""
    now = datetime.now(UTC)
    unit_id = builders.unit(engine, now, hours=None)
    told = {"host": "127.0.0.1", "port": str(port), "system_id": "gateway", "password": "s3cret", "sender": "+84900000001", "tls": "no",
            "secret": "signed-by-our-own-process", "window": "10"}  # fmt: skip
    channel_id = builders.channel(engine, vault, now, unit_id, kind="smpp", name="bind", settings=told | settings)
    return World(engine, vault, unit_id, channel_id, now)


def said_in(world: World) -> list[str]:
    """What clients sent, as it is kept."""
    rows = world.rows("SELECT i.id, i.key_id, k.wrapped, i.body_enc FROM inbound i JOIN keys k ON k.id = i.key_id ORDER BY i.received_at")
    return [world.vault.open_key(r.wrapped, r.key_id).decrypt(r.body_enc, "inbound.body", r.id) for r in rows]


def test_a_text_goes_out_by_the_bind_its_report_and_the_answer_come_back(
    engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes
) -> None:
    world = world_of(engine, vault, smsc.port)
    processes.start("web")
    processes.start("lines")
    until(lambda: smsc.bound == 1, what="the bind")
    message = plan(world, "Chào bạn, tuần này bạn thế nào?")
    until(lambda: world.state(message) == "accepted", what="the acceptance")
    assert [(taken.text, taken.sender, taken.registered) for taken in smsc.taken] == [("Chào bạn, tuần này bạn thế nào?", "84900000001", 1)]
    assert smsc.report(smsc.taken[0].carrier_id) == 0
    assert world.state(message) == "delivered"
    assert smsc.text_in(smsc.taken[0].to, "84900000001", "Tốt, cảm ơn") == 0
    assert said_in(world) == ["Tốt, cảm ơn"]
    assert processes.stop("lines") < 10
    logs = processes.logs()
    assert not any(word in logs for word in ("Chào", "Tốt", smsc.taken[0].to, "s3cret", "signed-by"))


def test_reports_that_come_at_once_and_ids_in_another_form_find_their_texts(
    engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes
) -> None:
    smsc.stat, smsc.answered_id, smsc.reported_id = "DELIVRD", "{:X}".format, "{:010}".format
    world = world_of(engine, vault, smsc.port, report_ids="hex-decimal")
    processes.start("web")
    processes.start("lines")
    messages = [plan(world, f"Canary {n} " + "dạy " * 30 * (n % 2)) for n in range(40)]
    until(lambda: {world.state(each) for each in messages} == {"delivered"}, what="the reports")
    assert len(smsc.taken) == 60
    assert world.value("SELECT count(*) FROM reports WHERE NOT matched") == 0


def test_one_process_holds_the_bind_and_another_takes_it_over(engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes) -> None:
    world = world_of(engine, vault, smsc.port)
    for name in ("lines", "lines-2"):
        processes.start(name)
    until(lambda: smsc.bound == 1, what="the bind")
    first = "lines" if "bound" in processes.log("lines") else "lines-2"
    before = plan(world)
    until(lambda: world.state(before) == "accepted", what="the acceptance")
    time.sleep(1.5)
    assert smsc.binds_made == 1
    processes.kill(first)
    until(lambda: smsc.binds_made == 2, what="the second bind")
    message = plan(world)
    until(lambda: world.state(message) == "accepted", what="the acceptance")
    assert len({taken.session for taken in smsc.taken}) == 2


def test_a_channel_whose_address_is_none_and_one_of_a_kind_that_is_no_more_keep_no_other_from_its_line(engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes) -> None:
    world = world_of(engine, vault, smsc.port)
    told = {"host": "smsc.example.org:2775", "system_id": "gateway", "password": "x", "sender": "+84900000001", "secret": "signed"}
    builders.channel(engine, vault, world.now, world.unit_id, kind="smpp", name="a", settings=told)
    builders.channel(engine, vault, world.now, world.unit_id, name="b")
    world.run("UPDATE channels SET kind = 'gone' WHERE name = 'b'")  # this program knows it no more
    processes.start("lines")
    until(lambda: smsc.bound == 1, what="the bind")
    message = plan(world)
    until(lambda: world.state(message) == "accepted", what="the acceptance")
    time.sleep(2.5)  # tried again each second
    assert processes.logs().count("line_not_opened") == 1


def test_of_a_line_that_stays_shut_texts_leave_by_another_channel_staff_hear_of_it_and_it_sends_again_once_it_opens(
    engine: Engine, vault: Vault, processes: Processes
) -> None:
    port = free_port()
    world = world_of(engine, vault, port)
    spare = builders.channel(engine, vault, world.now, world.unit_id, name="spare")
    message, answer = plan(world), plan(world, lane=REPLY)
    processes.start("lines")
    state = "SELECT concat_ws(' ', state, state_reason) FROM channels WHERE id = :id"
    until(lambda: world.value(state, id=world.channel_id) == "paused line_shut", 40, what="the word that the line is shut")
    move_traffic.move_traffic(engine, vault, builders.CONTENT, lambda _: None)
    assert [row.channel_id for row in world.rows("SELECT channel_id FROM outbound WHERE id = ANY(:ids)", ids=[message, answer])] == [spare, spare]
    assert world.value("SELECT count(*) FROM flags WHERE reason = 'channel_stopped'") == 1
    again = FakeSmsc(port).start()
    try:
        until(lambda: world.value(state, id=world.channel_id) == "active", 75, what="the line")
    finally:
        again.stop()


def test_a_line_that_opens_does_not_put_to_use_again_what_another_fault_has_stopped(engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes) -> None:
    world = world_of(engine, vault, smsc.port)
    with unit_of_work(engine) as work:
        channels.pause(work, world.channel_id, "suspended", None)
    processes.start("lines")
    until(lambda: smsc.bound == 1, what="the bind")
    time.sleep(2.5)  # it is looked at each second
    assert world.value("SELECT state_reason FROM channels WHERE id = :id", id=world.channel_id) == "suspended"


def test_a_disabled_channel_is_unbound(engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes) -> None:
    world = world_of(engine, vault, smsc.port)
    processes.start("lines")
    until(lambda: smsc.bound == 1, what="the bind")
    until(lambda: health.look(engine).get("lines") is True, what="the word that somebody holds it")
    world.run("UPDATE channels SET state = 'disabled'")
    until(lambda: smsc.bound == 0, what="the end of the bind")
    until(lambda: "lines" not in health.look(engine), what="the word that nobody has to")
    world.run("UPDATE channels SET state = 'active'")
    until(lambda: smsc.bound == 1, what="the bind")


def test_a_killed_process_leaves_what_was_on_its_way_unknown_and_nothing_is_sent_twice(
    engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes
) -> None:
    world = world_of(engine, vault, smsc.port, window="5")
    smsc.next_statuses.extend([HANG] * 5)
    processes.start("lines")
    processes.start("clock")
    messages = [plan(world, f"Canary {n}") for n in range(50)]
    until(lambda: len(smsc.taken) == 5, what="a full window")
    processes.kill("lines")
    processes.start("lines")
    until(lambda: {world.state(each) for each in messages} == {"accepted", "unknown"}, 60, "an end for each")
    words = [taken.text for taken in smsc.taken]
    assert len(words) == len(set(words)), "none twice"
    unknown = sum(world.state(each) == "unknown" for each in messages)
    assert unknown == 50 - (len(words) - 5)
    assert 5 <= unknown <= 30, "what was claimed by the one that died"


def test_the_send_workers_leave_it_alone(engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes) -> None:
    world = world_of(engine, vault, smsc.port)
    processes.start("send")
    message = plan(world)
    Bell(processes.environ["REDIS_URL"]).ring(world.channel_id)
    time.sleep(2)
    assert (world.state(message), smsc.binds_made) == ("planned", 0)


def test_a_long_text_that_comes_in_two_parts_the_last_one_first_is_one_text(
    engine: Engine, vault: Vault, smsc: FakeSmsc, processes: Processes
) -> None:
    world = world_of(engine, vault, smsc.port)
    phone = world.phone_of(world.client())
    processes.start("web")
    processes.start("lines")
    until(lambda: smsc.bound == 1, what="the bind")
    words = "Tôi muốn hỏi về giờ khám tuần sau ".encode("utf-16-be") + "😀".encode("utf-16-be")
    for number, octets in ((2, words[-2:]), (1, words[:-2])):  # the phone cut an emoji in two
        header = bytes([5, 0, 3, 0xCD, 2, number])
        said = smsc.deliver(header + octets, source_addr=phone[1:], source_addr_ton=1, destination_addr="84900000001", data_coding=8, esm_class=0x40)
        assert said == 0
    assert said_in(world) == ["Tôi muốn hỏi về giờ khám tuần sau 😀"]
