import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import content
from gateway.cli.dialogue import FOLDER
from gateway.content import read_dialogues
from gateway.domain import dialogues, interpret
from gateway.domain.dialogues import (
    CloseFlag,
    Dialogue,
    Heard,
    KeepAnswer,
    RequestReferral,
    SendInformation,
    State,
    Turn,
)
from gateway.domain.effects import RaiseFlag, Reply, StopPhone
from gateway.domain.interpret import Meaning

LIBRARY = content.load()
SHIPPED = read_dialogues(FOLDER)
SESSION, CLIENT = UUID(int=1), UUID(int=2)
MONDAY = datetime(2025, 1, 6, 9, tzinfo=UTC)
CHECK_IN = SHIPPED["weekly_check_in"]
NEEDS = SHIPPED["needs_check"]


def heard(dialogue: Dialogue, state: State, text: str, language: str = "en") -> Heard:
    asked = dialogue.steps[state.step].expecting
    return Heard(interpret.interpret(text, LIBRARY.lexicons, language, asked), text)


def begin(dialogue: Dialogue) -> Turn:
    return dialogues.begin(dialogue, SESSION, CLIENT, "en", MONDAY)


def walk(dialogue: Dialogue, *inputs: str | None) -> list[Turn]:
    """A turn an hour; None is the moment at which silence is due."""
    turns, now = [begin(dialogue)], MONDAY
    for text in inputs:
        state = turns[-1].state
        now = now + timedelta(hours=1) if text is not None else dialogues.due_at(dialogue, state) or now
        turns.append(dialogues.step(dialogue, state, None if text is None else heard(dialogue, state, text), now))
    return turns


def small(name: str = "small", /, **steps: Any) -> Dialogue:
    """A dialogue of the steps alone; its texts are enough for walking."""
    texts = "\n".join(f"[{step}]\n{step}?\n[{step}.again]\n{step} again?" for step in steps)
    data = {"source": "test", "consent": "check_in", "silence": {"hours": 48}, "steps": steps}
    return dialogues.parse(name, data, {"en": texts})


ASK = {"expects": "yes_no", "answers": {"yes": "good", "no": "bad"}}


# Walking


def test_a_check_in_asks_thanks_and_ends() -> None:
    asked, thanked = walk(CHECK_IN, "1")
    assert (asked.says, asked.state.status) == (("ask",), "waiting")
    assert (thanked.says, thanked.state.status) == (("well",), "ended")
    assert thanked.effects == (KeepAnswer(SESSION, CLIENT, "ask", "yes"),)


def test_a_person_calls_who_is_not_well() -> None:
    assert RaiseFlag("not_well", CLIENT, SESSION) in walk(CHECK_IN, "2")[-1].effects


def test_a_person_calls_who_is_silent_for_48_hours() -> None:
    asked = begin(CHECK_IN).state
    assert dialogues.due_at(CHECK_IN, asked) == MONDAY + timedelta(hours=48)
    early = dialogues.step(CHECK_IN, asked, None, MONDAY + timedelta(hours=47))
    assert early == Turn(asked)
    silent = dialogues.step(CHECK_IN, asked, None, MONDAY + timedelta(hours=48))
    assert silent.effects == (RaiseFlag("no_reply", CLIENT, SESSION),)
    assert (silent.says, silent.state.opened) == ((), "no_reply")


def test_silence_is_told_once() -> None:
    assert [turn.effects for turn in walk(CHECK_IN, None, None, None)[2:]] == [(), ()]


def test_a_late_answer_counts_and_closes_what_silence_had_opened() -> None:
    late = walk(CHECK_IN, None, "1")[-1]
    closed = CloseFlag("no_reply", CLIENT, SESSION, "answered_by_text")
    assert late.effects == (KeepAnswer(SESSION, CLIENT, "ask", "yes"), closed)
    assert (late.says, late.state.opened) == (("well",), "")


def test_what_is_not_understood_is_asked_in_other_words_twice_and_then_a_person_reads_it() -> None:
    _, once, twice, person = walk(CHECK_IN, "hm", "mm", "hm")
    assert (once.says, once.effects) == (("ask.again",), ())
    assert (twice.says, twice.effects) == (("ask.again2",), ())
    assert person.says == ()
    assert person.effects == (RaiseFlag("other_text", CLIENT, SESSION), Reply("not_understood", "en", client_id=CLIENT))


