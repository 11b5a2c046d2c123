"""What leaves the house for the word lists says nothing of whose it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.masking import mask


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("goi em so 0912 345 678 nhe", "goi em so … nhe"),
        ("em la Hùng, dung nhan nua", "em la …, dung nhan nua"),
        ("em la hung day", "em la … day"),
        ("mail me at a.b@example.org or https://x.example/y", "mail me at … or …"),
        ("3", "3"),
        ("tra loi 2 nhe", "tra loi 2 nhe"),
    ],
)
def test_names_numbers_and_addresses_are_taken_out(text: str, left: str) -> None:
    assert mask(text, ["Nguyễn Văn Hùng"]) == left


@given(st.text(), st.integers(10_000, 10**12))
def test_no_long_number_is_left(text: str, number: int) -> None:
    assert str(number) not in mask(f"{text} {number} {text}")
