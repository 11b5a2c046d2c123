"""Days that calendars make difficult, through planner and sender: 29 February, the 31st, the year's end, zones that are missing, wrong or change."""

import shutil
import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from gateway.domain import windows
from gateway.store import enrolments
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.usecases import send_due
from gateway.vault import Vault
from tests import builders
from tests.builders import World
from tests.usecases.test_plan_rounds import DAY, HOUR, dues, launch, plan

SECOND = timedelta(seconds=1)
VIETNAM, LONDON = ZoneInfo("Asia/Ho_Chi_Minh"), "Europe/London"


@pytest.fixture
def world(engine: Engine, vault: Vault, now: datetime) -> World:
    return builders.world(engine, vault, now)


def boss(world: World) -> Actor:
    return Actor(world.staff("+84980000001", role="supervisor"), world.unit_id, "supervisor")


def local(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%Y-%m-%d %H:%M}"


def left(world: World, at: datetime, hours: int) -> list[str]:
    """When texts leave, if the sender looks each hour."""
    for hour in range(hours):
        plan(world, at + hour * HOUR + SECOND)  # two texts at one moment are microseconds apart
        send_due.claim(world.engine, world.vault, world.channel_id, 100, at + hour * HOUR + SECOND)
        world.run("UPDATE outbound SET state = 'accepted' WHERE state = 'submitting'")
    return [local(row.state_at) for row in world.rows("SELECT state_at FROM outbound WHERE state = 'accepted' ORDER BY 1")]


@pytest.mark.parametrize(("every", "start", "days"), [
    ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", "2027-01-01", ["2027-02-28", "2028-02-29", "2029-02-28"]),
    ("FREQ=MONTHLY;BYMONTHDAY=31", "2027-12-20", ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
    ("FREQ=DAILY;UNTIL=20280101", "2027-12-30", ["2027-12-30", "2027-12-31", "2028-01-01"]),
    ("FREQ=WEEKLY;BYDAY=FR,SA;COUNT=4", "2027-12-31", ["2027-12-31", "2028-01-01", "2028-01-07", "2028-01-08"]),
    ("last working day", "2027-12-01", ["2027-12-31", "2028-01-31", "2028-02-29"]),
])  # fmt: skip
def test_days_that_some_years_and_months_lack_are_their_last_ones(
    engine: Engine, vault: Vault, every: str, start: str, days: list[str]
) -> None:
    first = datetime.fromisoformat(start).replace(tzinfo=VIETNAM)
    world = builders.world(engine, vault, first)
    world.client()
    launch(world, boss(world), schedule={"every": every, "at": "09:00", "start": start})
    wanted = [datetime.fromisoformat(f"{day} 08:55").replace(tzinfo=VIETNAM) for day in days]
    for at in [first, *(at + n * DAY for at in wanted for n in (-1, 0, 1))]:  # the planner looks around these days, and misses none between
        plan(world, at)
    assert [local(at) for at in dues(world)] == [f"{day} 09:00" for day in days if f"{day}" <= local(wanted[-1] + DAY)[:10]]


def test_a_programme_counts_over_29_february_and_the_years_end(engine: Engine, vault: Vault) -> None:
    at = datetime(2027, 12, 30, 1, tzinfo=UTC)
    world = builders.world(engine, vault, at)
    client_id = world.client()
    with unit_of_work(engine, SYSTEM, at) as work:
        enrolments.set_date(work, client_id, "discharge", date(2027, 12, 30))
    launch(world, boss(world), kind="programme", schedule={"at": "09:00", "since": "discharge"},
           steps=[{"template": "check_in", "day": day} for day in (2, 61, 62, 366)])  # fmt: skip
    for day in (0, 2, 61, 62, 366):
        plan(world, at + day * DAY + HOUR)
    assert [local(due)[:10] for due in dues(world)] == ["2028-01-01", "2028-02-29", "2028-03-01", "2028-12-30"]


CAMPAIGNS: list[dict[str, Any]] = [
    {"kind": "recurring", "schedule": {"every": "FREQ=DAILY;COUNT=1", "at": "17:00"}},
    {"kind": "one_off", "schedule": {}, "steps": [{"template": "check_in", "at": "17:00"}]},
    {"kind": "programme", "schedule": {"at": "17:00"}, "steps": [{"template": "check_in", "day": 0}]},
    {"kind": "reminders", "schedule": {}, "steps": [{"template": "appointment_reminder_1d", "before": "1d", "at": "17:00"}]},
]


@pytest.mark.parametrize("changes", CAMPAIGNS, ids=lambda changes: str(changes["kind"]))
def test_without_a_zone_or_with_a_bad_one_the_units_holds_and_nobody_is_dropped(world: World, now: datetime, changes: dict[str, Any]) -> None:
    for zone in (None, "", "Mars/Olympus", "../../etc/passwd", "Asia/Ho_Chi_Minh"):
        client_id = world.client()
        world.run("UPDATE clients SET time_zone = :zone WHERE id = :id", zone=zone, id=client_id)
        world.appointment(client_id, now + 30 * HOUR)
    launch(world, boss(world), **changes)
    assert left(world, now, 12) == ["2026-02-10 17:00"] * 5


@pytest.fixture
def new_tz_database(tmp_path: Path) -> Iterator[Any]:
    """Have a new tz database say that London's clock shows what Tokyo's does, as of now; put right afterwards."""

    def change() -> None:
        (tmp_path / "Europe").mkdir()
        there = next(Path(folder) / "Asia/Tokyo" for folder in zoneinfo.TZPATH if (Path(folder) / "Asia/Tokyo").exists())
        shutil.copy(there, tmp_path / LONDON)
        forget([str(tmp_path)])

    def forget(path: list[str] | None) -> None:
        zoneinfo.reset_tzpath(path)
        ZoneInfo.clear_cache()
        windows.zone_of.cache_clear()  # as a process that starts anew
        windows._period.cache_clear()

    yield change
    forget(None)


def test_after_a_change_of_the_tz_database_texts_leave_by_the_new_clock(world: World, now: datetime, new_tz_database: Any) -> None:
    world.run("UPDATE units SET time_zone = 'Europe/London'")
    world.client()
    launch(world, boss(world), schedule={"every": "FREQ=DAILY", "at": "19:00", "lasts": "20h"})
    evening = datetime(2026, 2, 10, 19, tzinfo=UTC)
    plan(world, now)
    plan(world, evening)  # written by the old clock: 19:00 there, 4:00 by the new one
    new_tz_database()
    send_due.claim(world.engine, world.vault, world.channel_id, 10, evening)
    assert world.rows("SELECT state, send_after FROM outbound") == [("planned", datetime(2026, 2, 10, 23, tzinfo=UTC))]  # 8:00
    plan(world, evening + 15 * HOUR)
    assert dues(world) == [evening, datetime(2026, 2, 11, 10, tzinfo=UTC)]  # 19:00 by the new clock
