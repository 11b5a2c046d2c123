from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import content
from gateway.cli.dialogue import FOLDER
from gateway.content import read_dialogues
from gateway.domain import decide, dialogues, interpret, segments
from gateway.domain.dialogues import Dialogue, KeepAnswer, State
from gateway.domain.effects import StopPhone
from gateway.domain.errors import Refused
from gateway.domain.interpret import Meaning

LIBRARY = content.load()
SHIPPED = read_dialogues(FOLDER)
CHECK_IN = SHIPPED["weekly_check_in"]
NOW = datetime(2026, 2, 10, tzinfo=UTC)
ASK = {"expects": "yes_no", "answers": {"yes": "good", "no": "bad"}}

def tongues(*codes: str) -> dict[str, dialogues.Tongue]:
    def read(code: str, text: str, expecting: interpret.Expecting) -> Meaning:
        return interpret.interpret(text, LIBRARY.lexicons, code, expecting)

    def navigation(code: str) -> dialogues.Navigation:
        return dialogues.Navigation(LIBRARY.gettext(code)("0 back"), LIBRARY.gettext(code)("98 more"))

    return {code: dialogues.Tongue(LIBRARY.languages[code], partial(read, code), navigation(code)) for code in codes}


def found(steps: dict[str, Any], texts: dict[str, str], **top: Any) -> str:
    data = {"source": "test", "consent": "check_in", "silence": {"hours": 48}, "steps": steps} | top
    dialogue = dialogues.parse("bad", data, texts)
    return "\n".join(f"{finding.where}: {finding.what}" for finding in dialogues.lint(dialogue, tongues("en")))


GOOD = "[ask]\nAll fine? 1 or 2.\n[ask.again]\nOnly 1 or 2, please.\n[good]\nFine.\n[bad]\nNoted."
STEPS: dict[str, Any] = {"ask": ASK, "good": {}, "bad": {}}
MENU = {"expects": "menu", "options": ["work", "home"], "answers": {"any": "good"}}


def menu(*lines: str) -> dict[str, str]:
    return {"en": "\n".join(["[ask]", "What?", *lines, "[ask.again]", "Which?", "[good]", "Fine."])}


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_every_dialogue_that_is_shipped_is_fit_to_be_used(name: str) -> None:
    assert dialogues.lint(SHIPPED[name], tongues("en", "vi", "fr")) == []


def test_a_dialogue_with_nothing_wrong_has_no_findings() -> None:
    assert found(STEPS, {"en": GOOD}) == ""


@pytest.mark.parametrize(
    ("steps", "texts", "said"),
    [
        (STEPS | {"ask": ASK | {"answers": {"yes": "good"}}}, {"en": GOOD}, "step ask: a dead end: nothing follows on no."),
        (STEPS | {"ask": ASK | {"answers": {"any": "good"}}}, {"en": GOOD}, "step bad: nobody ever comes here."),
        ({"ask": ASK | {"answers": {"any": "ask"}}}, {"en": GOOD.split("[good]")[0]}, "step ask: a loop with no way out"),
        (STEPS, {}, "dialogues/bad/en.txt: is missing"),
        (STEPS, {"en": GOOD, "xx": GOOD}, "dialogues/bad/xx.txt: there is no locales/xx/."),
        (STEPS, {"en": GOOD.replace("[good]\nFine.", "")}, "[good] is missing."),
        (STEPS, {"en": GOOD.replace("[ask.again]\nOnly 1 or 2, please.", "")}, "[ask.again] is missing."),
        (STEPS, {"en": GOOD + "\n[extra]\nOh."}, "[extra] belongs to no step."),
        (STEPS, {"en": GOOD + "\n[good.again]\nOh."}, "[good.again] belongs to no step."),
        (STEPS, {"en": GOOD.replace("Fine.", "Fine. " * 30)}, "en.txt [good]: takes more than one screen"),
        (STEPS, {"en": GOOD.replace("Fine.", "Ổn " * 25)}, "units in UCS-2): shorten it"),
        (STEPS, {"en": GOOD.replace("1 or 2.", "1 or what?")}, "[ask]: does not say what 2 means."),
        (STEPS, {"en": GOOD.replace("Fine.", "Your methadone.")}, "[good]: says 'methadone'"),
        (STEPS, {"en": GOOD.replace("Fine.", "{name}.")}, "{name} is not among the placeholders of dialogue.toml."),
        (STEPS, {"en": GOOD.replace("1 or 2.", "1 to go on, 2 to stop.")}, "[ask]: 'stop' stops, starts or asks"),
        ({"ask": MENU, "good": {}}, menu("1 a job", "2 a " + "very " * 30 + "big room"), "the options go beyond one screen (176 units in GSM-7): add"),
        ({"ask": MENU | {"more": True}, "good": {}}, menu("1 a job", "2 a " + "very " * 30 + "big room"), "a line is longer than a screen"),
        ({"ask": MENU, "good": {}}, menu("1 a job, 2 a room"), "[ask]: does not say what 2 means."),
        ({"ask": MENU, "good": {}}, menu("1 a job", "2 A job"), "'A job' in en stands for home and for work."),
        ({"ask": MENU, "good": {}}, menu("1 help", "2 a room"), "'help' stops, starts or asks for help"),
        ({"ask": MENU, "good": {}}, menu("1 a job", "2 cancel"), "'cancel' stops, starts or asks for help"),
    ],
)  # fmt: skip
def test_lint_finds(steps: dict[str, Any], texts: dict[str, str], said: str) -> None:
    assert said in found(steps, texts)


