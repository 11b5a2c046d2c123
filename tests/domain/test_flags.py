from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import flags, windows
from gateway.domain.windows import NEVER, Window

VIETNAM = "Asia/Ho_Chi_Minh"
OFFICE = Window(time(8), time(17))


def wall(text: str) -> datetime:
    return windows.instant(datetime.fromisoformat(text), VIETNAM)


def test_a_cry_for_help_is_due_within_minutes_at_any_hour() -> None:
    night = wall("2026-03-02 03:00")
    assert flags.due_at("crisis", night, OFFICE, VIETNAM) == night + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        ("2026-03-02 09:00", "2026-03-02 13:00"),
        ("2026-03-02 13:00", "2026-03-02 17:00"),
        ("2026-03-02 15:30", "2026-03-03 10:30"),
        ("2026-03-02 22:00", "2026-03-03 12:00"),
        ("2026-03-02 05:00", "2026-03-02 12:00"),
    ],
)
def test_other_flags_are_due_after_their_time_in_service_hours(opened: str, due: str) -> None:
    assert flags.RULES["callback"].within == timedelta(hours=4)
    assert flags.due_at("callback", wall(opened), OFFICE, VIETNAM) == wall(due)


def test_a_long_time_goes_on_for_days() -> None:
    assert flags.RULES["number_to_verify"].within == timedelta(hours=24)
    assert flags.due_at("number_to_verify", wall("2026-03-02 08:00"), OFFICE, VIETNAM) == wall(
        "2026-03-04 14:00"
    )


@pytest.mark.parametrize("hours", [None, NEVER])
def test_without_service_hours_the_clock_counts(hours: Window | None) -> None:
    opened = wall("2026-03-02 22:00")
    assert flags.due_at("callback", opened, hours, VIETNAM) == opened + timedelta(hours=4)


@settings(max_examples=200, deadline=None)
@given(
    reason=st.sampled_from(sorted(flags.RULES)),
    opened=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
    sooner=st.timedeltas(timedelta(0), timedelta(days=2)),
    hours=st.builds(
        lambda opens, length: Window(time(opens), time((opens + length) % 24)),
        st.integers(0, 23),
        st.integers(1, 23),
    ),
)
def test_no_flag_is_due_before_its_time_nor_later_than_one_opened_after_it(
    reason: str, opened: datetime, sooner: timedelta, hours: Window
) -> None:
    due = flags.due_at(reason, opened, hours, "Europe/London")
    assert due >= opened + flags.RULES[reason].within
    assert flags.due_at(reason, opened - sooner, hours, "Europe/London") <= due


def test_every_reason_has_a_severity_that_can_be_ranked_and_words_for_staff() -> None:
    assert all(flags.rank(rule.severity) >= 0 and rule.what for rule in flags.RULES.values())
    assert [flags.rank(severity) for severity in flags.SEVERITIES] == [0, 1, 2, 3]


def test_a_graver_flag_is_never_given_more_time() -> None:
    longest = {s: max(r.within for r in flags.RULES.values() if r.severity == s) for s in flags.SEVERITIES}
    shortest = {s: min(r.within for r in flags.RULES.values() if r.severity == s) for s in flags.SEVERITIES}
    assert longest["urgent"] <= shortest["high"]
    assert longest["medium"] <= shortest["low"]
