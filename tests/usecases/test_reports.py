"""Reports count what happened, by the unit's own clock, and show no small group in any of their tables."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from gateway.domain.errors import NotAllowed, Refused
from gateway.domain.reports import REPORTS, Period, Table, read_period
from gateway.store import consents, flags, reports, units
from gateway.store.base import Actor, unit_of_work
from gateway.usecases import count_reports, read_report
from tests import builders
from tests.builders import World

JANUARY = read_period("2026-01")


@dataclass(frozen=True, slots=True)
class Province:
    """A province with two districts of two communes each, and whoever analyses it."""

    world: World
    units: dict[str, UUID]
    analyst: Actor

    def visits(self, unit: str, status: str, count: int, on: datetime = datetime(2026, 1, 15, 3, tzinfo=UTC), people: int | None = None) -> None:
        """So many appointments of different clients, or of so many."""
        clients = [self.world.client(unit_id=self.units[unit]) for _ in range(people or count)]
        with unit_of_work(self.world.engine, now=on) as work:
            work.insert("appointments", [
                {"id": uuid4(), "client_id": clients[n % len(clients)], "unit_id": self.units[unit], "starts_at": on, "status": status,
                 "created_at": on, "updated_at": on} for n in range(count)])  # fmt: skip

    def count(self, now: datetime | None = None) -> int:
        """All that is due."""
        done = 0
        while count_reports.count_next(self.world.engine, now or self.world.now):
            done += 1
        return done

    def table(self, name: str, unit: str = "T", period: Period = JANUARY, by: str = "unit") -> Table:
        with unit_of_work(self.world.engine, now=self.world.now) as work:
            return read_report.of_period(work, self.analyst, name, units.get(work, self.units[unit]), period, by)

    def row(self, name: str, label: str, **asked: object) -> list[int | None]:
        """One row by its label ("" for the totals), with its total."""
        found = self.table(name, **asked)
        row = found.totals if label == "" else next(row for row in found.rows if row.label == label)
        return [*row.counts, row.total]


@pytest.fixture
def province(engine, vault, now) -> Province:
    top = builders.unit(engine, now, "T", kind="province")
    world = World(engine, vault, top, builders.channel(engine, vault, now, top), now)
    made = {"T": top}
    for district in "AB":
        made[district] = builders.unit(engine, now, district, top, kind="district")
        for commune in "12":
            made[district + commune] = builders.unit(engine, now, district + commune, made[district])
    return Province(world, made, Actor(world.staff("+84900000009", role="analyst"), top, "analyst"))


def test_visits_are_counted_by_unit_with_their_totals(province: Province) -> None:
    province.visits("A1", "attended", 10)
    province.visits("A2", "missed", 6)
    province.visits("B1", "attended", 20)
    province.count()
    assert province.row("attendance", "A") == [10, 6, 0, 0, 16]
    assert province.row("attendance", "B") == [20, 0, 0, 0, 20]
    assert province.row("attendance", "") == [30, 6, 0, 0, 36]
    assert province.row("attendance", "A1", unit="A") == [10, 0, 0, 0, 10]


def test_a_day_is_that_of_the_units_clock(province: Province) -> None:
    province.visits("A1", "attended", 10, datetime(2025, 12, 31, 17, 30, tzinfo=UTC))  # half past midnight in Vietnam
    province.visits("A1", "attended", 20, datetime(2026, 1, 31, 17, 30, tzinfo=UTC))
    province.count()
    assert province.row("attendance", "")[0] == 10
    assert province.row("attendance", "", period=read_period("2026-W01"))[0] == 10


def test_what_changes_later_is_counted_again_until_it_is_settled(province: Province) -> None:
    province.visits("A1", "booked", 10)
    assert province.count() > 0
    assert province.count() == 0
    province.world.run("UPDATE appointments SET status = 'attended'")
    assert province.count(province.world.now + timedelta(hours=4)) == 1, "the week that is under way"
    later = province.world.now + timedelta(days=1, hours=1)
    assert province.count(later) > 1 and province.row("attendance", "")[:1] == [10]
    assert province.count(later) == 0
    assert province.count(later + timedelta(days=60)) > 0
    province.world.run("UPDATE appointments SET status = 'missed'")
    province.count(later + timedelta(days=62))
    assert province.row("attendance", "")[:2] == [10, 0], "the figures of January stay"


def test_small_groups_are_hidden_and_so_is_what_would_give_them_away(province: Province) -> None:
    for unit, attended, missed in (("A1", 3, 20), ("A2", 30, 8), ("B1", 15, 12), ("B2", 9, 16)):
        province.visits(unit, "attended", attended)
        province.visits(unit, "missed", missed)
    province.count()
    districts, communes = province.table("attendance"), province.table("attendance", unit="A")
    assert None not in {count for row in [*districts.rows, districts.totals] for count in row.counts}
    hidden = [count is None for row in communes.rows for count in row.counts]
    assert hidden.count(True) == 4 and communes.totals.counts[:2] == [33, 28] == list(districts.rows[0].counts[:2])


@pytest.mark.parametrize("cancelled", [0, 2])
def test_a_figure_that_is_hidden_in_one_table_is_hidden_in_all(province: Province, cancelled: int) -> None:
    """The line of a district, in the province's table and as the totals of its own; a quarter and its months."""
    for unit, month, status in product(("A1", "A2", "B1", "B2"), (1, 2, 3), ("attended", "missed")):
        few = (unit, month, status) == ("A1", 2, "attended")
        province.visits(unit, status, 2 if few else 7 + month, datetime(2026, month, 15, 3, tzinfo=UTC))
    if cancelled:
        province.visits("B1", "cancelled", cancelled)
    later = datetime(2026, 4, 20, tzinfo=UTC)
    province.count(later)
    for period in map(read_period, ("2026-01", "2026-02", "2026-03", "2026-Q1")):
        for district in "AB":
            assert province.row("attendance", district, period=period) == province.row("attendance", "", unit=district, period=period)
    quarter, months = province.table("attendance", "A", read_period("2026-Q1")), [
        province.table("attendance", "A", read_period(f"2026-0{n}")) for n in (1, 2, 3)]  # fmt: skip
    for r, row in enumerate(quarter.rows):
        for c, count in enumerate(row.counts):
            assert count is None or [month.rows[r].counts[c] for month in months].count(None) != 1
    assert months[1].rows[0].counts[0] is None and (cancelled or quarter.rows[0].counts[0] is None)


