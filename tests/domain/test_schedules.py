from datetime import UTC, datetime, time, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import schedules, windows
from gateway.domain.schedules import OneOff

VIETNAM, LONDON = "Asia/Ho_Chi_Minh", "Europe/London"
NOW = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)  # 10:00 in Vietnam, 03:00 in London


def wall(zone: str, text: str) -> datetime:
    return windows.instant(datetime.fromisoformat(text), zone)


def test_a_campaign_without_a_time_is_due_now() -> None:
    moment = schedules.due(OneOff(), VIETNAM, NOW)
    assert (moment.due_at, moment.send_before) == (NOW, NOW + timedelta(hours=48))


def test_one_moment_is_the_same_for_everybody() -> None:
    at = NOW + timedelta(hours=5)
    assert {schedules.due(OneOff(at), zone, NOW).due_at for zone in (VIETNAM, LONDON)} == {at}


def test_a_time_without_a_zone_is_read_on_each_clients_clock() -> None:
    schedule = OneOff(datetime(2026, 3, 3, 9, 0))
    assert schedules.due(schedule, VIETNAM, NOW).due_at == wall(VIETNAM, "2026-03-03 09:00")
    assert schedules.due(schedule, LONDON, NOW).due_at == wall(LONDON, "2026-03-03 09:00")


def test_a_time_of_day_is_the_next_one_on_each_clients_clock() -> None:
    schedule = OneOff(at=time(9))
    assert schedules.due(schedule, VIETNAM, NOW).due_at == wall(VIETNAM, "2026-03-03 09:00")
    assert schedules.due(schedule, LONDON, NOW).due_at == wall(LONDON, "2026-03-02 09:00")


def test_who_launches_late_reaches_everyone_now() -> None:
    assert schedules.due(OneOff(NOW - timedelta(days=3)), VIETNAM, NOW).due_at == NOW


def test_a_time_that_the_clocks_leave_out_is_not_skipped() -> None:
    before = wall(LONDON, "2026-03-29 00:30")
    assert schedules.due(OneOff(at=time(1, 30)), LONDON, before).due_at == datetime(
        2026, 3, 29, 1, 30, tzinfo=UTC
    )


@settings(max_examples=200, deadline=None)
@given(
    at=st.times(timezones=st.none()),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    zone=st.sampled_from([VIETNAM, LONDON, "America/New_York", "Pacific/Apia"]),
)
def test_the_next_time_of_day_is_never_past_and_never_more_than_a_day_and_a_change_away(
    at: time, start: datetime, zone: str
) -> None:
    moment = schedules.next_time(at, zone, start)
    assert start <= moment <= start + timedelta(hours=26)
