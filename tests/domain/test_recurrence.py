"""Days that come again: what RFC 5545 says, clamped where a month is too short."""

from calendar import monthrange
from datetime import date, timedelta
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import recurrence
from gateway.domain.errors import Refused

FAR = date(2100, 1, 1)
DAYS = st.dates(date(2020, 1, 1), date(2060, 12, 31))


def first(rule: str, start: date, count: int = 5) -> list[str]:
    return [str(day) for day in islice(recurrence.days(recurrence.read(rule), start, start, FAR), count)]


@pytest.mark.parametrize(("rule", "start", "days"), [
    ("FREQ=WEEKLY;BYDAY=MO", date(2027, 2, 1), ["2027-02-01", "2027-02-08", "2027-02-15"]),
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", date(2027, 2, 1), ["2027-02-01", "2027-02-15", "2027-03-01"]),
    ("FREQ=MONTHLY;BYMONTHDAY=31", date(2027, 1, 1), ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]),
    ("FREQ=MONTHLY", date(2028, 1, 31), ["2028-01-31", "2028-02-29", "2028-03-31"]),
    ("FREQ=MONTHLY;BYMONTHDAY=30,31", date(2027, 1, 1), ["2027-01-30", "2027-01-31", "2027-02-28", "2027-03-30"]),
    ("FREQ=MONTHLY;BYDAY=2TU", date(2027, 1, 1), ["2027-01-12", "2027-02-09", "2027-03-09"]),
    ("FREQ=MONTHLY;BYDAY=-1FR", date(2027, 1, 1), ["2027-01-29", "2027-02-26"]),
    ("FREQ=YEARLY", date(2028, 2, 29), ["2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"]),
    ("FREQ=YEARLY;BYMONTH=4,2;BYMONTHDAY=31", date(2027, 1, 1), ["2027-02-28", "2027-04-30", "2028-02-29"]),
    ("FREQ=DAILY;COUNT=2", date(2027, 1, 1), ["2027-01-01", "2027-01-02"]),
    ("RRULE:FREQ=DAILY;UNTIL=20270102T000000Z", date(2027, 1, 1), ["2027-01-01", "2027-01-02"]),
    (recurrence.WORKING_DAYS["last working day"][0], date(2027, 1, 1), ["2027-01-29", "2027-02-26"]),
])  # fmt: skip
def test_a_rule_gives_the_days_that_people_expect(rule: str, start: date, days: list[str]) -> None:
    assert first(rule, start, len(days)) == days
    assert "COUNT" not in rule or len(first(rule, start)) == len(days)


@pytest.mark.parametrize("rule", [
    "", "weekly", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=9", "FREQ=DAILY;INTERVAL=0", "FREQ=DAILY;COUNT=0", "FREQ=DAILY;COUNT=2;UNTIL=20300101",
    "FREQ=WEEKLY;BYDAY=XX", "FREQ=MONTHLY;BYMONTHDAY=32", "FREQ=MONTHLY;BYMONTHDAY=-31", "FREQ=YEARLY;BYMONTH=13", "FREQ=DAILY;UNTIL=soon",
    "FREQ=MONTHLY;BYMONTH=2;BYMONTHDAY=30;BYDAY=MO", "FREQ=MONTHLY;DTSTART=20270101",
])  # fmt: skip
def test_a_rule_that_cannot_be_meant_is_refused(rule: str) -> None:
    with pytest.raises(Refused):
        recurrence.read(rule)


@given(start=DAYS, day=st.integers(1, 31), interval=st.integers(1, 5))
def test_a_day_of_the_month_comes_once_in_each_and_is_the_last_where_it_is_missing(start: date, day: int, interval: int) -> None:
    rule = recurrence.read(f"FREQ=MONTHLY;BYMONTHDAY={day};INTERVAL={interval}")
    found = list(islice(recurrence.days(rule, start, start, FAR), 30))
    assert all(each.day == min(day, monthrange(each.year, each.month)[1]) for each in found)
    months = [each.year * 12 + each.month for each in found]
    assert all(after - before == interval for before, after in pairwise(months))


@given(start=DAYS, freq=st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]), interval=st.integers(1, 4), cut=st.integers(0, 400))
def test_where_one_begins_to_look_changes_no_day(start: date, freq: str, interval: int, cut: int) -> None:
    rule = recurrence.read(f"FREQ={freq};INTERVAL={interval}")
    last, middle = start + timedelta(days=800), start + timedelta(days=cut)
    whole = list(recurrence.days(rule, start, start, last))
    parts = [*recurrence.days(rule, start, start, middle), *recurrence.days(rule, start, middle + timedelta(days=1), last)]
    assert whole == parts
    assert whole == sorted(set(whole))


@given(start=DAYS, count=st.integers(1, 40), days=st.sets(st.integers(1, 31), min_size=1, max_size=3))
def test_a_count_counts_days_and_says_which_is_the_last(start: date, count: int, days: set[int]) -> None:
    rule = recurrence.read(f"FREQ=MONTHLY;BYMONTHDAY={','.join(map(str, days))};COUNT={count}")
    found = list(recurrence.days(rule, start, start, FAR))
    assert len(found) == count
    assert recurrence.ends(rule, start) == found[-1]
