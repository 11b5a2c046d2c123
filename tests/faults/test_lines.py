"""A bind while PostgreSQL is away: it is held, what clients send is kept or stays at the SMSC, and nothing leaves twice."""

from collections.abc import Iterator
from uuid import UUID

import pytest

from tests import builders
from tests.faults.processes import free_port, until
from tests.faults.stage import Stage
from tests.faults.test_postgres_away import away
from tests.smsc import FakeSmsc


@pytest.fixture
def smsc(stage: Stage) -> Iterator[FakeSmsc]:
    started = FakeSmsc(free_port()).start()
    yield started
    started.stop()
    stage.processes.kill("lines")
    stage.world.run("UPDATE channels SET state = 'disabled' WHERE kind = 'smpp'")
    stage.world.run("DELETE FROM heartbeats WHERE name = 'lines'")  # the house has other cases


def bind(stage: Stage, smsc: FakeSmsc) -> UUID:
    """A channel by SMPP, bound."""
    settings = {"host": "127.0.0.1", "port": str(smsc.port), "system_id": "gateway", "password": "s3cret", "sender": "+84900000001", "tls": "no",
                "secret": "signed-by-our-own-process"}  # fmt: skip
    world = stage.world
    channel_id = builders.channel(stage.engine, stage.vault, world.now, world.unit_id, "smpp", name=f"bind-{smsc.port}", settings=settings)
    stage.processes.start("lines")
    until(lambda: smsc.bound == 1, what="the bind")
    return channel_id


def test_what_clients_send_by_a_bind_is_kept_while_postgresql_is_away_and_the_bind_stays(stage: Stage, smsc: FakeSmsc) -> None:
    channel_id = bind(stage, smsc)
    phone = stage.world.phone_of(stage.clients(1)[0])
    assert smsc.text_in(phone[1:], "84900000001", "Canary before") == 0
    with away(stage, "kill_postgres"):
        until(lambda: smsc.text_in(phone[1:], "84900000001", "STOP") == 0, what="that our side keeps it")
    kept = "SELECT count(DISTINCT carrier_id) FROM inbound WHERE channel_id = :id"
    until(lambda: stage.world.value(kept, id=channel_id) == 2, what="the return of what was kept")
    until(lambda: stage.world.value("SELECT count(*) FROM stops WHERE phone_hash = :p", p=stage.vault.hash_phone(phone)) == 1, what="the stop")
    assert smsc.binds_made == 1


def test_texts_of_a_bind_leave_once_when_postgresql_goes_away_among_them(stage: Stage, smsc: FakeSmsc) -> None:
    channel_id = bind(stage, smsc)
    ids = stage.plan(300, channel_id=channel_id)
    until(lambda: len(smsc.taken) > 30, what="the first of them")
    with away(stage, "stop_postgres"):
        stage.wait(1)
    until(lambda: stage.all_done(ids), 60, "an end for each")
    assert stage.states(ids) == {"accepted": 300}
    assert sorted(taken.text for taken in smsc.taken) == sorted({taken.text for taken in smsc.taken})
    assert (len(smsc.taken), smsc.binds_made) == (300, 1)
