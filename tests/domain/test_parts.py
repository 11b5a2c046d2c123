"""Which parts belong together, and what they say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from gateway.domain import parts
from gateway.domain.parts import GAP, Kept

NOW = datetime(2026, 2, 10, 3, 0, tzinfo=UTC)


@given(st.lists(st.text(min_size=1), min_size=2, max_size=12), st.randoms())
def test_parts_in_any_order_make_the_text(texts: list[str], chance: st.DataObject) -> None:
    numbered = list(enumerate(texts, 1))
    chance.shuffle(numbered)  # type: ignore[attr-defined]
    assert parts.join(dict(numbered), len(texts)) == "".join(texts)


@given(st.sets(st.integers(1, 8)))
def test_where_something_is_missing_there_is_one_mark(there: set[int]) -> None:
    joined = parts.join({number: f"<{number}>" for number in there}, 8)
    assert GAP + GAP not in joined
    assert joined.replace(GAP, "") == "".join(f"<{number}>" for number in sorted(there))
    assert (GAP in joined) == (len(there) < 8)


def kept(number: int = 1, seconds: float = 0, *, is_open: bool = True, inbound_id: object = None) -> Kept:
    return Kept(inbound_id or uuid4(), number, "id1", b"hash", NOW - timedelta(seconds=seconds), is_open)  # type: ignore[arg-type]


def test_a_part_joins_the_text_that_waits_for_it() -> None:
    waiting = kept(1, 59)
    assert parts.belongs_to(2, [waiting], NOW) == waiting.inbound_id


def test_a_reference_that_a_phone_uses_again_begins_another_text() -> None:
    assert parts.belongs_to(2, [kept(1, 3600)], NOW) is None  # nobody closed it, the clock stood still
    assert parts.belongs_to(2, [kept(1, is_open=False)], NOW) is None
    assert parts.belongs_to(1, [kept(1, 5)], NOW) is None


def test_the_youngest_of_two_texts_that_wait_gets_the_part() -> None:
    old, young = kept(1, 50), kept(1, 5)
    assert parts.belongs_to(2, [young, old], NOW) == young.inbound_id


def test_a_part_that_came_before_is_a_repeat_by_its_id_or_by_its_words() -> None:
    known = kept(1)
    assert parts.repeats(1, "id1", b"other", [known], NOW) == known.inbound_id
    assert parts.repeats(1, "id2", b"hash", [known], NOW) == known.inbound_id
    assert parts.repeats(2, "id1", b"hash", [known], NOW) is None
    assert parts.repeats(1, "id1", b"other", [kept(1, 3601)], NOW) is parts.repeats(1, "id2", b"hash", [kept(1, 3601)], NOW) is None
    old = kept(1, 86_000)
    assert parts.repeats(1, "id1", b"hash", [old], NOW) == old.inbound_id


def test_a_repeat_is_of_the_text_that_it_came_in_and_not_of_another_with_the_same_reference() -> None:
    older, younger = kept(1, 600), replace(kept(1), carrier_id="id2", body_hash=b"other")
    for known in ([older, younger], [younger, older]):
        assert parts.repeats(1, "id1", b"hash", known, NOW) == older.inbound_id
        assert parts.repeats(1, "id2", b"other", known, NOW) == younger.inbound_id


@given(st.integers(-5, 300), st.integers(-5, 300))
def test_numbers_that_make_no_sense_are_no_part(number: int, total: int) -> None:
    assert parts.is_part(number, total) == (2 <= total <= 255 and 1 <= number <= total)
