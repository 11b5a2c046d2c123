"""Opening hours: read as people write them, and what they mean at any moment, over midnight and over clock changes."""

from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import opening, windows
from gateway.domain.errors import Refused
from gateway.domain.opening import NEVER_CLOSED, Hours, Span

OFFICE = opening.read("Mon-Fri 07:30-11:30, 13:30-17:00")
VIETNAM, LONDON = "Asia/Ho_Chi_Minh", "Europe/London"

times = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))
spans = st.builds(Span, st.integers(0, 6), times, times).filter(
    lambda span: span.opens != span.closes and not (time(0) < span.closes < span.opens < time(12))
)
weeks = st.lists(spans, min_size=1, max_size=8, unique=True).map(lambda many: Hours(tuple(sorted(many))))
zones = st.sampled_from([VIETNAM, LONDON, "America/New_York", "Australia/Lord_Howe", "UTC"])
moments = st.integers(0, 2 * 365 * 24 * 60).map(lambda minute: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute))


def at(local: str, zone: str = VIETNAM) -> datetime:
    return windows.instant(datetime.fromisoformat(local), zone)


@pytest.mark.parametrize(("written", "read"), [
    ("Mon-Fri 7:30-11:30, 13:30-17:00; Sat 8:00-12:00", "Mon-Fri 07:30-11:30, 13:30-17:00; Sat 08:00-12:00"),
    ("T2-T6 7h30-16h30", "Mon-Fri 07:30-16:30"),
    ("Thứ hai - thứ sáu: 7h30 - 11h30, 13h30 - 17h; CN nghỉ", "Mon-Fri 07:30-11:30, 13:30-17:00"),
    ("lun-ven 9h-17h", "Mon-Fri 09:00-17:00"),
    ("Mon, Wed, Fri 9am-5pm", "Mon 09:00-17:00; Wed 09:00-17:00; Fri 09:00-17:00"),
    ("Fri–Sat 20:00–02:00", "Fri-Sat 20:00-02:00"),
    ("Sat-Mon 10:00-16:00", "Mon 10:00-16:00; Sat-Sun 10:00-16:00"),
    ("hằng ngày 8:00-20:00", "Mon-Sun 08:00-20:00"),
    ("daily 0:00-24:00", "24/7"),
    ("24 / 7", "24/7"),
])  # fmt: skip
def test_hours_are_read_as_people_write_them(written: str, read: str) -> None:
    assert str(opening.read(written)) == read


@pytest.mark.parametrize("written", ["8:00-17:00", "Mon 8", "Mon-Fri", "sometimes", "Mon-Fri 8-5", "Mon 25:00-26:00", "Mon 8-12-14", "Mon 8:00 9:00",
                                     "-Fri 8-12", "Mon 12:00-12:00", "", "24/8"])  # fmt: skip
def test_what_may_mean_several_things_is_refused(written: str) -> None:
    with pytest.raises(Refused):
        opening.read(written)


@given(weeks)
def test_what_is_written_is_read_as_the_same(hours: Hours) -> None:
    assert opening.read(str(hours)) == hours


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(Refused):
        opening.read(text)


@pytest.mark.parametrize(("now", "is_open", "changes"), [
    ("2026-02-10 10:00", True, "2026-02-10 11:30"),   # a Tuesday
    ("2026-02-10 11:30", False, "2026-02-10 13:30"),
    ("2026-02-10 17:00", False, "2026-02-11 07:30"),  # opens tomorrow
    ("2026-02-13 17:00", False, "2026-02-16 07:30"),  # over the weekend
    ("2026-02-10 07:29", False, "2026-02-10 07:30"),
    ("2026-02-10 07:30", True, "2026-02-10 11:30"),
])  # fmt: skip
def test_an_office_opens_and_closes(now: str, is_open: bool, changes: str) -> None:
    state = opening.look(OFFICE, VIETNAM, at(now))
    assert (state.is_open, state.closes_at if is_open else state.opens_at) == (is_open, at(changes))


