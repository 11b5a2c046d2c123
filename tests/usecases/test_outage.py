"""What a web process does against PostgreSQL being away, step by step: an outage whose database is nowhere, then one whose database is there."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Engine

from gateway.channels.base import CallbackRequest
from gateway.spool import Spool
from gateway.store import base
from gateway.usecases.outage import Outage
from gateway.usecases.second_way import SecondWay
from gateway.vault import Vault
from gateway.wire import Wire
from tests import builders
from tests.builders import CONTENT, World
from tests.carrier import FakeCarrier
from tests.faults.processes import until

CRY = "toi muon chet"
NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine with a spool and a carrier."""

    world: World
    carrier: FakeCarrier
    folder: Path

    def process(self, url: Engine | None = None, most: int = 2**20) -> Outage:
        """A web process of it; without a database of its own PostgreSQL is away."""
        engine = url or base.connect(NOWHERE)
        spool = Spool(self.folder, self.world.vault, most, floor=0)
        spool.open()
        wire = cache(lambda: Wire(8, connect_s=2, read_s=2).start())
        return Outage(engine, self.world.vault, CONTENT, lambda _: None, spool, SecondWay, wire, "http://127.0.0.1:1")

    def say(self, process: Outage, phone: str, words: str, sid: str = "") -> str:
        """A text that the process keeps; its id at the carrier."""
        sid = sid or f"SM{uuid4().hex}"
        body = f"MessageSid={sid}&From=%2B{phone[1:]}&To=%2B15005550001&Body={words.replace(' ', '+')}&NumMedia=0&AccountSid=AC{'0' * 32}"
        headers = {"content-type": "application/x-www-form-urlencoded"}
        process.keep("inbound", self.world.channel_id, CallbackRequest("http://x/", "/", "", headers, body.encode()))
        return sid


@pytest.fixture
def machine(engine: Engine, vault: Vault, tmp_path: Path) -> Iterator[Machine]:
    with base.unit_of_work(engine) as work:
        now = work.now
    with FakeCarrier(reports=()) as carrier:
        settings = {"account_sid": "AC" + "0" * 32, "auth_token": "token", "sender": "+15005550001", "base_url": carrier.url}
        made = Machine(builders.world(engine, vault, now, kind="twilio", settings=settings), carrier, tmp_path / "spool")
        yield made


def renewed(machine: Machine) -> None:
    process = machine.process(machine.world.engine)
    process.renew()


def cried(machine: Machine) -> None:
    """A cry for help came while a process stood in: the client was answered, a person told, and the spool is free for another process."""
    machine.world.staff("+84919990001")
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    machine.say(away, phone, CRY)
    away.look(time.time() + 10)
    until(lambda: machine.carrier.accepted_count() == 2 and not away._deputy._flying, what="answer and alert")
    away.spool.release()


def test_what_is_spooled_is_kept_in_its_order_as_soon_as_the_database_is_there(machine: Machine) -> None:
    phone = machine.world.phone_of(machine.world.client())
    renewed(machine)
    away = machine.process()
    sids = [machine.say(away, phone, f"Canary words {n}") for n in range(5)]
    away.look()
    assert away.stands_in
    away.spool.release()
    back = machine.process(machine.world.engine)
    back.look()
    assert [row.carrier_id for row in machine.world.rows("SELECT carrier_id FROM inbound ORDER BY received_at")] == sids
    assert not back.stands_in
    assert back.spool.waiting() == []


def test_a_cry_for_help_is_answered_and_told_of_meanwhile_and_not_again_afterwards(machine: Machine) -> None:
    cried(machine)
    back = machine.process(machine.world.engine)
    back.look()
    states = machine.world.rows("SELECT purpose, state, attempts FROM outbound ORDER BY purpose")
    assert [tuple(row) for row in states] == [("crisis_answer", "accepted", 1), ("staff_alert", "accepted", 1)]
    steps = machine.world.rows("SELECT way, result FROM alert_steps WHERE done_at IS NOT NULL ORDER BY position")
    assert [tuple(row) for row in steps] == [("text", "texted"), ("second", "no second way is set up")]
    assert machine.world.value("SELECT count(*) FROM flags WHERE reason = 'crisis' AND state = 'open'") == 1