def test_many_visits_of_few_people_are_a_small_group(province: Province) -> None:
    province.visits("A1", "attended", 40, people=4)
    province.visits("A2", "attended", 40, people=40)
    province.count()
    assert province.row("attendance", "A1", unit="A")[0] is None


def test_a_unit_sets_a_figure_of_its_own(province: Province) -> None:
    province.visits("A1", "attended", 8)
    province.visits("A2", "attended", 30)
    province.count()
    assert province.row("attendance", "A1", unit="A")[0] == 8
    province.world.run("UPDATE units SET details = '{\"smallest_group\": \"10\"}' WHERE code = 'T'")
    found = province.table("attendance", unit="A")
    assert found.smallest == 10 and {row.counts[0] for row in found.rows} == {None}


def test_by_language_and_channel_there_are_only_the_figures_of_ones_own_unit(province: Province) -> None:
    province.visits("A1", "attended", 8)
    province.count()
    assert province.row("attendance", "vi", by="language") == [8, 0, 0, 0, 8]
    with pytest.raises(NotAllowed, match="own unit"):
        province.table("attendance", unit="A", by="language")
    with pytest.raises(Refused, match="not made by"):
        province.table("attendance", by="channel")


def test_texts_are_counted_by_channel_and_state(province: Province) -> None:
    world = province.world
    for state, count in (("delivered", 12), ("failed", 6), ("planned", 0), ("suppressed", 5)):
        for _ in range(count):
            message = world.planned(world.client(unit_id=province.units["B2"]))
            world.run("UPDATE outbound SET state = :state WHERE id = :id", state=state, id=message)
    province.count()
    february = read_period("2026-02")
    assert province.row("delivery", "sim", by="channel", period=february) == [12, 0, 6, 0, 0, 5, 0, 23]
    assert province.row("delivery", "B", period=february) == [12, 0, 6, 0, 0, 5, 0, 23]


def test_the_first_human_answer_is_a_text_or_a_closed_flag(province: Province, now) -> None:
    world = province.world
    with unit_of_work(world.engine, now=now) as work:
        for n in range(12):
            client = world.client(unit_id=province.units["A1"])
            opened = flags.add(work, unit_id=province.units["A1"], reason="callback", dedupe_key=str(n), client_id=client, inbound_id=uuid4())
            if n < 6:
                work.execute(text("UPDATE flags SET state = 'closed', outcome = 'client_safe', closed_at = :at WHERE id = :id"),
                             {"at": now + timedelta(minutes=10), "id": opened.id})  # fmt: skip
    province.count(now + timedelta(days=1))
    assert province.row("first_answer", "", period=read_period("2026-02")) == [6, 0, 0, 0, 0, 6, 12]


def test_stops_and_costs_are_counted(province: Province, now) -> None:
    world, visits = province.world, datetime(2026, 2, 3, 3, tzinfo=UTC)
    province.visits("A1", "attended", 6, visits)
    with unit_of_work(world.engine, now=now) as work:
        for row in work.all(text("SELECT a.id, a.client_id, p.phone_hash FROM appointments a JOIN phones p ON p.client_id = a.client_id")):
            consents.stop_phone(work, bytes(row.phone_hash), "stop", "inbound")
    for row in world.rows("SELECT id, client_id FROM appointments"):
        message = world.planned(row.client_id, about_id=row.id, segments=2)
        world.run("UPDATE outbound SET state = 'delivered' WHERE id = :id", id=message)
    province.count()
    february = read_period("2026-02")
    assert province.row("opt_outs", "", period=february)[:1] == [6]
    assert province.row("cost", "", period=february)[:2] == [6, 12]


def test_a_unit_over_time_is_shown_as_in_the_tables_of_each_period(province: Province) -> None:
    for month, count in ((1, 10), (2, 3)):
        province.visits("A1", "attended", count, datetime(2026, month, 5, 3, tzinfo=UTC))
        province.visits("A1", "missed", 10, datetime(2026, month, 5, 3, tzinfo=UTC))
    province.count()
    with unit_of_work(province.world.engine, now=province.world.now) as work:
        unit = units.get(work, province.units["A1"])
        found = read_report.over_time(work, province.analyst, "attendance", unit, date(2026, 1, 1), date(2026, 2, 10), "month")
    assert [(row.label, row.counts[0]) for row in found.rows] == [("2026-01", 10), ("2026-02", None)] and found.totals is None


@pytest.mark.parametrize("name", REPORTS)
def test_every_report_has_a_source_and_every_column_is_known(province: Province, name: str) -> None:
    assert reports._COUNT.keys() == REPORTS.keys()
    province.count()
    assert province.table(name).rows