def test_open_over_midnight_belongs_to_the_day_it_began() -> None:
    van = opening.read("Fri-Sat 20:00-02:00")
    assert opening.look(van, LONDON, at("2026-02-14 01:59", LONDON)).closes_at == at("2026-02-14 02:00", LONDON)
    assert opening.look(van, LONDON, at("2026-02-14 02:00", LONDON)).opens_at == at("2026-02-14 20:00", LONDON)
    assert opening.look(van, LONDON, at("2026-02-15 01:00", LONDON)).is_open
    assert not opening.look(van, LONDON, at("2026-02-13 01:00", LONDON)).is_open


def test_hours_that_meet_are_one_opening() -> None:
    hours = opening.read("Mon 08:00-12:00, 12:00-17:00; Mon 16:00-24:00; Tue 0:00-3:00")
    assert opening.look(hours, VIETNAM, at("2026-02-09 09:00")).closes_at == at("2026-02-10 03:00")


def test_a_holiday_closes_what_begins_on_it_and_nothing_that_never_closes() -> None:
    tet = {date(2026, 2, 16) + timedelta(days=day) for day in range(7)}
    assert opening.look(OFFICE, VIETNAM, at("2026-02-16 09:00"), tet).opens_at == at("2026-02-23 07:30")
    assert opening.look(NEVER_CLOSED, VIETNAM, at("2026-02-16 09:00"), tet).is_open
    night = opening.read("Sun 20:00-06:00")
    assert opening.look(night, VIETNAM, at("2026-02-16 03:00"), tet).is_open


def test_a_month_of_holidays_is_no_opening() -> None:
    everything = {date(2026, 2, 1) + timedelta(days=day) for day in range(60)}
    assert opening.look(OFFICE, VIETNAM, at("2026-02-10 09:00"), everything) == opening.Opening(False)


def test_the_hour_that_a_clock_change_leaves_out_and_the_one_that_comes_twice() -> None:
    early = opening.read("Sun 00:30-01:30")
    assert opening.look(early, LONDON, at("2026-03-29 00:45", LONDON)).closes_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    both = opening.look(early, LONDON, datetime(2026, 10, 25, 0, 0, tzinfo=UTC))  # 01:00 of summer time
    assert both.is_open and both.closes_at == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


@given(weeks, zones, moments)
def test_it_is_open_exactly_while_a_clock_on_its_wall_says_so(hours: Hours, zone: str, now: datetime) -> None:
    """Away from clock changes, where a wall shows an hour twice or not at all."""
    clock = windows.zone_of(zone)
    offsets = {(now + timedelta(days=day)).astimezone(clock).utcoffset() for day in (-2, -1, 0, 1)}
    if len(offsets) > 1:
        return
    wall = now.astimezone(clock)
    assert opening.look(hours, zone, now).is_open == any(_holds(span, wall) for span in hours.spans)


def _holds(span: Span, wall: datetime) -> bool:
    if span.closes > span.opens:
        return wall.weekday() == span.day and span.opens <= wall.time() < span.closes
    late = wall.weekday() == span.day and wall.time() >= span.opens
    return late or (wall.weekday() == (span.day + 1) % 7 and wall.time() < span.closes)


@given(weeks, zones, moments)
def test_it_opens_when_it_says_and_not_before(hours: Hours, zone: str, now: datetime) -> None:
    state = opening.look(hours, zone, now)
    if state.is_open:
        assert state.opens_at is None
        if state.closes_at is not None:
            assert state.closes_at > now and not opening.look(hours, zone, state.closes_at).is_open
            assert opening.look(hours, zone, state.closes_at - timedelta(minutes=1)).is_open
    else:
        assert state.opens_at is not None and state.opens_at > now and state.opens_at - now <= timedelta(days=8)
        assert opening.look(hours, zone, state.opens_at).is_open
        assert not opening.look(hours, zone, state.opens_at - timedelta(minutes=1)).is_open


@given(weeks, zones, moments, st.sets(st.integers(-2, 40), max_size=20))
def test_holidays_never_open_what_was_closed(hours: Hours, zone: str, now: datetime, offs: set[int]) -> None:
    holidays = {now.date() + timedelta(days=day) for day in offs}
    with_them, without = opening.look(hours, zone, now, holidays), opening.look(hours, zone, now)
    assert not with_them.is_open or without.is_open
    if with_them.opens_at is not None and without.opens_at is not None:
        assert with_them.opens_at >= without.opens_at
