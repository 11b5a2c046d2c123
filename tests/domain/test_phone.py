import re
import unicodedata

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import phone
from gateway.domain.errors import Refused
from gateway.domain.phone import LOST_ZERO, OLD_VIETNAM, Phone, PhoneRefused


def refusal(text: str, region: str = "VN") -> str:
    with pytest.raises(PhoneRefused) as refused:
        phone.parse(text, region)
    return str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "0912345678",
        "0912 345 678",
        "0912.345.678",
        "0912-345-678",
        "0912‐345–678",
        "(0912) 345/678",
        "0912,345,678",
        "0912\xa0345\u202f678",
        "\u200e+84 912 345 678\u202c",
        "0912\u200b345678\ufeff",
        "０９１２３４５６７８",
        "＋８４ ９１２ ３４５ ６７８",
        "٠٩١٢٣٤٥٦٧٨",
        "+84912345678",
        "+84 (0)912 345 678",
        "+840912345678",
        "(+84) 912345678",
        "84912345678",
        "840912345678",
        "0084912345678",
        "084912345678",
        "0840912345678",
        "'+84912345678",
        '="0912345678"',
        "84912345678.0",
        "SĐT: 0912 345 678",
        unicodedata.normalize("NFD", "sđt0912345678"),
        "tel:+84912345678",
        "0912345678 (mẹ)",
    ],
)
def test_the_ways_people_write_a_number_are_one_number(text: str) -> None:
    assert phone.parse(text, "VN") == Phone("+84912345678", None)


@pytest.mark.parametrize(
    "text",
    [
        "07911 123456",
        "+44 (0)7911 123456",
        "+44 07911 123456",
        "0044 7911 123456",
        "447911123456",
        "0447911123456",
    ],
)
def test_british_numbers_are_read_alike(text: str) -> None:
    assert phone.parse(text, "GB") == Phone("+447911123456", None)


@pytest.mark.parametrize("old", OLD_VIETNAM)
@pytest.mark.parametrize(
    "before", ["0", "+84", "84", "0084", "084", "+84 (0)", "840", "+84 0"], ids=lambda before: f"[{before}]"
)
def test_an_old_vietnamese_number_moves_to_its_new_prefix(old: str, before: str) -> None:
    read = phone.parse(f"{before}{old} 123 4567", "VN")
    assert read == Phone(
        f"+84{OLD_VIETNAM[old]}1234567", f"the old prefix 0{old} became 0{OLD_VIETNAM[old]} in 2018"
    )


def test_the_table_has_the_21_prefixes_and_each_leads_to_another() -> None:
    assert len(OLD_VIETNAM) == len(set(OLD_VIETNAM.values())) == 21


def test_an_old_number_is_moved_from_abroad_too() -> None:
    assert phone.parse("+84 168 123 4567", "GB").e164 == "+84381234567"


def test_a_lost_leading_zero_is_put_back_and_said() -> None:
    assert phone.parse("912345678", "VN") == Phone("+84912345678", LOST_ZERO)
    assert phone.parse("912345678.0", "VN") == Phone("+84912345678", LOST_ZERO)
    assert phone.parse("7911123456", "GB") == Phone("+447911123456", LOST_ZERO)
    both = phone.parse("1681234567", "VN")
    assert both.e164 == "+84381234567"
    assert both.changed and LOST_ZERO in both.changed and "0168" in both.changed


def test_the_vinaphone_prefix_084_is_not_the_country_code() -> None:
    assert phone.parse("0844666531", "VN") == Phone("+84844666531", None)
    assert phone.parse("844666531", "VN") == Phone("+84844666531", LOST_ZERO)
    assert phone.parse("84844666531", "VN") == Phone("+84844666531", None)
    assert phone.parse("084844666531", "VN") == Phone("+84844666531", None)
    refusal("+844666531")


