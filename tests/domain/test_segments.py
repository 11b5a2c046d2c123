import unicodedata

import pytest
import smsutil  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import segments
from gateway.domain.segments import Segments

TONES = "Nhắc bạn: lịch hẹn lúc 9 giờ ngày mai tại trạm y tế. Trả lời 1 để xác nhận, 2 để đổi."

gsm_texts = st.text(st.sampled_from(sorted(segments.GSM)), max_size=700)
mixed_texts = st.text(
    st.sampled_from("abc ^{}€é\n" * 3 + "đờắ😀") | st.characters(exclude_categories=["Cs"]), max_size=400
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 1, 0)),
        ("a" * 160, Segments("GSM-7", 1, 160)),
        ("a" * 161, Segments("GSM-7", 2, 161)),
        ("a" * 306, Segments("GSM-7", 2, 306)),
        ("a" * 307, Segments("GSM-7", 3, 307)),
        ("a" * 39015, Segments("GSM-7", 255, 39015)),
        ("ờ" * 70, Segments("UCS-2", 1, 70)),
        ("ờ" * 71, Segments("UCS-2", 2, 71)),
        ("ờ" * 134, Segments("UCS-2", 2, 134)),
        ("ờ" * 135, Segments("UCS-2", 3, 135)),
    ],
)
def test_parts_hold_160_then_153_or_70_then_67(text: str, expected: Segments) -> None:
    assert segments.count(text) == expected


def test_an_escape_costs_two_septets_under_gsm_7_and_one_unit_under_ucs_2() -> None:
    assert segments.count("\f^{}\\[~]|€") == Segments("GSM-7", 1, 20)
    assert segments.count("\f^{}\\[~]|€ờ") == Segments("UCS-2", 1, 11)
    assert segments.count("€" * 80) == Segments("GSM-7", 1, 160)
    assert segments.count("€" * 81) == Segments("GSM-7", 2, 162)


def test_an_escape_does_not_straddle_two_parts() -> None:
    assert segments.count("a" * 152 + "€" + "a" * 151) == Segments("GSM-7", 2, 305)
    assert segments.count("a" * 152 + "€" + "a" * 152) == Segments("GSM-7", 3, 306)
    assert segments.count("€" * 153) == Segments("GSM-7", 3, 306)


def test_a_surrogate_pair_does_not_straddle_two_parts() -> None:
    assert segments.count("ờ" * 66 + "😀" + "ờ" * 65) == Segments("UCS-2", 2, 133)
    assert segments.count("ờ" * 66 + "😀" + "ờ" * 66) == Segments("UCS-2", 3, 134)
    assert segments.count("😀" * 35) == Segments("UCS-2", 1, 70)
    assert segments.count("😀" * 67) == Segments("UCS-2", 3, 134)


def test_a_single_message_may_end_with_an_escape_at_its_last_septet() -> None:
    assert segments.count("a" * 158 + "€") == Segments("GSM-7", 1, 160)
    assert segments.count("ờ" * 68 + "😀") == Segments("UCS-2", 1, 70)


def test_the_text_is_counted_in_nfc() -> None:
    apart = unicodedata.normalize("NFD", TONES)
    assert len(apart) > len(TONES)
    assert segments.count(apart) == segments.count(TONES)
    assert segments.count("e\u0301\u2126") == Segments("GSM-7", 1, 2)  # é and Ω, the ohm sign's NFC


@pytest.mark.parametrize(
    "character", ["\x1b", "\t", "\0", "`", "ç", "Á", "\xa0", "’", "đ", "\ud800", "\ufeff"]
)
def test_a_character_outside_the_alphabet_moves_the_text_to_ucs_2(character: str) -> None:
    assert segments.count("a" * 70 + character) == Segments("UCS-2", 2, 71)
    assert segments.forcing(f"a{character}b{character}") == [character]


