"""Losing touch: three silent check-ins, or a drop from the client's own rhythm."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import touch


def history(written: str) -> list[bool]:
    """The newest first: a for answered, - for silent."""
    return [each == "a" for each in written]


@pytest.mark.parametrize(("written", "lost"), [
    ("-", False), ("--", False), ("--a", False), ("---", True), ("---aaa", True),
    ("--a-aaaaaa", True),  # one of the latest four, by someone who answered every time
    ("-a--aaaaaa", True), ("--aaaaaaaa", False), ("--a-aa-a", False), ("--a-a-a-a-", False), ("a---aaaaaa", False),
])  # fmt: skip
def test_silence_is_judged_by_the_clients_own_rhythm(written: str, lost: bool) -> None:
    assert touch.is_losing(history(written)) is lost


@given(st.lists(st.booleans(), max_size=20))
def test_whoever_has_just_answered_is_not_lost(before: list[bool]) -> None:
    assert not touch.is_losing([True, *before])


@given(st.lists(st.booleans(), max_size=20))
def test_three_silent_check_ins_always_call_a_person(before: list[bool]) -> None:
    assert touch.is_losing([False, False, False, *before])
