from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import windows
from gateway.domain.errors import Refused
from gateway.domain.windows import FAR_FUTURE, NEVER, Window

VIETNAM, LONDON = "Asia/Ho_Chi_Minh", "Europe/London"
DAY = Window(time(8), time(20))
NIGHT = Window(time(20), time(6))

# Clock changes of an hour, of half an hour, at midnight, and a day that was left out altogether.
ZONES = (
    VIETNAM,
    LONDON,
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Kathmandu",
    "Pacific/Apia",
)

minutes = st.integers(0, 24 * 60 - 1).map(lambda m: time(m // 60, m % 60))
some_windows = st.builds(Window, minutes, minutes)
moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),
    st.datetimes(datetime(2011, 12, 28), datetime(2012, 1, 2)),
).map(lambda moment: moment.replace(tzinfo=UTC))


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def wall(zone: str, text: str) -> datetime:
    """The moment at which a clock in the zone shows this."""
    return windows.instant(datetime.fromisoformat(text), zone)


def all_minutes() -> list[time]:
    return [time(hour, minute) for hour in range(24) for minute in range(60)]


def test_a_moment_inside_the_window_is_its_own_next_opening() -> None:
    at = wall(VIETNAM, "2026-03-02 12:34:56.789")
    assert windows.next_open(DAY, VIETNAM, at) == at


def test_the_hours_are_those_of_the_clients_clock() -> None:
    assert windows.next_open(DAY, VIETNAM, utc("2026-03-02 20:00")) == utc("2026-03-03 01:00")


def test_what_is_due_in_the_closing_second_waits_for_the_morning() -> None:
    assert windows.is_open(DAY, VIETNAM, wall(VIETNAM, "2026-03-02 19:59:59"))
    closed = wall(VIETNAM, "2026-03-02 20:00")
    assert not windows.is_open(DAY, VIETNAM, closed)
    assert windows.next_open(DAY, VIETNAM, closed) == wall(VIETNAM, "2026-03-03 08:00")


def test_a_window_over_midnight_is_open_on_both_sides_of_it() -> None:
    assert windows.is_open(NIGHT, LONDON, wall(LONDON, "2026-03-02 23:00"))
    assert windows.is_open(NIGHT, LONDON, wall(LONDON, "2026-03-03 05:59"))
    assert windows.next_open(NIGHT, LONDON, wall(LONDON, "2026-03-03 06:00")) == wall(
        LONDON, "2026-03-03 20:00"
    )
    assert windows.last_moment(NIGHT, LONDON, wall(LONDON, "2026-03-02 23:00")) == wall(
        LONDON, "2026-03-03 06:00"
    )


def test_no_window_is_always_open() -> None:
    at = utc("2026-03-02 03:00")
    assert windows.next_open(None, VIETNAM, at) == at
    assert windows.last_moment(None, VIETNAM, at) == FAR_FUTURE


def test_a_window_that_never_opens_is_told_apart_and_lets_everything_expire() -> None:
    assert windows.never_opens(NEVER)
    assert not windows.never_opens(None)
    assert windows.next_open(NEVER, VIETNAM, utc("2026-03-02 03:00")) == FAR_FUTURE


def test_an_opening_that_the_clocks_skip_is_where_they_go_on() -> None:
    window = Window(time(1, 30), time(5))
    assert windows.next_open(window, LONDON, wall(LONDON, "2026-03-29 00:30")) == utc("2026-03-29 01:00")


def test_a_window_that_lies_in_the_skipped_hour_opens_the_next_day() -> None:
    window = Window(time(1, 10), time(1, 40))
    assert windows.next_open(window, LONDON, utc("2026-03-29 00:50")) == wall(LONDON, "2026-03-30 01:10")


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    window = Window(time(0, 30), time(1, 15))
    first_end = windows.last_moment(window, LONDON, utc("2026-10-25 00:00"))
    assert first_end == utc("2026-10-25 00:15")
    assert windows.next_open(window, LONDON, first_end) == utc("2026-10-25 01:00")
    assert windows.last_moment(window, LONDON, utc("2026-10-25 01:00")) == utc("2026-10-25 01:15")


