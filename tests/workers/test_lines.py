"""Lines held open, with the real processes: a bind to an SMSC that speaks SMPP by code that is not ours."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.faults.processes import Processes, free_port, until
from tests.smsc import FakeSmsc
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
    assert world.value("SELECT count(*) FROM inbound WHERE client_id IS NOT NULL") == 1
    assert processes.stop("lines") < 10
    logs = processes.logs()
    assert not any(word in logs for word in ("Chào", "Tốt", smsc.taken[0].to, "s3cret", "signed-by"))
