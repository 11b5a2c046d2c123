"""A unit whose time zone does not exist: staff are told, its clients are texted by the clock of the unit above, and nobody waits for it."""

from datetime import datetime

import pytest
from sqlalchemy import Engine

from gateway.domain.errors import Refused
from gateway.store import units
from gateway.store.base import SYSTEM, unit_of_work
from gateway.usecases import change_unit, mend_zones
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


def test_a_zone_that_does_not_exist_is_refused_when_a_unit_is_saved(world: World) -> None:
    with unit_of_work(world.engine, SYSTEM, world.now) as work:
        old = units.get(work, world.unit_id)
        for zone in ("Mars/Base", "Asia/Ho_Chi_Min", "../etc/passwd", "UTC\0"):
            with pytest.raises(Refused, match="time zone"):
                change_unit.edit(work, old, SYSTEM, CONTENT.languages, hours=None, details={}, zone=zone)
            with pytest.raises(Refused, match="time zone"):
                change_unit.add(work, SYSTEM, CONTENT.languages, code="X", name="X", kind="commune", parent_id=old.id, zone=zone, language="vi", region="VN")


def test_a_unit_that_has_one_anyhow_takes_that_of_the_unit_above_and_staff_are_told(world: World, engine: Engine, now: datetime) -> None:
    below = builders.unit(engine, now, code="B1", parent_id=world.unit_id)
    lowest = builders.unit(engine, now, code="B2", parent_id=below)
    zone = world.value("SELECT time_zone FROM units WHERE id = :id", id=world.unit_id)
    world.run("UPDATE units SET time_zone = 'Old/Town' WHERE code IN ('B1', 'B2')")
    assert [mend_zones.mend(engine, now), mend_zones.mend(engine, now)] == [2, 0]
    assert world.rows("SELECT DISTINCT time_zone FROM units") == [(zone,)]
    assert {row.unit_id for row in world.rows("SELECT unit_id FROM flags WHERE reason = 'zone_unknown'")} == {below, lowest}
    assert world.value("SELECT count(*) FROM audit WHERE action = 'unit.zone_mended'") == 2


def test_where_no_zone_is_known_none_is_guessed(world: World, engine: Engine, now: datetime) -> None:
    world.run("UPDATE units SET time_zone = 'Old/Town'")
    assert mend_zones.mend(engine, now) == 0
    assert world.value("SELECT count(*) FROM flags") == 0