def test_lint_finds_words_that_mean_another_option_in_another_language() -> None:
    french = menu("1 une chambre", "2 a job")["en"]
    assert "stands for home and for work" in found({"ask": MENU, "good": {}}, {**menu("1 a job", "2 a room"), "fr": french})


@pytest.mark.parametrize(("code", "label", "option"), [("vi", "từ chối", "work"), ("en", "tu choi", "work"), ("fr", "từ chối", "work")])
def test_lint_finds_an_option_that_stops_in_any_language_with_its_tones_or_without(code: str, label: str, option: str) -> None:
    text = menu(f"1 {label}", "2 xyz")["en"]
    dialogue = dialogues.parse("bad", {"source": "test", "consent": "check_in", "silence": {"hours": 48}, "steps": {"ask": MENU, "good": {}}}, {code: text})
    assert f"{label!r} stops" in "\n".join(finding.what for finding in dialogues.lint(dialogue, tongues("en", "vi", "fr")))


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_whoever_types_the_words_that_a_question_gives_an_answer_has_answered(name: str) -> None:
    dialogue = SHIPPED[name]
    for code, step in ((code, step) for code in dialogue.texts for step in dialogue.steps.values()):
        for option, label in dialogue.taught(code, step):
            state = State(UUID(int=1), UUID(int=2), code, name, "", step.name, NOW)
            situation = decide.Situation((decide.Client(UUID(int=2), code, "active"),), (), code, None, False, (), None, None,
                                         sessions=(decide.Session(dialogue, state),))  # fmt: skip
            for typed in (label, segments.fold(label)):
                meaning = interpret.interpret(typed, LIBRARY.lexicons, code, step.expecting)
                effects = decide.decide(meaning, situation, NOW, typed)
                assert [each.value for each in effects if isinstance(each, KeepAnswer)] == [option], (code, typed)
                assert not any(isinstance(each, StopPhone) for each in effects), (code, typed)


def test_lint_finds_an_answer_that_also_turns_the_screen() -> None:
    steps = STEPS | {"ask": {"expects": "number:1-100", "more": True, "answers": {"1-50": "good", "51-100": "bad"}}}
    assert "98 is an answer" in found(steps, {"en": GOOD.replace("All fine?", "How many?\n" * 30)})


def test_a_channel_may_have_shorter_screens() -> None:
    dialogue = dialogues.parse("small", WHOLE, {"en": GOOD})
    assert dialogues.lint(dialogue, tongues("en"), dialogues.Limits(gsm7=10))


# Drawing


def test_a_drawing_shows_every_step_every_answer_and_where_a_person_comes_in() -> None:
    drawn = dialogues.draw(CHECK_IN)
    assert drawn.startswith("flowchart TD\n")
    assert 's_ask -- "yes" --> s_well' in drawn
    assert 's_ask -. "silent 48 h" .-> person' in drawn
    assert "flag: not_well" in drawn


@pytest.mark.parametrize("dialogue", SHIPPED.values(), ids=lambda each: each.name)
def test_every_dialogue_that_is_shipped_can_be_drawn(dialogue: Dialogue) -> None:
    drawn = dialogues.draw(dialogue)
    assert all(f"s_{name}" in drawn for name in dialogue.steps)


# Broken data

