"""A list of services comes in: rows are taken or have their reasons; what goes out comes in again as the same."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import Engine

from gateway.domain.errors import Refused
from gateway.store import services, staff, units
from gateway.store.base import SYSTEM, Actor, unit_of_work
from gateway.store.services import Entry
from gateway.usecases import import_services
from gateway.usecases.import_services import Counts
from gateway.usecases.tables import Options, Table
from gateway.vault import Vault
from tests import builders
from tests.builders import CONTENT, World, world

HEADINGS = "code,category,name,short name,units,hours,address,phone,checked on,checked by"


@dataclass
class Directory:
    """A world with a unit above and one below, and a file that is imported by somebody of either."""

    world: World
    below: UUID
    path: Path
    told: list[tuple[int, str]] = field(default_factory=list)

    def actor(self, unit_id: UUID, role: str = "supervisor") -> Actor:
        with unit_of_work(self.world.engine, SYSTEM, self.world.now) as work:
            code = f"S-{str(unit_id)[:6]}"
            known = {member.code: member for member in staff.list_all(work, self.world.vault)}
            if code not in known:
                staff.add(work, self.world.vault, unit_id=unit_id, code=code, name="Canary", role=role, language="en", phone=None, on_duty=False)
            return staff.by_code(work, code).actor

    def run(self, *rows: str, by: UUID | None = None, headings: str = HEADINGS) -> Counts:
        self.told.clear()
        self.path.write_text("\n".join((headings, *rows, "")), "utf-8")
        note = lambda line, _what, reason, _cells: self.told.append((line, reason))  # noqa: E731
        with unit_of_work(self.world.engine, self.actor(by or self.world.unit_id), self.world.now) as work:
            counts = Counts()
            import_services.take_over(work, CONTENT, Table(self.path, Options(), note), counts)
        return counts

    def seen(self, by: UUID | None = None) -> dict[str, Entry]:
        with unit_of_work(self.world.engine, self.actor(by or self.world.unit_id), self.world.now) as work:
            return {entry.service.code: entry for entry in services.list_seen(work)}


@pytest.fixture
def here(engine: Engine, vault: Vault, now: datetime, tmp_path: Path) -> Directory:
    made = world(engine, vault, now)
    return Directory(made, builders.unit(engine, now, code="P01-1", parent_id=made.unit_id), tmp_path / "services.csv")


GOOD = "H1,housing,Night shelter,Meadow House,P01,24/7,1 Mill Lane,0590 001 101,2026-02-01,"


def test_the_second_time_nothing_changes_and_a_change_is_taken(here: Directory) -> None:
    assert here.run(GOOD) == Counts(new=1)
    assert here.run(GOOD) == Counts(unchanged=1)
    assert here.run(GOOD.replace("1 Mill Lane", "2 Mill Lane")) == Counts(updated=1)
    assert here.seen()["H1"].service.address == "2 Mill Lane"
    assert here.world.value("SELECT count(*) FROM audit WHERE action = 'service.import'") == 3


def test_each_bad_row_has_its_reason_and_the_good_ones_are_taken(here: Directory) -> None:
    counts = here.run(
        GOOD, GOOD.replace("P01", "P99").replace("H1", "H2"), GOOD.replace("H1,", "H3,").replace("Meadow House", "Detox house"), GOOD,
        GOOD.replace("H1,", "H4,") + "nobody",
    )  # fmt: skip
    assert (counts.new, counts.invalid) == (1, 4)
    assert [line for line, _ in here.told] == [3, 4, 5, 6]
    reasons = [reason for _, reason in here.told]
    assert reasons[0] == "units: 'P99' is not among yours" and "say it neutrally" in reasons[1]
    assert reasons[2] == "code: the same as in line 2, which was taken" and reasons[3].startswith("checked by: no staff member")


def test_staff_see_what_serves_the_unit_above_and_do_not_change_it(here: Directory) -> None:
    here.run(GOOD)
    assert here.seen(by=here.below)["H1"].units == ["P01"]
    here.run(GOOD.replace("P01", "P01-1"), by=here.below)
    assert here.told == [(2, "code: kept by another unit; ask its staff to change it")]
    assert here.seen()["H1"].units == ["P01"]


def test_a_code_of_a_unit_one_does_not_see_is_taken_without_saying_whose(here: Directory, now: datetime) -> None:
    other = builders.unit(here.world.engine, now, code="Q01")
    here.run(GOOD)
    here.run(GOOD.replace("P01", "Q01"), by=other)
    assert "perhaps kept by another unit" in here.told[0][1]
    assert here.seen(by=other) == {}


def test_whoever_brings_the_list_has_checked_it_where_it_names_a_day_and_nobody(here: Directory) -> None:
    here.run(GOOD, GOOD.replace("H1,", "H2,").replace("2026-02-01", ""))
    assert here.seen()["H1"].checked_by is not None
    assert (here.seen()["H2"].checked_by, here.seen()["H2"].service.checked_on) == (None, None)


def test_what_goes_out_comes_in_again_as_the_same(here: Directory) -> None:
    rows = [GOOD, "H2,food,Soup,=Soup,P01-1; P01,\"Mon,Wed 11:00-14:00; Sat 20:00-02:00\",\"Hall, door 2\",,,"]
    assert here.run(*rows) == Counts(new=2)
    headings, *lines = "".join(import_services.lines([*here.seen().values()])).splitlines()
    assert here.run(*lines, headings=headings) == Counts(unchanged=2)
    assert here.seen()["H2"].units == ["P01-1", "P01"] and here.seen()["H2"].unit_id == here.below


def test_a_list_without_its_columns_is_refused_whole(here: Directory) -> None:
    with pytest.raises(Refused, match="category"):
        here.run(headings="code,name,short name,units")


def test_the_system_brings_in_the_example_of_england(here: Directory, now: datetime) -> None:
    with unit_of_work(here.world.engine, SYSTEM, now) as work:
        top = units.add(work, kind="service", code="GL", name="GL", time_zone="Europe/London", language="en", region="GB")
        for code in ("GL-N", "GL-M", "GL-W"):
            units.add(work, kind="clinic", code=code, name=code, time_zone="Europe/London", language="en", region="GB", parent_id=top)
        counts = Counts()
        path = Path(__file__).parents[2] / "examples" / "england" / "services.csv"
        import_services.take_over(work, CONTENT, Table(path, Options(), lambda *row: here.told.append((row[0], row[2]))), counts)
    assert here.told == [] and counts.new == 18
