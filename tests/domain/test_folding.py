import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import folding
from gateway.domain.interpret import slips, telex


@pytest.mark.parametrize(
    "text", ["STОP", "ＳＴＯＰ", "s\u200bt\u200do\ufeffp", "𝐬𝐭𝐨𝐩", "\u202estop", "st\u00adop", "ST\x00OP"]
)
def test_look_alikes_and_invisible_marks_go(text: str) -> None:
    assert folding.clean(text) == "stop"


@given(st.text(max_size=200))
def test_cleaning_never_fails_and_leaves_lower_case(text: str) -> None:
    cleaned = folding.clean(text)
    assert cleaned == unicodedata.normalize("NFC", cleaned)


def test_the_place_of_a_tone_makes_no_difference() -> None:
    assert folding.key("huỷ") == folding.key("hủy") == "huy3"
    assert folding.key("được") == "đươc5"


@pytest.mark.parametrize(
    ("typed", "fits"), [("dung", True), ("dừng", True), ("dưng", True), ("đúng", False), ("đừng", False)]
)
def test_accents_may_be_missing_but_not_different(typed: str, fits: bool) -> None:
    assert folding.fits(folding.key(typed), folding.key("dừng")) is fits


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("cos", "có"), ("khoong", "không"), ("dduwowcj", "được"), ("muoons", "muốn"), ("cheets", "chết"),
        ("tu73", "tử"), ("muo61n", "muốn"), ("muon61", "muốn"), ("d9uo7c5", "được"), ("tuwj", "tự"), ("ddi", "đi"),
        ("stop", None), ("123", None), ("dung", None),
    ],
)  # fmt: skip
def test_telex_and_vni_typed_raw(typed: str, meant: str | None) -> None:
    decoded = telex.decode(typed)
    assert decoded == meant or folding.key(decoded or "") == folding.key(meant or "")


@pytest.mark.parametrize(
    ("typed", "meant"), [("sotp", "stop"), ("stpo", "stop"), ("dtop", "stop"), ("shop", None), ("stap", None)]
)
def test_only_a_likely_slip_is_corrected(typed: str, meant: str | None) -> None:
    assert slips.nearest(typed, slips.index(["stop"])) == ((meant,) if meant else ())
