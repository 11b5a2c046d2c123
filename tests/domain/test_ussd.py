"""The menu as values: where presses lead, and what no press can reach."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import ussd
from gateway.domain.ussd import PERSONAL, Kept, Pin, Seen, State

NOW = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)
SECRET, SALT = b"s" * 16, b"salt"
PIN = Pin(SALT, ussd.hash_pin(SECRET, SALT))
LANGUAGES = ("en", "fr", "vi")
presses = st.lists(st.one_of(st.sampled_from(["0", "1", "2", "3", "4", "5", "6", "7", "8", "12", "98", "1234", ""]), st.text(max_size=6)), max_size=12)


def walk(typed: list[str], seen: Seen, state: State | None = None, secret: bytes = b"w" * 16) -> State:
    state = state or State()
    for each in typed:
        if not state.ended:
            state = ussd.step(state, each, secret, seen).state
    return state


@given(presses, st.booleans(), st.integers(0, 4))
def test_without_the_right_pin_no_press_leads_to_what_is_personal(typed: list[str], stopped: bool, tries: int) -> None:
    seen = Seen(Pin(PIN.salt, PIN.hash, tries), stopped, LANGUAGES)
    state = walk(typed, seen)
    assert not state.right and state.at not in PERSONAL


@given(presses)
def test_a_locked_pin_opens_nothing_however_right_it_is(typed: list[str]) -> None:
    state = walk(typed, Seen(Pin(PIN.salt, PIN.hash, 5, locked=True), False, LANGUAGES), secret=SECRET)
    assert not state.right and state.at not in PERSONAL


@given(presses)
def test_a_state_is_read_as_it_was_written(typed: list[str]) -> None:
    state = walk(typed, Seen(None, False, LANGUAGES))
    assert State.from_dict(state.to_dict()) == state


def test_the_fifth_wrong_pin_ends_the_dialogue() -> None:
    seen = Seen(Pin(PIN.salt, PIN.hash, 4), False, LANGUAGES)
    turn = ussd.step(walk(["1"], seen), "0000", b"w" * 16, seen)
    assert (turn.state.at, turn.state.ended, turn.effects) == ("locked", True, (ussd.WrongPin(),))


def test_a_chosen_pin_is_set_when_it_is_typed_twice() -> None:
    seen = Seen(None, False, LANGUAGES)
    turn = ussd.step(walk(["1", "1234"], seen, secret=SECRET), "1234", SECRET, seen)
    assert (turn.state.at, turn.effects) == ("appointment", (ussd.SetPin(SECRET),))


@pytest.mark.parametrize(("left", "minutes", "at"), [
    (State("found", topic=3), 9, "resume"), (State("found", topic=3), 11, "menu"), (State("texted", ended=True), 1, "menu"), (State(), 1, "menu"),
    (State("pin_wrong", then="check_in"), 1, "resume"), (State("resume", then="topics"), 1, "resume"), (None, 0, "menu"),
])  # fmt: skip
def test_a_cut_dialogue_may_be_taken_up_for_ten_minutes(left: State | None, minutes: int, at: str) -> None:
    begun = ussd.begin(left, NOW - timedelta(minutes=minutes), NOW)
    assert (begun.at, begun.right) == (at, False)


@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_stars_an_answer_holds_it_is_read_whole(before: str, answer: str) -> None:
    kept = Kept("", len(before), "", True)
    assert ussd.added(f"{before}*{answer}" if before else answer, kept) == (answer or (None if not before else ""))