WHOLE: dict[str, Any] = {"source": "test", "consent": "check_in", "silence": {"hours": 48}, "steps": STEPS}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": {}}, "there are no steps"),
        ({"source": 1}, "source must be a text"),
        ({"colour": "red"}, "colour is unknown"),
        ({"consent": "all"}, "consent must be one of reminder, check_in"),
        ({"first": "nowhere"}, "first names nowhere"),
        ({"silence": {}}, "step ask: hours is missing"),
        ({"silence": {"hours": 0}}, "step ask: silence: remind and hours must be whole hours that rise"),
        ({"silence": {"hours": 10, "remind": [12]}}, "step ask: silence: remind and hours"),
        ({"silence": {"hours": 10, "flag": "bored"}}, "step ask: bored is no reason for a flag"),
        ({"steps": {"Ask": {}}}, "step Ask: a name is written in small letters"),
        ({"steps": {"ask": "yes"}}, "step ask: must be a table"),
        ({"steps": {"ask": {"flag": "bored"}}}, "step ask: bored is no reason for a flag"),
        ({"steps": {"ask": {"answers": {}}}}, "step ask: answers needs `expects`"),
        ({"steps": {"ask": {"expects": "gold"}}}, "step ask: expects must be"),
        ({"steps": {"ask": {"expects": "scale:5-1"}}}, "step ask: expects must be"),
        ({"steps": {"ask": {"expects": "menu", "options": ["one"]}}}, "step ask: a menu needs 2 to 30 options"),
        ({"steps": {"ask": {"expects": "menu", "options": ["one", 2]}}}, "step ask: a menu needs 2 to 30 options"),
        ({"steps": {"ask": {"expects": "yes_no", "options": ["a", "b"]}}}, "step ask: only a menu has options"),
        ({"steps": {"ask": {"expects": "scale:1-5", "answers": {"6": "ask"}}}}, "step ask: 6 is no answer to it"),
        ({"steps": {"ask": {"expects": "scale:1-5", "answers": {"1-3": "ask", "3-5": "ask"}}}}, "step ask: 3 is named twice"),
        ({"steps": {"ask": {"expects": "scale:1-5", "answers": {"5-1": "ask"}}}}, "step ask: 5-1 is no answer to it"),
        ({"steps": {"ask": {"expects": "yes_no", "answers": {"yes": 1}}}}, "step ask: what follows yes must be"),
        ({"steps": {"ask": ASK}}, "step ask: yes leads to good, which is no step"),
        ({"steps": {"ask": {"inform": "ask"}}}, "step ask: ask is no menu to take a topic from"),
    ],
)
def test_a_broken_dialogue_is_refused_with_file_step_and_reason(change: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refused:
        dialogues.parse("odd", WHOLE | change, {})
    assert str(refused.value).startswith("dialogues/odd/dialogue.toml")
    assert said in str(refused.value)


def test_a_question_must_say_what_silence_leads_to() -> None:
    with pytest.raises(Refused, match="step ask: silence is missing"):
        dialogues.parse("odd", {"source": "", "consent": "check_in", "steps": STEPS}, {})


@pytest.mark.parametrize(("text", "said"), [("hello\n[ask]", r"begins without a \[step\]"), ("[ask]\na\n[ask]\nb", "step ask: is there twice")])
def test_a_broken_text_file_is_refused_with_its_name(text: str, said: str) -> None:
    with pytest.raises(Refused, match=f"dialogues/odd/en.txt.*{said}"):
        dialogues.parse("odd", WHOLE, {"en": text})


def test_a_text_that_is_not_written_is_never_sent_empty() -> None:
    with pytest.raises(Refused, match=r"no text \[good\]"):
        dialogues.parse("odd", WHOLE, {"en": "[ask]\nWell?"}).text("en", "good")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 9) | st.sampled_from(["", "ask", "good", "yes_no", "menu", "scale:1-3", "date", "1-2", "any"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["ask", "good", "expects", "options", "answers", "silence", "hours", "remind", "flag", "yes", "any", "1"]), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["source", "consent", "urgency", "first", "silence", "placeholders"]), ANYTHING), ANYTHING)
def test_no_data_at_all_breaks_reading(top: dict[str, Any], steps: Any) -> None:
    try:
        dialogue = dialogues.parse("odd", WHOLE | top | {"steps": steps}, {"en": GOOD})
    except Refused:
        return
    dialogues.lint(dialogue, {})
    dialogues.draw(dialogue)
