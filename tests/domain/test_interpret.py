"""What a reply means, on the lists the gateway ships."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import content
from gateway.domain import interpret
from gateway.domain.errors import Refused
from gateway.domain.interpret import Expecting, Meaning, settle
from gateway.domain.interpret.phrases import Text
from gateway.domain.interpret.witness import HIDDEN, MOST, OUTCOMES, SPEAKS, ZERO, Witness

LEXICONS = content.load().lexicons


def understood(text: str, language: str = "en", expecting: str = "none") -> Meaning:
    return interpret.interpret(text, LEXICONS, language, Expecting.parse(expecting))


STOPS = "stop.; STOP ;Stop please;dừng lại;TC;HUY;STОP;STOP 🛑;opt out;revoke;S T O P;s.t.o.p;stoooop;st0p;“stop”;SТOP;s\u200btop"


@pytest.mark.parametrize("text", STOPS.split(";"))
@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_whole_message_of_a_stop_word_stops(text: str, language: str) -> None:
    english_only = text in ("opt out", "revoke", "st0p", "Stop please")
    vietnamese_only = text in ("dừng lại", "TC", "HUY")
    if (language == "vi" and english_only) or (language == "en" and vietnamese_only):
        language = "en" if english_only else "vi"
    assert understood(text, language).meaning == "stop"


@pytest.mark.parametrize("expecting", ["yes_no", "scale:1-5", "menu:1-4", "appointment", "ready"])
def test_stop_wins_over_an_open_question(expecting: str) -> None:
    assert understood("STOP", "en", expecting).meaning == "stop"
    assert understood("ngừng nhắn tin", "vi", expecting).meaning == "stop"


@pytest.mark.parametrize(
    "text",
    [
        "which bus stop", "We have got to STOP this terrible bill", "stopped smoking", "dont stop texting me",
        "the weekend", "We must stop this pain",
    ],
)  # fmt: skip
def test_a_stop_inside_a_sentence_about_something_else_stops_nothing(text: str) -> None:
    assert understood(text).meaning == "other"


def test_crisis_wins_over_everything_and_keeps_the_stop() -> None:
    both = understood("STOP I want to die")
    assert (both.meaning, both.also) == ("crisis", ("stop",))
    for expecting in ("yes_no", "scale:1-5", "appointment"):
        assert understood("1 toi muon chet", "vi", expecting).meaning == "crisis"


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_a_stop_and_a_cry_for_help_are_both_heard_in_every_clients_language(language: str) -> None:
    both = understood("STOP I want to die", language)
    assert (both.meaning, both.also) == ("crisis", ("stop",))


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
@pytest.mark.parametrize(
    "text", ["revoke", "optout", "opt out", "unsubscribe", "STOPALL", "🛑", "quit", "end", "cancel"]
)
def test_the_carriers_words_stop_in_every_language(text: str, language: str) -> None:
    assert understood(text, language).meaning == "stop"


def settled(rules: Meaning, **chances: float) -> Meaning:
    told = dict.fromkeys(OUTCOMES, 0.0) | {
        name.replace("may_", "?"): chance for name, chance in chances.items()
    }
    return settle.settle(rules, told, Text((), ()), Expecting("none"), denies_stop=False)


def test_two_doubts_are_both_kept() -> None:
    meaning = settled(Meaning("other", doubt="crisis"), other=0.4, may_crisis=0.3, may_stop=0.3)
    assert (meaning.meaning, meaning.doubt, meaning.also_doubt) == ("other", "crisis", "stop")


def test_a_doubt_says_which_words_raised_it() -> None:
    assert "cant go on" in understood("cant go on like this").why
    assert "khong biet lam gi nua" in understood("e k bit lam j nua, chac di luon", "vi").why


def test_what_the_rules_call_danger_or_a_stop_stays_at_least_in_doubt() -> None:
    for certain in ("crisis", "stop"):
        meaning = settled(Meaning(certain), other=1.0)
        assert (meaning.meaning, meaning.doubt) == ("other", certain)


@pytest.mark.parametrize("text", ["info3", "INFO 3 please", "tt 3"])
def test_the_number_of_a_service_is_read_in_every_way(text: str) -> None:
    meaning = understood(text)
    assert (meaning.meaning, meaning.value) == ("info", 3)


def test_what_the_clients_own_language_denies_or_explains_another_does_not_assert() -> None:
    assert understood("dont stop the messages i like them").meaning == "other"
    assert understood("overdose training was good on tuesday").meaning == "other"


def test_a_southern_i_is_not_a_gang() -> None:
    assert understood("tui sẽ tới", "vi", "appointment").meaning == "yes"
    assert understood("tụi giang hồ tới đòi chém", "vi").meaning == "crisis"


def test_an_idiom_does_not_hide_the_danger_told_between_its_words() -> None:
    assert understood("no doi giet em", "vi").meaning == "crisis"  # nó đòi giết em, not nợ … em


def test_asking_for_texts_again_is_no_stop() -> None:
    meaning = understood("je veux recevoir les messages a nouveau", "fr")
    assert (meaning.meaning, meaning.doubt) == ("start", None)


def test_an_answer_with_a_request_stays_an_answer() -> None:
    meaning = understood("5 and call me", "en", "scale:0-10")
    assert (meaning.meaning, meaning.value, meaning.also) == ("number", 5, ("callback",))


@pytest.mark.parametrize("text", ["please dont stop sending them", "which bus stop"])
def test_what_denies_a_stop_is_never_one(text: str) -> None:
    assert understood(text).meaning == "other"


@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_a_figure_or_a_plain_word_is_decided_by_the_rules_alone(language: str) -> None:
    alone = {code: replace(lexicon, witness=None) for code, lexicon in LEXICONS.items()}
    for text, expecting in (("3", "scale:1-5"), ("STOP", "yes_no"), ("1", "appointment"), ("ok", "yes_no")):
        asked = Expecting.parse(expecting)
        assert understood(text, language, expecting) == interpret.interpret(text, alone, language, asked)


@pytest.mark.parametrize(
    "text",
    [
        "toi muon chet",
        "tôi muốn chết",
        "muoons cheets",
        "muo61n che61t",
        "MUONCHET",
        "to\u0302i muo\u0302\u0301n che\u0302\u0301t",
    ],
)
def test_a_cry_for_help_is_heard_however_it_is_typed(text: str) -> None:
    assert understood(text, "vi").meaning == "crisis"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("tu tu", "vi"),
        ("chet", "vi"),
        ("soc", "vi"),
        ("I dont want to die", "en"),
        ("toi khong muon chet", "vi"),
    ],
)
def test_ambiguous_or_denied_words_of_danger_are_left_in_doubt(text: str, language: str) -> None:
    meaning = understood(text, language)
    assert (meaning.meaning, meaning.doubt) == ("other", "crisis")


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("tu tu em tra loi", "vi"), ("met muon chet", "vi"), ("từ từ rồi tính", "vi"), ("dying to see you", "en"),
        ("mort de rire", "fr"), ("je suis à l'arrêt de bus", "fr"), ("anh da noi em roi", "vi"),
        ("em se thieu tien nha", "vi"), ("so nay cua nguoi khac", "vi"), ("em can tu van", "vi"),
    ],
)  # fmt: skip
def test_an_idiom_or_a_word_spelt_alike_is_no_cry_for_help(text: str, language: str) -> None:
    meaning = understood(text, language)
    assert meaning.meaning != "crisis"
    assert meaning.doubt is None


@pytest.mark.parametrize(("text", "language"), [("ngừng", "en"), ("dung lai", "fr"), ("tu choi", "en"), ("ARRET", "vi"), ("arrêt", "en")])
def test_a_stop_in_another_language_than_the_clients_pauses_and_is_asked_about(text: str, language: str) -> None:
    assert understood(text, language).doubt == "stop"


@pytest.mark.parametrize(("text", "language"), [("tc", "en"), ("huy", "fr"), ("ok thanks", "vi"), ("xin chao", "en"), ("bonjour", "vi")])
def test_a_short_word_or_a_greeting_of_another_language_pauses_nothing(text: str, language: str) -> None:
    assert understood(text, language).doubt is None


def test_a_cry_for_help_is_heard_in_another_language_than_the_clients() -> None:
    assert understood("I want to kill myself", "vi").meaning == "crisis"
    assert understood("tôi muốn chết", "en").meaning == "crisis"


def test_bare_dung_stops_only_while_nothing_is_asked() -> None:
    assert understood("dung", "vi").meaning == "stop"
    for question in ("yes_no", "appointment", "scale:1-5"):  # đúng or dừng: we ask once
        asked = understood("dung", "vi", question)
        assert (asked.meaning, asked.doubt) == ("other", "stop")
    assert understood("dung roi", "vi", "yes_no").meaning == "yes"
    assert understood("dung roi", "vi").meaning == "other"


def test_a_name_that_looks_like_stop_stops_nothing() -> None:
    for text in ("em Huy ne", "toi la Dung", "anh Dũng đây"):
        assert understood(text, "vi").meaning == "other"


@pytest.mark.parametrize(
    ("text", "meaning"), [("1", "yes"), ("2", "reschedule"), ("3", "no"), ("4", "other")]
)
def test_the_figures_of_a_visit(text: str, meaning: str) -> None:
    assert understood(text, "vi", "appointment").meaning == meaning


@pytest.mark.parametrize(("text", "language"), [("huy", "vi"), ("cancel", "en"), ("huy lich hen", "vi")])
def test_cancelling_while_a_visit_is_asked_about_means_the_visit(text: str, language: str) -> None:
    meaning = understood(text, language, "appointment")
    assert meaning.meaning == "no"
    assert "meant the visit?" in meaning.why


@pytest.mark.parametrize("text", ["yes", "no", "3", "ok", "có", "không", "oui"])
@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_answers_mean_nothing_while_nothing_is_asked(text: str, language: str) -> None:
    meaning = understood(text, language)
    assert (meaning.meaning, meaning.doubt) == ("other", None)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("3/5", 3),
        ("3 out of 5", 3),
        ("three", 3),
        ("３", 3),
        ("3️⃣", 3),
        ("3 please", 3),
        ("3, bit tired", 3),
    ],
)
def test_a_clear_number_in_range(text: str, value: int) -> None:
    meaning = understood(text, "en", "scale:1-5")
    assert (meaning.meaning, meaning.value) == ("number", value)


@pytest.mark.parametrize("text", ["9", "2 or 3", "2-3", "3.5", "3 kids", "not 3", "yes", "33", "9" * 5000])
def test_no_clear_number_is_no_answer(text: str) -> None:
    assert understood(text, "en", "scale:1-5").meaning == "other"


def test_the_ping_is_answered_by_one_or_yes() -> None:
    assert understood("1", "en", "ready").meaning == "yes"
    assert understood("yes", "en", "ready").meaning == "yes"
    assert understood("2", "en", "ready").meaning == "other"


def test_a_question_mark_makes_yes_no_answer() -> None:
    assert understood("yes?", "en", "yes_no").meaning == "other"


def test_an_answer_and_a_request_are_both_kept() -> None:
    meaning = understood("yes can someone call me", "en", "yes_no")
    assert (meaning.meaning, meaning.also) == ("yes", ("callback",))


def test_language_words_give_the_language() -> None:
    assert [understood(word).value for word in ("VI", "EN", "FR")] == ["vi", "en", "fr"]


def test_a_numbered_service_is_asked_for() -> None:
    assert understood("TT 2", "vi") == Meaning("info", 2, why="asks for a numbered service: “tt”")


def test_the_reason_repeats_nothing_but_words_of_the_lists() -> None:
    meaning = understood("Ngyuenthi muon noi chuyen voi Zzyzx 0912345678", "vi")
    assert meaning.meaning == "callback"
    assert "yz" not in meaning.why
    assert "0912" not in meaning.why


ODD = [
    "", " ", "\x00", "\ud800", "\u202eSTOP", "a" * 10_000, "tu tu " * 2000, "s\u0300" * 5000, "😂" * 10_000,
    base64.b64encode(b"\xff" * 7000).decode(), "\ufdfa" * 10_000, "'" * 999, "1 2 " * 3000, "@" * 9999, "1/" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("expecting", ["none", "yes_no", "scale:0-100", "menu:1-4", "appointment", "ready"])
def test_the_oddest_text_gets_an_answer(expecting: str) -> None:
    for text in ODD:
        assert understood(text, "vi", expecting).meaning in interpret.MEANINGS


def test_a_cry_for_help_is_found_in_the_middle_of_a_long_text() -> None:
    text = (
        "the bus was late and then we had chips " * 30
        + "i want to kill myself "
        + "we went home to watch telly " * 60
    )
    assert understood(text).meaning == "crisis"


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=300),
    st.sampled_from(["en", "vi", "fr", "xx"]),
    st.sampled_from(["none", "yes_no", "scale:1-5", "appointment"]),
)
def test_every_text_gets_the_same_answer_twice(text: str, language: str, expecting: str) -> None:
    meaning = understood(text, language, expecting)
    assert meaning == understood(text, language, expecting)
    assert meaning.meaning in interpret.MEANINGS
    assert meaning.doubt in (None, "stop", "crisis")
    assert meaning.why


@pytest.mark.parametrize("text", ["none", "yes_no", "scale:1-5", "menu:1-4", "appointment", "ready"])
def test_what_was_asked_reads_back_as_it_was_written(text: str) -> None:
    assert str(Expecting.parse(text)) == text


@pytest.mark.parametrize("text", ["", "scale", "scale:5-1", "scale:a-b", "maybe"])
def test_what_cannot_be_asked_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        Expecting.parse(text)


@pytest.mark.parametrize(
    "data",
    [
        {"stop": {"whole": ["@nobody"]}},
        {"stop": {"wholes": ["x"]}},
        {"stopp": {}},
        {"stop": {"whole": ["x .."]}},
    ],
)
def test_a_list_that_cannot_be_read_is_refused_by_name(data: dict[str, dict[str, list[str]]]) -> None:
    with pytest.raises(Refused):
        interpret.lexicon("en", data)


def test_every_list_says_who_signed_it() -> None:
    for lexicon in LEXICONS.values():
        assert {"stop", "crisis", "yes", "no", "idioms"} <= set(lexicon.signatures)
        assert set(lexicon.signatures.values()) == {interpret.UNSIGNED}


def test_a_cry_for_help_is_not_lost_among_other_sentences() -> None:
    words = "I want to kill myself. it was a nice day"
    lexicons = content.load().lexicons
    meaning = interpret.interpret(words, lexicons, "en", interpret.Expecting("none"))
    assert "crisis" in (meaning.meaning, meaning.doubt)


@given(st.lists(st.integers(-MOST, MOST), min_size=HIDDEN + len(OUTCOMES), max_size=HIDDEN + len(OUTCOMES)))
def test_what_was_learnt_is_read_as_it_was_written_each_weight_in_a_lane_of_its_own(weights: list[int]) -> None:
    said = [f"{SPEAKS}\t" + " ".join(["0"] * len(OUTCOMES))] * HIDDEN
    english = LEXICONS["en"].witness
    assert english is not None
    read = Witness(english.classes, lambda: [*said, "w\t" + "".join(chr(ZERO + each) for each in weights)]).learnt
    assert read.weights == {"w": sum(weight << (20 * at) for at, weight in enumerate(weights))}