@pytest.mark.parametrize(
    ("text", "region", "reason"),
    [
        ("", "VN", "empty"),
        ("\xa0 \u200b", "VN", "empty"),
        ("không có", "VN", "no digits"),
        ("115", "VN", "emergency"),
        ("+84115", "VN", "emergency"),
        ("9 9 9", "GB", "emergency"),
        ("8088", "VN", "short code"),
        ("118 118", "GB", "short code"),
        ("1900 1234", "VN", "premium"),
        ("1900 123456", "VN", "premium"),
        ("0906 123 4567", "GB", "premium"),
        ("1800 1234", "VN", "free-phone"),
        ("0800 1111", "GB", "free-phone"),
        ("024 3825 1234", "VN", "fixed line"),
        ("2438251234", "VN", "fixed line"),
        ("+84 24 3825 1234", "VN", "fixed line"),
        ("020 7946 0000", "GB", "fixed line"),
        ("0300 123 4567", "GB", "company"),
        ("0843 123 4567", "GB", "shared-cost|premium"),
        ("070 1234 5678", "GB", "follow-me"),
        ("076 4012 3456", "GB", "pager"),
        ("056 1234 5678", "GB", "internet phone"),
        ("0912 345 67", "VN", "too few|No such"),
        ("0912 345 6789", "VN", "too many|No such"),
        ("0121 012 345", "VN", "No such"),
        ("+84 9123456789012", "VN", "too many"),
        ("+999 123456", "VN", "No country"),
        ("+0912345678", "VN", "No country"),
        ("09123456780987654321", "VN", "too many"),
        ("09l2345678", "VN", "letters"),
        ("0912345678²", "VN", "letters"),
        ("8.49123E+10", "VN", "rounded"),
        ("8,49123E+10", "VN", "rounded"),
        ("*101#", "VN", "a code to dial"),
        ("0912345678 / 0987654321", "VN", "more than one"),
        ("0912345678/79", "VN", "more than one"),
        ("0912345678 ext 5", "VN", "more than one"),
    ],
)
def test_what_must_not_be_texted_is_refused_with_its_reason(text: str, region: str, reason: str) -> None:
    assert re.search(reason, refusal(text, region))


def test_a_number_that_is_fixed_or_mobile_is_taken() -> None:
    assert phone.parse("+1 650 253 0000", "VN") == Phone("+16502530000", None)


def test_the_numbers_ofcom_keeps_for_examples_are_taken() -> None:
    assert phone.parse("07700 900123", "GB") == Phone("+447700900123", None)
    refusal("07700 200123", "GB")


@pytest.mark.parametrize(
    "cell",
    [
        "0912345678 / 0987 654 321",
        "0912345678,0987654321",
        "0912.345.678 0987.654.321",
        "0912345678-0987654321",
        "0912345678\n0987654321",
        "Bố: 0912 345 678 - mẹ: 0987 654 321",
        "0912345678 hoặc 84987654321; 0912 345 678",
        "0912345678+84987654321",
    ],
)
def test_several_numbers_in_a_cell_are_told_apart(cell: str) -> None:
    assert phone.parse_cell(cell, "VN") == ([Phone("+84912345678"), Phone("+84987654321")], [])


def test_a_cell_gives_the_good_numbers_and_why_others_were_refused() -> None:
    good, refused = phone.parse_cell("024 3825 1234 / 0912345678 / 79", "VN")
    assert good == [Phone("+84912345678")]
    assert ["fixed line" in refused[0], "short code" in refused[1]] == [True, True]


def test_a_number_with_digits_too_many_is_not_cut_into_a_good_one() -> None:
    assert phone.parse_cell("0912345678 9", "VN")[0] == []


def test_an_unknown_region_is_refused_and_uk_is_understood() -> None:
    assert phone.known_region("uk") == "GB"
    with pytest.raises(Refused):
        phone.parse("0912345678", "XX")


@given(st.text() | st.text(st.sampled_from("0123456789+ ()-/.,eE٠a\u200b\xa0"), max_size=40))
def test_any_text_is_a_mobile_number_or_a_refusal_that_does_not_repeat_it(text: str) -> None:
    good, refused = phone.parse_cell(text, "VN")
    assert good or refused
    for each in good:
        number = phonenumbers.parse(each.e164)
        assert phonenumbers.number_type(number) in (1, 2) or each.e164.startswith("+447700900")
        assert phone.parse(each.e164, "GB") == Phone(each.e164)
    assert not re.search(r"\d{3}", "".join(refused).replace("2018", ""))


@given(
    st.sampled_from(["3", "5", "7", "8", "9"]),
    st.integers(0, 10**8 - 1),
    st.text(st.sampled_from(" .-\xa0\u200b"), max_size=3),
)
def test_what_a_vietnamese_mobile_reads_as_does_not_depend_on_its_writing(
    first: str, rest: int, gap: str
) -> None:
    national = f"{first}{rest:08}"
    written = [
        f"0{national[:3]}{gap}{national[3:]}",
        f"84{gap}{national}",
        f"+84{gap}0{national}",
        f"00 84{gap}{national}",
    ]
    read = {tuple(phone.parse_cell(each, "VN")[0]) for each in written}
    assert read in ({(Phone(f"+84{national}"),)}, {()})


@pytest.mark.parametrize(("e164", "country"), [("+84911000001", "+84"), ("+447700900123", "+44"), ("+15005550006", "+1"), ("+999123", "+999123")])
def test_a_country_is_how_its_phones_begin(e164: str, country: str) -> None:
    assert phone.country(e164) == country