def test_more_than_a_few_words_reach_a_person_at_once() -> None:
    assert walk(CHECK_IN, "my sister moved to Leeds")[-1].effects == (RaiseFlag("other_text", CLIENT, SESSION),)


def test_an_answer_still_counts_when_a_person_has_it() -> None:
    assert walk(CHECK_IN, "hm", "mm", "hm", "1")[-1].state.status == "ended"


def test_after_a_person_has_it_nothing_is_asked_by_itself() -> None:
    state = walk(CHECK_IN, "hm", "mm", "hm")[-1].state
    assert dialogues.due_at(CHECK_IN, state) is None


def test_a_question_is_put_once_more_before_silence_calls_a_person() -> None:
    dialogue = small(ask=ASK | {"silence": {"hours": 48, "remind": [24]}}, good={}, bad={})
    _, once_more, silent = walk(dialogue, None, None)
    assert (once_more.says, once_more.effects) == (("ask.remind",), ())
    assert silent.effects == (RaiseFlag("no_reply", CLIENT, SESSION),)


def test_a_clock_that_stood_still_does_not_ask_again_when_silence_is_over() -> None:
    dialogue = small(ask=ASK | {"silence": {"hours": 48, "remind": [24, 36]}}, good={}, bad={})
    state = begin(dialogue).state
    assert dialogues.step(dialogue, state, None, MONDAY + timedelta(hours=40)).state.reminded == 2
    assert dialogues.step(dialogue, state, None, MONDAY + timedelta(hours=60)).says == ()


@pytest.mark.parametrize("text", ["HELP", "call me", "english"])
def test_a_request_that_is_no_answer_leaves_the_question_open(text: str) -> None:
    turn = walk(CHECK_IN, text)[-1]
    assert (turn.says, turn.effects, turn.state.misses) == ((), (), 0)


def test_a_wrong_number_is_asked_nothing_more() -> None:
    assert walk(CHECK_IN, "wrong number", "1")[-1].state.status == "stopped"


@pytest.mark.parametrize("earlier", [(), ("hm",), (None,), ("hm", "mm", "hm")])
def test_stop_wins(earlier: tuple[str | None, ...]) -> None:
    *_, stopped, after = walk(CHECK_IN, *earlier, "STOP", "1")
    assert stopped.effects == (StopPhone("stop"), Reply("stop_confirmed", "en", client_id=CLIENT))
    assert (stopped.says, after) == ((), Turn(stopped.state))


def test_a_cry_for_help_wins_and_the_answer_beside_it_is_kept() -> None:
    turn = walk(small(ask={"expects": "scale:1-5", "answers": {"any": "bad"}}, bad={}), "1, i want to die")[-1]
    urgent = Reply("crisis_answer", "en", urgent=True, client_id=CLIENT)
    assert turn.effects == (RaiseFlag("crisis", CLIENT), urgent, KeepAnswer(SESSION, CLIENT, "ask", "1"))
    assert (turn.says, turn.state.status) == ((), "with_person")


def test_stop_and_a_cry_for_help_in_one_text_do_both() -> None:
    effects = walk(CHECK_IN, "STOP I want to die")[-1].effects
    assert RaiseFlag("crisis", CLIENT) in effects and StopPhone("stop") in effects


def test_what_may_be_a_cry_for_help_is_not_met_with_the_same_question() -> None:
    doubtful = Heard(Meaning("other", doubt="crisis"), "…")
    turn = dialogues.step(CHECK_IN, begin(CHECK_IN).state, doubtful, MONDAY)
    assert (turn.says, turn.effects) == ((), (RaiseFlag("crisis_in_doubt", CLIENT),))


def test_what_may_be_a_stop_pauses_and_is_asked_once() -> None:
    doubtful = Heard(Meaning("other", doubt="crisis", also_doubt="stop"), "…")
    turn = dialogues.step(CHECK_IN, begin(CHECK_IN).state, doubtful, MONDAY)
    assert turn.effects == (
        RaiseFlag("crisis_in_doubt", CLIENT), StopPhone("in_doubt"), RaiseFlag("stop_in_doubt", CLIENT),
        Reply("stop_doubt", "en", client_id=CLIENT),
    )  # fmt: skip