def test_line_ends_and_capital_c_cedilla_are_in_the_alphabet() -> None:
    assert segments.count("\r\nÇ") == Segments("GSM-7", 1, 3)


@given(gsm_texts | mixed_texts)
def test_counting_agrees_with_another_implementation(text: str) -> None:
    text = unicodedata.normalize("NFC", text)
    if not text or "\x1b" in text:  # smsutil takes these for UCS-2 and GSM-7
        return
    split = smsutil.split(text)
    counted = segments.count(text)
    assert counted.encoding == {"gsm0338": "GSM-7", "utf_16_be": "UCS-2"}[split.encoding]
    assert counted.segments == len(split.parts)
    assert counted.units == split.total_bytes // {"GSM-7": 1, "UCS-2": 2}[counted.encoding]


@given(st.text())
def test_any_text_is_counted_and_never_takes_less_than_its_units_need(text: str) -> None:
    counted = segments.count(text)
    joined = 153 if counted.encoding == "GSM-7" else 67
    assert counted.segments == 1 or counted.segments >= -(-counted.units // joined)
    assert bool(segments.forcing(text)) == (counted.encoding == "UCS-2")


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("3:30\u202fPM", "3:30 PM"),
        ("1\xa0000\u2009km", "1 000 km"),
        ("don’t — “wait”…", 'don\'t - "wait"...'),
        ("\ufeffa\u200bb\u00adc\u200e", "abc"),
        ("a\tb\r\nc\u2028d\0", "a b\nc\nd"),
        ("e\u200b\u0301", "é"),
        ("ﬁn", "fin"),
    ],
)
def test_tidying_makes_typography_plain(text: str, plain: str) -> None:
    assert segments.tidy(text) == plain
    assert segments.count(segments.tidy(text)).encoding == "GSM-7"


def test_tidying_leaves_letters_emoji_and_other_scripts_whole() -> None:
    for text in (TONES, "👩‍⚕️", "می‌خواهم", "français œuvre"):
        assert segments.tidy(text) == text


@given(st.text())
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    tidied = segments.tidy(text)
    assert segments.tidy(tidied) == tidied


def test_folding_drops_every_mark_and_keeps_every_letter() -> None:
    assert segments.fold("Được Đà Nẵng ờ ắ ỹ") == "Duoc Da Nang o a y"
    assert segments.fold(unicodedata.normalize("NFD", "Nguyễn")) == "Nguyen"
    assert segments.fold("Ðà cœur") == "Da coeur"
    assert segments.fold("a😀한") == "a😀한"


@given(
    st.text(
        st.sampled_from("aăâđeêioôơuưyĐƯỚỆ \u0301\u0323\u031b") | st.characters(exclude_categories=["Cs"])
    )
)
def test_folding_is_the_same_for_nfc_and_nfd_and_never_writes_a_question_mark(text: str) -> None:
    folded = segments.fold(text)
    assert folded == segments.fold(unicodedata.normalize("NFD", text)) == segments.fold(folded)
    assert folded.count("?") == text.count("?")


def test_folding_for_sending_happens_only_as_chosen() -> None:
    assert segments.cheapest(TONES, "never") == TONES
    assert segments.cheapest(TONES, "saves") == segments.fold(TONES)
    assert segments.cheapest("Đã ghi", "saves") == "Đã ghi"  # one part either way: the tones stay
    assert segments.cheapest("Đã ghi", "always") == "Da ghi"


def test_folding_to_save_leaves_a_text_whole_that_stays_ucs_2() -> None:
    hindi = "नमस्ते " * 12
    assert segments.cheapest(hindi, "saves") == segments.tidy(hindi)
    assert segments.cheapest(TONES + "😀", "saves") == TONES + "😀"


@given(mixed_texts)
def test_folding_to_save_never_takes_more_parts(text: str) -> None:
    assert (
        segments.count(segments.cheapest(text, "saves")).segments
        <= segments.count(segments.tidy(text)).segments
    )
