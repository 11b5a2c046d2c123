"""The database commits a claim and dies before it says so: the worker finds out what it holds, and goes on with it."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from gateway import queues
from gateway.channels.base import Inbound, SendResult
from gateway.store import base, channels
from gateway.usecases import receive_message, send_due
from gateway.usecases.record_outcomes import Ended, Recorder
from gateway.usecases.send_due import Sender
from gateway.vault import Vault
from gateway.wire import Wire
from tests.builders import CONTENT, World, channel, unit
from tests.carrier import FakeCarrier
from tests.lostcommit import Wayside, wayside
from tests.servers import Database
from tests.usecases.test_send_due import until

CLAIMING = b"INSERT INTO attempts"


@pytest.fixture
def carrier() -> Iterator[FakeCarrier]:
    with FakeCarrier(reports=()) as fake:
        yield fake


@pytest.fixture
def here(engine: Engine, vault: Vault, carrier: FakeCarrier) -> World:
    with base.unit_of_work(engine) as work:
        now = work.now
    unit_id = unit(engine, now, hours=None)
    settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": "+15005550006", "base_url": carrier.url}
    return World(engine, vault, unit_id, channel(engine, vault, now, unit_id, kind="twilio", settings=settings), now)


@pytest.fixture
def way(database: Database) -> Iterator[Wayside]:
    with wayside(database.url) as made:
        yield made


@pytest.fixture
def sender(way: Wayside, vault: Vault) -> Iterator[Sender]:
    engine = base.connect(way.url, prepare_threshold=None)  # so that each statement is said in full
    wire = Wire(connect_s=5, read_s=3).start()
    recorder = Recorder(engine, vault)
    yield Sender(engine, vault, wire, recorder, "http://127.0.0.1:1")
    wire.close()
    recorder.close()
    engine.dispose()


def lose_a_claim(here: World, way: Wayside, sender: Sender) -> list[UUID]:
    """Texts whose claim is committed, and whose worker does not know."""
    texts = [here.planned(here.client()) for _ in range(20)]
    way.lose_after = CLAIMING
    with pytest.raises(send_due.InDoubt):
        sender.due(here.channel_id)
    assert way.lost == 1
    assert here.value("SELECT count(*) FROM outbound WHERE state = 'submitting'") == 20
    return texts


def test_what_a_worker_holds_without_knowing_leaves_as_soon_as_the_database_is_back(
    here: World, way: Wayside, sender: Sender, carrier: FakeCarrier
) -> None:
    texts = lose_a_claim(here, way, sender)
    assert carrier.accepted_count() == 0
    assert sender.doubtful() == [here.channel_id]
    sender.due(here.channel_id)
    until(lambda: {here.state(each) for each in texts} == {"accepted"})
    assert carrier.accepted_count() == 20
    assert here.value("SELECT max(attempts) FROM outbound") == 1
    assert here.value("SELECT count(*) FROM attempts") == 20
    assert sender.doubtful() == []


def test_a_stop_that_came_meanwhile_wins(here: World, way: Wayside, sender: Sender, carrier: FakeCarrier) -> None:
    (first, *_) = lose_a_claim(here, way, sender)
    here.run("INSERT INTO stops SELECT to_hash, 'stop', 'inbound', NULL, now() FROM outbound WHERE id = :id", id=first)
    sender.due(here.channel_id)
    until(lambda: carrier.accepted_count() == 19)
    assert here.state(first) == "suppressed"


def test_what_lapsed_meanwhile_is_taken_back_too_and_what_was_settled_is_left(here: World, way: Wayside, sender: Sender, carrier: FakeCarrier) -> None:
    first, second, *_ = lose_a_claim(here, way, sender)
    here.run("UPDATE attempts SET state = 'unknown' WHERE outbound_id = ANY(:ids)", ids=[first, second])
    here.run("UPDATE outbound SET state = 'unknown' WHERE id = ANY(:ids)", ids=[first, second])
    here.run("UPDATE attempts SET state = 'carrier_shows_none' WHERE outbound_id = :id", id=second)
    here.run("UPDATE outbound SET state = 'planned' WHERE id = :id", id=second)
    sender.due(here.channel_id)
    until(lambda: carrier.accepted_count() == 20)
    until(lambda: here.state(second) == "accepted")
    attempts = {row.id: row.attempts for row in here.rows("SELECT id, attempts FROM outbound")}
    assert (attempts[first], attempts[second]) == (1, 2)


def test_taking_back_a_claim_that_was_never_committed_leaves_that_of_another_worker(here: World) -> None:
    texts = [here.planned(here.client()) for _ in range(5)]
    held = send_due.claim(here.engine, here.vault, here.channel_id, 100).sends
    send_due.withdraw(here.engine, [replace(sent, token=uuid4()) for sent in held])
    assert {here.state(each) for each in texts} == {"submitting"}
    send_due.withdraw(here.engine, held)
    assert {here.state(each) for each in texts} == {"planned"}
    assert here.value("SELECT sum(attempts) FROM outbound") == 0


def test_outcomes_whose_commit_nobody_answered_are_written_again_and_none_is_dropped(
    here: World, way: Wayside, sender: Sender, carrier: FakeCarrier, capfd: pytest.CaptureFixture[str]
) -> None:
    message = here.planned(here.client())
    way.lose_after = b"UPDATE attempts a SET"
    sender.due(here.channel_id)
    until(lambda: way.lost == 1 and here.state(message) == "accepted")
    until(lambda: "outcomes_wait_for_database" in capfd.readouterr().err)
    assert (carrier.accepted_count(), here.value("SELECT count(*) FROM attempts")) == (1, 1)


def test_a_text_in_whose_commit_nobody_answered_is_kept_once_and_the_carrier_tries_again(here: World, way: Wayside) -> None:
    engine = base.connect(way.url, prepare_threshold=None)
    with base.unit_of_work(here.engine) as work:
        through = channels.get(work, here.vault, here.channel_id)
    came = (through, Inbound("SM1", here.phone_of(here.client()), "+15005550006", "toi muon chet"))
    way.lose_after = b"INSERT INTO inbound"
    with pytest.raises(OperationalError):
        receive_message.receive(engine, here.vault, CONTENT, *came, queues.silent)
    assert receive_message.receive(engine, here.vault, CONTENT, *came, queues.silent) is None
    assert [row.reason for row in here.rows("SELECT reason FROM flags")] == ["crisis"]
    engine.dispose()


def test_what_this_process_alone_kept_from_leaving_was_never_claimed(here: World, vault: Vault, carrier: FakeCarrier) -> None:
    message = here.planned(here.client())
    wire, recorder = Wire(connect_s=5, read_s=3).start(), Recorder(here.engine, vault)
    stopped = Sender(here.engine, vault, wire, recorder, "http://127.0.0.1:1")
    wire.close()
    stopped.due(here.channel_id)
    recorder.close()
    row = here.rows("SELECT state, attempts, (SELECT count(*) FROM attempts) AS rows FROM outbound WHERE id = :id", id=message)[0]
    assert tuple(row) == ("planned", 0, 0)
    assert carrier.accepted_count() == 0


def test_outcomes_are_kept_until_a_database_that_took_no_writes_for_a_while_takes_them(here: World, vault: Vault) -> None:
    """A stand-by is promoted, or a disk that was full is not any more."""
    message = here.planned(here.client())
    (sent,) = send_due.claim(here.engine, vault, here.channel_id, 10).sends
    reading = base.connect(here.engine.url.render_as_string(hide_password=False), options="-c default_transaction_read_only=on")
    recorder = Recorder(reading, vault)
    ended = [Ended(here.channel_id, sent, SendResult("accepted", "SM1"))]
    try:
        assert not recorder._write(ended)
        assert not recorder.healthy
        recorder._engine = here.engine
        assert recorder._write(ended)
    finally:
        recorder.close()
        reading.dispose()
    assert here.state(message) == "accepted"