def test_a_more_urgent_dialogue_suspends_one_and_it_resumes_where_it_was() -> None:
    suspended = dialogues.suspend(begin(CHECK_IN).state, timedelta(hours=5))
    later = MONDAY + timedelta(days=3)
    assert dialogues.due_at(CHECK_IN, suspended) is None
    assert dialogues.step(CHECK_IN, suspended, heard(CHECK_IN, suspended, "1"), later) == Turn(suspended)
    resumed = dialogues.resume(CHECK_IN, suspended, later)
    assert (resumed.says, dialogues.due_at(CHECK_IN, resumed.state)) == (("ask",), later + timedelta(hours=43))  # of 48


@given(st.lists(st.integers(0, 40), min_size=1, max_size=12))
def test_however_often_it_is_put_off_its_silence_is_noticed_after_the_hours_it_waited_in_all(waits: list[int]) -> None:
    state, now, waited = begin(CHECK_IN).state, MONDAY, 0
    for hours in waits:
        now += timedelta(hours=hours)
        waited += hours
        turn = dialogues.step(CHECK_IN, state, None, now)
        assert (turn.state.status == "with_person") == (waited >= 48)
        if waited >= 48:
            return
        state = dialogues.resume(CHECK_IN, dialogues.suspend(state, timedelta(hours=hours)), now + timedelta(days=1)).state
        now += timedelta(days=1)


def test_what_was_put_off_after_its_reminder_is_not_reminded_of_twice() -> None:
    dialogue = small(ask=ASK | {"silence": {"hours": 48, "remind": [24]}}, good={}, bad={})
    state = dialogues.suspend(begin(dialogue).state, timedelta(hours=30))
    assert dialogues.resume(dialogue, state, MONDAY).state.reminded == 1


def test_a_need_ends_in_information_and_if_wanted_in_a_referral() -> None:
    _, offer, asked = walk(NEEDS, "4", "1")
    assert SendInformation(SESSION, CLIENT, "housing") in offer.effects
    assert RequestReferral(SESSION, CLIENT, "housing") in asked.effects


def test_back_asks_the_question_before_and_the_new_answer_counts() -> None:
    offer = walk(NEEDS, "4")[-1].state
    earlier = dialogues.back(NEEDS, offer, MONDAY)
    assert earlier.says == ("need",)
    again = dialogues.step(NEEDS, earlier.state, heard(NEEDS, earlier.state, "2"), MONDAY)
    assert again.state.answers == (("need", "work"),)


def test_a_state_comes_back_from_json_as_it_was() -> None:
    for turn in walk(NEEDS, "4", None, "2"):
        assert State.from_dict(json.loads(json.dumps(turn.state.to_dict()))) == turn.state


# Answers


@pytest.mark.parametrize(
    ("expects", "text", "value"),
    [
        ("scale:1-5", "3", "3"),
        ("number:0-7", "0", "0"),
        ("number:0-7", "9", None),
        ("date", "12/3", "2025-03-12"),
        ("date", "5/1", "2026-01-05"),
        ("date", "29/2", "2028-02-29"),
        ("date", "31/12/2025", "2025-12-31"),
        ("date", "31/2", None),
        ("date", "soon", None),
        ("text", " a quiet room ", "a quiet room"),
        ("text", "HELP", None),
    ],
)
def test_an_answer_is_kept_in_one_form(expects: str, text: str, value: str | None) -> None:
    turn = walk(small(ask={"expects": expects, "answers": {"any": "good"}}, good={}), text)[-1]
    assert turn.state.answers == (() if value is None else (("ask", value),))


def test_free_words_are_read_by_a_person() -> None:
    turn = walk(small(ask={"expects": "text", "answers": {"any": "good"}}, good={}), "a quiet room")[-1]
    assert RaiseFlag("other_text", CLIENT, SESSION) in turn.effects


@pytest.mark.parametrize("text", ["nhà ở", "NHA O", "housing", "4"])
def test_an_option_is_chosen_by_its_figure_or_its_words_in_any_language(text: str) -> None:
    assert walk(NEEDS, text)[-1].state.answers == (("need", "housing"),)


def test_an_answer_that_nothing_follows_on_goes_to_a_person() -> None:
    turn = walk(small(ask={"expects": "yes_no", "answers": {"yes": "good"}}, good={}), "2")[-1]
    assert (turn.state.status, turn.effects[-1]) == ("with_person", RaiseFlag("other_text", CLIENT, SESSION))


# Any inputs at all

