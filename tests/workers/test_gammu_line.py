"""gammu-smsd's folders, with the real gammu-smsd on its dummy phone and the gateway's real processes.

REQUIRE_GAMMU=1 makes its absence a failure.
"""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from examples import demo_gammu
from examples.demo_gammu import Gammu
from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.faults.processes import Processes, until
from tests.workers.conftest import plan

MISSING = "There is no gammu-smsd: apt-get install gammu-smsd"


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Gammu]:
    if not demo_gammu.installed():
        pytest.fail(MISSING) if os.environ.get("REQUIRE_GAMMU") == "1" else pytest.skip(MISSING)
    made = Gammu(tmp_path / "gammu")
    yield made
    made.stop()


def world_of(engine: Engine, vault: Vault, phone: Gammu) -> World:
    """A unit that is always open, and a channel by the phone's folders."""
    now = datetime.now(UTC)
    unit_id = builders.unit(engine, now, hours=None)
    settings = {"number": "+84900000001", "folder": str(phone.spool), "pid_file": str(phone.pid_file), "secret": "signed-by-our-own-process"}
    return World(engine, vault, unit_id, builders.channel(engine, vault, now, unit_id, kind="gammu", name="sim", settings=settings), now)


def test_texts_go_out_by_the_phone_and_answers_come_back(engine: Engine, vault: Vault, phone: Gammu, processes: Processes) -> None:
    world = world_of(engine, vault, phone)
    phone.start()
    processes.start("web")
    processes.start("lines")
    message = plan(world, "Chào bạn, tuần này bạn thế nào?")
    until(lambda: world.state(message) == "delivered", what="the word that the network has it")
    until(lambda: not phone.waiting(), what="the deletion of what was read")
    client = world.value("SELECT client_id FROM outbound WHERE id = :id", id=message)
    assert phone.got(world.phone_of(client)) == ["Chào bạn, tuần này bạn thế nào?"]
    phone.text_in(world.phone_of(client), "STOP")
    until(lambda: world.value("SELECT count(*) FROM stops") == 1, what="the stop")
    until(lambda: not phone.waiting(), what="the deletion of what was read")
    logs = processes.logs()
    assert not any(word in logs for word in ("Chào", "STOP", world.phone_of(client), "signed-by"))


def test_nothing_is_claimed_while_gammu_does_not_run(engine: Engine, vault: Vault, phone: Gammu, processes: Processes) -> None:
    world = world_of(engine, vault, phone)
    processes.start("lines")
    message = plan(world)
    until(lambda: "line_opened" in processes.log("lines"), what="the line")
    time.sleep(1.5)
    assert world.state(message) == "planned"
    phone.start()
    until(lambda: world.state(message) == "accepted", what="the acceptance")
