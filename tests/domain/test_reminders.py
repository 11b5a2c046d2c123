from datetime import UTC, datetime, time, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import reminders, windows
from gateway.domain.errors import Refused
from gateway.domain.reminders import (
    IN_THE_PAST,
    NOT_BEFORE_THE_APPOINTMENT,
    SAME_MOMENT,
    Planned,
    Step,
    read_step,
)

VIETNAM, LONDON = "Asia/Ho_Chi_Minh", "Europe/London"
WEEK, EVE, SOON = read_step("week", "7d"), read_step("eve", "1d", "17:00"), read_step("soon", "2h")
USUAL = (WEEK, EVE, SOON)


def wall(text: str, zone: str = VIETNAM) -> datetime:
    return windows.instant(datetime.fromisoformat(text), zone)


def plan(
    steps: tuple[Step, ...], starts_at: datetime, now: datetime, zone: str = VIETNAM
) -> dict[str, Planned]:
    return {planned.step_id: planned for planned in reminders.plan(steps, starts_at, zone, now)}


def test_each_step_is_due_before_the_appointment_on_the_local_clock() -> None:
    planned = plan(USUAL, wall("2026-03-20 14:30"), wall("2026-03-01 09:00"))
    assert {step: each.due_at for step, each in planned.items()} == {
        "week": wall("2026-03-13 14:30"),
        "eve": wall("2026-03-19 17:00"),
        "soon": wall("2026-03-20 12:30"),
    }
    assert all(each.skipped is None for each in planned.values())


def test_a_step_is_of_use_until_the_next_one_or_until_it_is_too_late_to_act() -> None:
    planned = plan(USUAL, wall("2026-03-20 14:30"), wall("2026-03-01 09:00"))
    assert planned["week"].send_before == planned["eve"].due_at
    assert planned["eve"].send_before == planned["soon"].due_at
    assert planned["soon"].send_before == wall("2026-03-20 14:00")


def test_a_step_already_past_is_listed_with_its_reason_and_the_others_stay() -> None:
    planned = plan(USUAL, wall("2026-03-20 14:30"), wall("2026-03-18 09:00"))
    assert planned["week"].skipped == IN_THE_PAST
    assert [planned["eve"].skipped, planned["soon"].skipped] == [None, None]


def test_a_step_due_this_moment_is_not_past() -> None:
    now = wall("2026-03-20 12:30")
    assert plan((SOON,), wall("2026-03-20 14:30"), now)["soon"].skipped is None


def test_a_morning_text_for_an_earlier_appointment_is_listed_as_not_before_it() -> None:
    today = read_step("today", "0d", "08:00")
    assert (
        plan((today,), wall("2026-03-20 07:30"), wall("2026-03-01 09:00"))["today"].skipped
        == NOT_BEFORE_THE_APPOINTMENT
    )
    assert plan((today,), wall("2026-03-20 09:30"), wall("2026-03-01 09:00"))["today"].skipped is None


def test_of_two_steps_at_one_moment_one_is_sent() -> None:
    planned = plan((EVE, read_step("day", "1d")), wall("2026-03-20 17:00"), wall("2026-03-01 09:00"))
    assert planned["eve"].skipped == SAME_MOMENT
    assert planned["day"].skipped is None


@pytest.mark.parametrize("starts", ["2026-03-29 10:00", "2026-10-25 10:00"])
def test_a_day_before_is_the_same_time_of_day_across_a_clock_change(starts: str) -> None:
    starts_at = wall(starts, LONDON)
    due_at = plan((read_step("day", "1d"),), starts_at, wall("2026-01-01", LONDON), LONDON)["day"].due_at
    assert due_at == windows.instant(datetime.fromisoformat(starts) - timedelta(days=1), LONDON)
    assert starts_at - due_at != timedelta(days=1)


def test_two_hours_before_are_two_hours_whatever_the_clocks_do() -> None:
    starts_at = wall("2026-03-29 02:30", LONDON)
    assert plan((SOON,), starts_at, wall("2026-01-01", LONDON), LONDON)[
        "soon"
    ].due_at == starts_at - timedelta(hours=2)


def test_a_step_whose_time_the_clocks_leave_out_comes_an_hour_later() -> None:
    planned = plan(
        (read_step("night", "1d", "01:30"),),
        wall("2026-03-30 10:00", LONDON),
        wall("2026-01-01", LONDON),
        LONDON,
    )
    assert planned["night"].due_at == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def test_the_29th_of_february_and_the_end_of_the_year_are_days_like_others() -> None:
    now = wall("2027-01-01")
    assert plan((WEEK,), wall("2028-03-07 09:00"), now)["week"].due_at == wall("2028-02-29 09:00")
    assert plan((WEEK,), wall("2028-01-03 09:00"), now)["week"].due_at == wall("2027-12-27 09:00")


steps = st.one_of(
    st.builds(lambda m: Step("", timedelta(minutes=m)), st.integers(1, 60 * 24 * 30)),
    st.builds(lambda d, h: Step("", timedelta(days=d), time(h)), st.integers(0, 30), st.integers(0, 23)),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))


@settings(max_examples=200, deadline=None)
@given(
    chosen=st.lists(steps, max_size=6),
    starts_at=moments,
    now=moments,
    zone=st.sampled_from([VIETNAM, LONDON, "America/New_York"]),
)
def test_every_step_is_planned_or_says_why_and_none_outlives_its_use(
    chosen: list[Step], starts_at: datetime, now: datetime, zone: str
) -> None:
    named = [Step(str(n), step.before, step.at) for n, step in enumerate(chosen)]
    planned = reminders.plan(named, starts_at, zone, now)
    assert sorted(each.step_id for each in planned) == sorted(step.id for step in named)
    sent = [each for each in planned if each.skipped is None]
    assert all(now <= each.due_at < each.send_before <= starts_at for each in sent)
    assert all(one.send_before <= following.due_at for one, following in pairwise(sent))
    assert reminders.plan(named, starts_at, zone, now) == planned


@pytest.mark.parametrize(
    ("before", "span"),
    [
        ("7d", timedelta(days=7)),
        ("2h", timedelta(hours=2)),
        (" 90 M ", timedelta(minutes=90)),
        ("1d12h", timedelta(hours=36)),
    ],
)
def test_campaign_files_write_steps_in_days_hours_and_minutes(before: str, span: timedelta) -> None:
    assert read_step("s", before) == Step("s", span)


@pytest.mark.parametrize(
    ("before", "at"),
    [
        ("", None),
        ("soon", None),
        ("-1d", None),
        ("0d", None),
        ("2h", "17:00"),
        ("1d", "25:00"),
        ("1d", ""),
        ("999d", None),
    ],
)
def test_a_step_that_cannot_be_is_refused(before: str, at: str | None) -> None:
    with pytest.raises(Refused):
        read_step("s", before, at)