def test_a_day_that_a_country_left_out_is_passed_over() -> None:
    evening = wall("Pacific/Apia", "2011-12-29 21:00")
    assert windows.next_open(DAY, "Pacific/Apia", evening) == wall("Pacific/Apia", "2011-12-31 08:00")


@settings(max_examples=150, deadline=None)
@given(window=some_windows, zone=st.sampled_from(ZONES), at=moments)
def test_nothing_opens_before_the_next_opening_and_nothing_closes_before_the_last_moment(
    window: Window, zone: str, at: datetime
) -> None:
    opens_at, closes_at = windows.next_open(window, zone, at), windows.last_moment(window, zone, at)
    if windows.never_opens(window):
        assert opens_at == closes_at == FAR_FUTURE
        return
    clock = ZoneInfo(zone)
    assert at <= opens_at < closes_at
    assert window.holds(opens_at.astimezone(clock).time())
    assert not window.holds(closes_at.astimezone(clock).time())
    step = timedelta(minutes=7)
    moment = at
    while moment < closes_at:
        assert window.holds(moment.astimezone(clock).time()) == (moment >= opens_at)
        moment += step


@settings(max_examples=80, deadline=None)
@given(a=st.none() | some_windows, b=st.none() | some_windows)
def test_the_narrower_window_never_widens_either_and_does_not_mind_the_order(
    a: Window | None, b: Window | None
) -> None:
    both = windows.narrower(a, b)
    assert both == windows.narrower(b, a)
    if both is None:
        assert (a, b) == (None, None)
        return
    shared = {minute for minute in all_minutes() if all(w is None or w.holds(minute) for w in (a, b))}
    open_minutes = {minute for minute in all_minutes() if both.holds(minute)}
    assert open_minutes <= shared
    assert bool(open_minutes) == bool(shared)


@pytest.mark.parametrize(
    ("unit", "client", "both"),
    [
        (DAY, None, DAY),
        (DAY, Window(time(18, 30), time(21)), Window(time(18, 30), time(20))),
        (DAY, Window(time(21), time(23)), NEVER),
        (NIGHT, Window(time(22), time(8)), Window(time(22), time(6))),
        (
            NIGHT,
            Window(time(5), time(21)),
            Window(time(5), time(6)),
        ),  # two pieces of one hour: the earlier one
        (Window(time(8), time(0)), Window(time(20), time(6)), Window(time(20), time(0))),
    ],
)
def test_the_hours_of_unit_and_client_are_those_they_share(
    unit: Window, client: Window | None, both: Window
) -> None:
    assert windows.narrower(unit, client) == both


def test_hours_are_whole_minutes() -> None:
    with pytest.raises(Refused, match="whole minutes"):
        Window(time(8, 0, 30), time(20))


def test_a_moment_without_a_zone_is_an_error_of_ours() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        windows.next_open(DAY, VIETNAM, datetime(2026, 3, 2))


@pytest.mark.parametrize(
    "zone",
    ["", None, "GMT+7", "Asia/Hanoi", "../etc/passwd", "Asia", "localtime", "a" * 5000, "\x00", "\ud800"],
)
def test_a_missing_or_bad_zone_gives_the_units_with_a_warning(zone: str | None) -> None:
    used, warning = windows.zone_or(zone, VIETNAM)
    assert used == ZoneInfo(VIETNAM)
    assert warning is not None


def test_a_good_zone_gives_no_warning() -> None:
    assert windows.zone_or(" Europe/London ", VIETNAM) == (ZoneInfo(LONDON), None)


def test_a_time_that_comes_twice_means_its_first_coming_and_one_left_out_means_later() -> None:
    assert wall(LONDON, "2026-10-25 01:30") == utc("2026-10-25 00:30")
    assert wall(LONDON, "2026-03-29 01:30") == utc("2026-03-29 01:30")  # the clock then shows 02:30
