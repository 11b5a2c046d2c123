"""Rounds: off holidays, over clock changes, each client at a moment of their own; and caps."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import recurrence, rounds, windows
from gateway.domain.caps import A_DAY, Cap
from gateway.domain.errors import Refused
from gateway.domain.rounds import Calendar, Policy, Recurring, StepDays, Timing
from gateway.domain.windows import Window

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
LONDON, VIETNAM = "Europe/London", "Asia/Ho_Chi_Minh"
TET: Calendar = frozenset(date(2027, 2, day) for day in range(4, 11))
MONDAYS = recurrence.read("FREQ=WEEKLY;BYDAY=MO")
POLICIES = st.sampled_from(["send", "skip", "before", "after"])
CLOCKS = st.times(time(0), time(23, 59)).map(lambda at: at.replace(second=0, microsecond=0))
ZONES = st.sampled_from([LONDON, VIETNAM, "Africa/Cairo", "America/St_Johns", "Australia/Lord_Howe", "UTC"])
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
HOLIDAYS = st.frozensets(st.dates(date(2027, 1, 1), date(2027, 4, 1)), max_size=30)


def timing(at: time = time(9), policy: Policy = "send", **changes: Any) -> Timing:
    return Timing(at, holidays=policy, **changes)


def of(plan: Recurring, zone: str = VIETNAM, calendar: Calendar = frozenset(), first: str = "2027-02-01", last: str = "2027-03-01") -> list[rounds.Round]:
    since, until = (windows.instant(datetime.fromisoformat(day), zone) for day in (first, last))
    return rounds.of_rule(plan, date(2027, 1, 1), zone, calendar, since, until)


def sent(found: list[rounds.Round], zone: str = VIETNAM) -> list[str]:
    return [each.at.astimezone(windows.zone_of(zone)).strftime("%a %d") for each in found if not each.skipped]


@pytest.mark.parametrize(("policy", "days"), [
    ("send", ["Mon 01", "Mon 08", "Mon 15", "Mon 22"]), ("skip", ["Mon 01", "Mon 15", "Mon 22"]),
    ("before", ["Mon 01", "Wed 03", "Mon 15", "Mon 22"]), ("after", ["Mon 01", "Thu 11", "Mon 15", "Mon 22"]),
])  # fmt: skip
def test_a_weekly_text_over_tet_does_what_its_campaign_says(policy: Policy, days: list[str]) -> None:
    assert sent(of(Recurring(MONDAYS, timing(policy=policy)), calendar=TET)) == days


def test_a_daily_text_is_not_sent_seven_times_on_the_day_after_tet() -> None:
    found = of(Recurring(recurrence.read("FREQ=DAILY"), timing(policy="after")), calendar=TET, last="2027-02-15")
    assert sent(found) == [f"{day:%a %d}" for day in (date(2027, 2, n) for n in (1, 2, 3, 11, 12, 13, 14))]
    assert Counter(each.skipped for each in found)[rounds.SAME_DAY] == 7


@pytest.mark.parametrize(("every", "day"), [("last working day", "Wed 24"), ("first working day", "Wed 03")])
def test_the_last_and_first_working_day_know_holidays(every: str, day: str) -> None:
    plan = rounds.read_recurring({"every": every})
    off = frozenset({date(2027, 2, 1), date(2027, 2, 2), date(2027, 2, 25), date(2027, 2, 26)})
    assert sent(of(plan, calendar=off)) == [day]


def test_a_time_of_day_stays_what_the_clock_shows_when_clocks_change() -> None:
    plan = Recurring(recurrence.read("FREQ=DAILY"), timing(time(1, 30)))
    moments = [each.at for each in of(plan, LONDON, first="2027-03-27", last="2027-03-30")]
    assert [at.strftime("%d %H:%M") for at in moments] == ["27 01:30", "28 01:30", "29 00:30"]  # 01:30 is left out on the 28th
    autumn = of(plan, LONDON, first="2027-10-30", last="2027-11-01")
    assert [each.at.strftime("%d %H:%M") for each in autumn] == ["30 00:30", "31 00:30"]  # and comes twice on the 31st: the first


@given(at=CLOCKS, zone=ZONES, policy=POLICIES, calendar=HOLIDAYS)
def test_every_day_is_sent_once_at_most_and_none_vanishes(at: time, zone: str, policy: Policy, calendar: Calendar) -> None:
    found = of(Recurring(recurrence.read("FREQ=DAILY"), timing(at, policy)), zone, calendar, last="2027-03-01")
    days = [each.at.astimezone(windows.zone_of(zone)).date() for each in found if not each.skipped]
    assert len(days) == len(set(days))
    assert len({each.at for each in found}) == len(found)
    assert policy == "send" or not calendar & set(days)
    assert all(each.skipped for each in found if each.on in calendar) or policy != "skip"
    assert {date(2027, 2, 1) + n * DAY for n in range(28)} - calendar <= {each.on for each in found}


@given(at=CLOCKS, zone=ZONES, policy=POLICIES, calendar=HOLIDAYS, cuts=st.lists(MOMENTS, max_size=5))
def test_planned_in_pieces_it_is_the_same_plan(at: time, zone: str, policy: Policy, calendar: Calendar, cuts: list[datetime]) -> None:
    plan = Recurring(recurrence.read("FREQ=DAILY"), timing(at, policy, weekdays=rounds.WORKING))
    since, until = datetime(2027, 1, 15, tzinfo=UTC), datetime(2027, 3, 15, tzinfo=UTC)
    edges = [since, *sorted(cut for cut in cuts if since < cut < until), until]
    pieces = [rounds.of_rule(plan, since.date(), zone, calendar, a, b) for a, b in zip(edges, edges[1:], strict=False)]
    assert sorted((each for piece in pieces for each in piece), key=lambda each: each.on) == sorted(
        rounds.of_rule(plan, since.date(), zone, calendar, since, until), key=lambda each: each.on)  # fmt: skip


@given(zero=st.dates(date(2026, 1, 1), date(2028, 12, 31)), day=st.integers(-30, 60), every=st.integers(1, 30), times=st.integers(1, 20),
       weekdays=st.frozensets(st.integers(0, 6), min_size=1))  # fmt: skip
def test_a_programme_counts_days_and_keeps_to_its_weekdays(zero: date, day: int, every: int, times: int, weekdays: frozenset[int]) -> None:
    found = rounds.of_step(StepDays(day, timing(weekdays=weekdays), every, times), zero, VIETNAM, frozenset())
    assert [each.on for each in found] == [zero + (day + n * every) * DAY for n in range(times)]
    for each in found:
        moved = each.at.astimezone(windows.zone_of(VIETNAM)).date()
        assert moved.weekday() in weekdays or each.skipped == rounds.SAME_DAY
        assert timedelta(0) <= moved - each.on < 7 * DAY


@given(key=st.text(min_size=1), at=MOMENTS, zone=ZONES, spread=st.integers(1, 720), opens=CLOCKS, closes=CLOCKS)
def test_a_spread_stays_within_the_window_and_is_the_same_each_time(key: str, at: datetime, zone: str, spread: int, opens: time, closes: time) -> None:
    found = rounds.Round(at.date(), at, at + 48 * HOUR)
    window, length = Window(opens, closes), timedelta(minutes=spread)
    due = rounds.due(found, length, key, window, zone)
    assert due == rounds.due(found, length, key, window, zone)
    assert found.at <= due < found.send_before
    assert due == found.at or windows.is_open(window, zone, due)
    opens_at = windows.next_open(window, zone, at)
    assert due == found.at or due < opens_at + length


def test_a_spread_is_even() -> None:
    tenths = Counter(int(rounds.share(f"step:{n}:2027-02-01") * 10) for n in range(10_000))
    assert set(tenths) == set(range(10))
    assert all(850 < count < 1150 for count in tenths.values())


LIMITS = st.lists(st.tuples(st.none() | st.integers(1, 5), st.none() | st.integers(1, 20)), max_size=4)


@given(asked=LIMITS, today=st.integers(0, 6), week=st.integers(0, 25))
def test_the_narrowest_cap_of_all_units_holds(asked: list[tuple[int | None, int | None]], today: int, week: int) -> None:
    cap = Cap.narrowest(asked)
    assert cap.a_day == min([A_DAY, *(a_day for a_day, _ in asked if a_day is not None)])
    weeks = [a_week for _, a_week in asked if a_week is not None]
    may = today < cap.a_day and all(week < a_week for a_week in weeks)
    assert (cap.reached(today, week) is None) == may


READ: Callable[[dict[str, Any]], object] = rounds.read_recurring


@pytest.mark.parametrize("wrong", [
    {"at": "noon"}, {"lasts": "0h"}, {"lasts": "soon"}, {"spread": "13h"}, {"weekdays": []}, {"weekdays": ["monday"]}, {"holidays": "maybe"},
    {"every": "now and then"}, {"start": "soon"}])  # fmt: skip
def test_a_schedule_that_cannot_be_read_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        READ({"every": "FREQ=DAILY", **wrong})


@pytest.mark.parametrize("wrong", [{}, {"day": "x"}, {"day": 1, "times": 3}, {"day": 1, "every": 7}, {"day": 99_999}, {"day": 1, "every": 1, "times": 0}])
def test_a_step_without_its_days_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        rounds.read_step(wrong)
