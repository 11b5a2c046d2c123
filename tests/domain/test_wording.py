from dataclasses import replace
from typing import Any

import pytest

from gateway.domain import wording
from gateway.domain.interpret import Expecting, Meaning
from gateway.domain.templates import About, Template
from gateway.domain.wording import Language

ENGLISH = Language(
    "en",
    "English",
    "en_GB",
    "EEEE",
    "d MMMM",
    "h:mma",
    frozenset(),
    0,
    {"time": "12:30pm", "first_name": "Christopher"},
    ("drug",),
)
VIETNAMESE = replace(ENGLISH, code="vi", letters=frozenset("ạắấễờảẹ"), extra_segments=1)
FORBIDDEN = ("ma túy", "thuốc", "addict*", "thérap*")


def read(text: str, expecting: Expecting) -> Meaning:
    """A stand-in with four words; "cancel" is only doubtful."""
    known = {"stop": "stop", "stop all": "stop", "wrong": "wrong_number"}
    doubt = "stop" if text.casefold() == "drop it" else None
    return Meaning(known.get(text.casefold(), "other"), doubt=doubt)


def findings(
    body: str, language: Language = ENGLISH, open_body: str | None = None, **about: Any
) -> list[str]:
    known = replace(About("answer", "at_most_once", ""), **about)
    template = Template("visit", language.code, body, known, "v1", open_body)
    return [finding.what for finding in wording.lint(template, language, read)]


def only(body: str, language: Language = ENGLISH, **about: Any) -> str:
    [finding] = findings(body, language, **about)
    return finding


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Ma túy", ["ma túy"]),
        ("MA  TUY", ["ma  tuy"]),
        ("ma tu\u0301y", ["ma túy"]),
        ("thuốc và thuoc", ["thuốc", "thuoc"]),
        ("quyền thuộc về bạn", []),  # folds to "thuoc" too
        ("addiction, addicted", ["addiction", "addicted"]),
        ("maddict", []),
        ("Thérapie, therapeute", ["thérapie", "therapeute"]),
    ],
)
def test_forbidden_words_are_found_with_and_without_tones(text: str, found: list[str]) -> None:
    assert wording.forbidden_in(text, FORBIDDEN) == found


def test_an_empty_list_forbids_nothing() -> None:
    assert wording.forbidden_in("anything", ()) == []


def test_a_plain_text_has_no_findings() -> None:
    assert findings("See you at {time}.", placeholders=("time",)) == []


def test_a_forbidden_word_is_named() -> None:
    assert only("About a drug.").startswith("says 'drug'")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("At {time}, {zone}.", "{zone} is not among"),
        ("See you.", "{time} of about.toml is missing"),
        ("At {time} {Zone}.", "holds a brace"),
        ("At {time} {}.", "holds a brace"),
        ("At\n{time}.", "holds a line break"),
    ],
)
def test_placeholders_are_those_of_about_toml(body: str, said: str) -> None:
    assert (
        said
        in findings(body, replace(ENGLISH, longest={"time": "9", "zone": "x"}), placeholders=("time",))[0]
    )


def test_open_texts_have_their_own_placeholders_and_limit() -> None:
    body, open_body = "See you.", "See you, {first_name}. " + "x" * 140
    assert findings(body, open_body=open_body, open_placeholders=("first_name",), open_segments=2) == []
    assert (
        "takes 2 GSM-7 segments" in findings(body, open_body=open_body, open_placeholders=("first_name",))[0]
    )


@pytest.mark.parametrize("body", ["It’s here.", "Now – then.", "9\u202fam", "caf\u0065\u0301"])
def test_what_a_word_processor_slipped_in_is_accidental(body: str) -> None:
    assert "by accident" in only(body)


def test_letters_of_the_language_are_deliberate_and_other_letters_are_not() -> None:
    assert findings("Bạn ờ.", VIETNAMESE) == []
    assert "ờ (U+1EDD)" in only("Bạn ờ.", replace(VIETNAMESE, letters=frozenset("ạ")))


def test_length_is_judged_at_the_longest_values_with_tones_and_without() -> None:
    assert findings("x" * 153 + "{time}", placeholders=("time",)) == []
    assert [f.split(":")[0] for f in findings("x" * 154 + "{time}", placeholders=("time",))] == [
        "takes 2 GSM-7 segments (161 units) at the longest values, 1 are allowed",
        "takes without tones 2 GSM-7 segments (161 units) at the longest values, 1 are allowed",
    ]


def test_tones_may_cost_what_the_language_allows() -> None:
    assert findings("ạ" * 134, VIETNAMESE) == []
    assert "takes 3 UCS-2 segments" in only("ạ" * 135, VIETNAMESE)


def test_a_placeholder_without_a_longest_value_cannot_be_judged() -> None:
    assert "no longest value for hours" in only("Open {hours}.", placeholders=("hours",))


def test_a_word_in_capitals_must_do_what_the_text_promises() -> None:
    assert findings("[QC] No more: reply STOP.", keywords=("stop",)) == []
    assert (
        "teaches 'NIX', which is understood as 'other'"
        in findings("No more: reply NIX.", keywords=("stop",))[0]
    )
    assert "teaches no word for 'wrong_number'" in only("Reply STOP.", keywords=("stop", "wrong_number"))


def test_a_question_says_what_each_figure_means() -> None:
    assert "does not say what 2 means" in only("Coming? Reply 1.", expects="yes_no")
    assert "does not say what 3 means" in only("Reply 1 good, 2 fair, 30 bad.", expects="scale:1-3")
    assert findings("Reply 1 when you can read it.", expects="ready") == []


@pytest.mark.parametrize("word", ["Yes", "START", "cancel", "quit", "stop", "drop it"])
def test_a_question_holds_no_word_that_does_something_else_when_typed_back(word: str) -> None:
    assert f"asks with {word!r}" in "".join(
        findings(f"Coming? Reply 1 or {word}, 2 for later.", expects="yes_no")
    )


def test_a_question_about_stopping_may_say_stop() -> None:
    assert findings("Reply 1 to stop all texts, 2 to keep them.", expects="yes_no", keywords=("stop",)) == []


def test_missing_languages_are_found_for_both_texts() -> None:
    about = About("answer", "at_most_once", "")
    library = {
        ("a", "en"): Template("a", "en", "A", about, "v1", "Open A"),
        ("a", "vi"): Template("a", "vi", "A", about, "v1"),
        ("b", "en"): Template("b", "en", "B", about, "v1"),
    }
    found = wording.lint_library(library, {"en": ENGLISH, "vi": VIETNAMESE}, {"en": read, "vi": read})
    assert [finding.where for finding in found] == [
        "templates_sms/a/vi.open.txt",
        "templates_sms/b/vi.txt",
    ]


def test_a_language_without_word_lists_is_found_and_the_rest_still_checked() -> None:
    library = {
        ("a", "en"): Template("a", "en", "A drug", About("answer", "at_most_once", "", "yes_no"), "v1")
    }
    found = [str(finding.where) for finding in wording.lint_library(library, {"en": ENGLISH}, {})]
    assert found == ["locales/en/words.toml", "templates_sms/a/en.txt"]