WORDS = ["1", "2", "3", "9", "0", "98", "yes", "no", "STOP", "i want to die", "HELP", "call me", "hm", "", "12/3", "what is this about then"]
INPUTS = st.lists(st.one_of(st.none(), st.sampled_from(WORDS), st.text(max_size=12)), max_size=8)
ANY_DIALOGUE = st.sampled_from(sorted(SHIPPED))
FEW = settings(max_examples=60, deadline=None)


@FEW
@given(ANY_DIALOGUE, INPUTS)
def test_any_inputs_end_or_wait_and_say_no_effect_outside_the_closed_list(name: str, inputs: list[str | None]) -> None:
    dialogue = SHIPPED[name]
    for turn in walk(dialogue, *inputs):
        state = turn.state
        assert state.status in ("waiting", "with_person", "stopped", "ended")
        assert (state.status == "ended") == (dialogue.steps[state.step].kind == "end") or state.status == "stopped"
        assert all(isinstance(effect, get_args(dialogues.Effect)) for effect in turn.effects)
        assert all(dialogue.text("vi", key) for key in turn.says)
        assert state.status != "waiting" or dialogues.due_at(dialogue, state)


@FEW
@given(ANY_DIALOGUE, INPUTS)
def test_the_same_inputs_lead_to_the_same_states(name: str, inputs: list[str | None]) -> None:
    turns = walk(SHIPPED[name], *inputs)
    assert walk(SHIPPED[name], *inputs) == turns
    kept = [State.from_dict(json.loads(json.dumps(turn.state.to_dict()))) for turn in turns]
    assert kept == [turn.state for turn in turns]


@FEW
@given(ANY_DIALOGUE, INPUTS, st.sampled_from(["STOP", "i want to die", "STOP i want to die"]))
def test_stop_and_a_cry_for_help_win_wherever_they_come(name: str, inputs: list[str | None], text: str) -> None:
    *_, before, turn = walk(SHIPPED[name], *inputs, text)
    assert (RaiseFlag("crisis", CLIENT) in turn.effects) == ("die" in text)
    assert (StopPhone("stop") in turn.effects) == ("STOP" in text and before.state.status != "stopped")
    assert turn.says == ()
    assert turn.state.status == "stopped" if "STOP" in text else turn.state.status != "waiting"


# Skins


NAVIGATION = dialogues.Navigation("0 back", "98 more")


@given(st.text(st.sampled_from("ab ế\n€"), max_size=400), st.booleans())
def test_no_screen_is_ever_too_long_and_nothing_is_lost(text: str, back: bool) -> None:
    shown = dialogues.screens(text, NAVIGATION, back=back)
    assert all(dialogues.Limits().hold(screen) for screen in shown)
    assert all(("98 more" in screen) == (place < len(shown) - 1) for place, screen in enumerate(shown))
    assert all("0 back" in screen for screen in shown[1:])
    bare = "".join(screen.replace("0 back", "").replace("98 more", "") for screen in shown)
    assert "".join(bare.split()) == "".join(text.split())


def test_a_text_that_fits_is_one_screen() -> None:
    assert dialogues.screens("All right?", NAVIGATION) == ["All right?"]
    assert dialogues.screens("All right?", NAVIGATION, back=True) == ["All right?\n0 back"]


@pytest.mark.parametrize(
    ("typed", "expects", "at", "way"),
    [
        ("98", "yes_no", 0, "more"), ("98", "yes_no", 1, None), ("0", "yes_no", 1, "screen_before"), ("0", "yes_no", 0, "back"),
        ("0", "number:0-7", 0, None), ("1", "yes_no", 0, None),
    ],
)  # fmt: skip
def test_0_and_98_turn_screens_unless_they_answer(typed: str, expects: str, at: int, way: str | None) -> None:
    asked = small(ask={"expects": expects, "answers": {"any": "good"}}, good={}).steps["ask"]
    assert dialogues.pressed(typed, asked, at, of=2) == way


def test_sms_and_ussd_say_the_same() -> None:
    said = dialogues.sms(NEEDS, "vi", ("need",), {})
    screens = dialogues.screens(said, NAVIGATION)
    lines = [line for screen in screens for line in screen.split("\n") if line not in ("0 back", "98 more")]
    assert "\n".join(lines) == said


def test_other_words_for_a_menu_are_followed_by_its_options() -> None:
    assert NEEDS.text("en", "need.again").split("\n")[1:] == NEEDS.text("en", "need").split("\n")[1:]
