from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import appointments
from gateway.domain.appointments import Rejected, Visit
from gateway.domain.errors import Refused

TODAY = date(2026, 3, 2)
CLEAN = ["Mã lịch hẹn", "Mã khách hàng", "days_from_today", "Giờ hẹn", "Mã xã", "Trạng thái"]
MIXED = ["Appointment id", "Client code", "Date", "Time"]


def read(headings: list[str], *row: str) -> Visit | Rejected:
    return appointments.read(row, appointments.find_columns(headings), TODAY)


def test_days_are_counted_from_the_day_of_loading() -> None:
    assert read(CLEAN, "A-1", "KH-1", "10", "8h30", "SV-01", "booked") == Visit(
        "A-1", "KH-1", datetime(2026, 3, 12, 8, 30), "SV-01", "booked"
    )


@pytest.mark.parametrize(
    ("day", "at"),
    [("12/03/2026", "8h30"), ("12/03/2026 8h30", ""), ("46093.354167", ""), ("2026-03-12", "8.30")],
)
def test_day_and_time_may_share_a_column_or_have_two(day: str, at: str) -> None:
    visit = read(MIXED, "A-1", "KH-1", day, at)
    assert isinstance(visit, Visit)
    assert visit.wall == datetime(2026, 3, 12, 8, 30)


def test_the_moment_is_that_of_the_clock_at_the_place() -> None:
    visit = read(CLEAN, "A-1", "KH-1", "10", "8h30", "", "")
    assert isinstance(visit, Visit)
    assert visit.starts_at("Asia/Ho_Chi_Minh") == datetime(2026, 3, 12, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("", "KH-1", "12/03/2026", "9h"), "appointment id"),
        (("A-1", "", "12/03/2026", "9h"), "client"),
        (("A-1", "KH-1", "30/02/2026", "9h"), "day"),
        (("A-1", "KH-1", "12/03/2026", "sáng"), "time"),
        (("A-1", "KH-1", "12/03/2026", ""), "time"),
        (("A-1", "KH-1", "12/03/2026 00:00:00", ""), "time"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(row: tuple[str, ...], reason: str) -> None:
    rejected = read(MIXED, *row)
    assert isinstance(rejected, Rejected)
    assert [each.split(":")[0] for each in rejected.reasons] == [reason]


def test_a_list_without_a_day_is_refused() -> None:
    with pytest.raises(Refused, match="day of the appointment"):
        appointments.find_columns(["Appointment id", "Client code", "Time"])


@settings(max_examples=200, deadline=None)
@given(row=st.lists(st.text(st.characters(codec=None), max_size=20), max_size=7))
def test_any_row_is_an_appointment_or_has_its_reasons(row: list[str]) -> None:
    for headings in (CLEAN, MIXED):
        found = read(headings, *row)
        assert isinstance(found, Visit) or found.reasons
