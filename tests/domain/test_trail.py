"""Whatever is done to sealed rows or their seals is found; the last seal's hash, kept elsewhere, finds the rest."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.domain import trail
from gateway.domain.trail import Entry, Seal

AT = datetime(2026, 2, 10, 3, tzinfo=UTC)
IDS = st.integers(1, 2**40)
UUIDS = st.uuids(version=4)


@st.composite
def entries(draw: st.DrawFn, number: int) -> Entry:
    key = draw(st.none() | UUIDS)
    return Entry(
        number=number, id=draw(IDS), unit_id=draw(UUIDS), staff_id=draw(st.none() | UUIDS), action=draw(st.text(max_size=9)),
        subject=draw(st.text(max_size=9)), subject_id=draw(st.text(max_size=9)), detail=draw(st.sampled_from(["{}", '{"a": 1}'])),
        client_id=draw(st.none() | UUIDS),
        at=AT + timedelta(microseconds=draw(st.integers(0, 10**12))), key_id=key, values_id=key,
        values_enc=draw(st.binary(max_size=9)) if key else None,
    )  # fmt: skip


@st.composite
def chains(draw: st.DrawFn) -> tuple[list[Seal], list[Entry]]:
    """Up to five seals over one to four rows each."""
    seals: list[Seal] = []
    rows: list[Entry] = []
    for size in draw(st.lists(st.integers(1, 4), min_size=1, max_size=5)):
        batch = [draw(entries(len(rows) + n + 1)) for n in range(size)]
        rows += batch
        seals.append(trail.seal(len(seals) + 1, seals[-1].hash if seals else trail.ROOT, batch, AT + timedelta(days=len(seals))))
    return seals, rows


CHANGES = {
    "number": lambda v: v + 1000, "id": lambda v: v + 1, "unit_id": lambda v: UUID(int=v.int ^ 1),
    "staff_id": lambda v: None if v else UUID(int=1), "action": lambda v: v + "x", "subject": lambda v: "x" + v,
    "subject_id": lambda v: v + " ", "detail": lambda v: v + " ", "client_id": lambda v: None if v else UUID(int=1), "at": lambda v: v + timedelta(microseconds=1),
    "key_id": lambda v: None if v else UUID(int=1), "values_id": lambda v: None if v else UUID(int=1),
    "values_enc": lambda v: b"x" + v if v is not None else b"",
}  # fmt: skip
OF_SEALS = {"number": lambda v: v + 1, "first": lambda v: v - 1, "last": lambda v: v + 1, "hash": lambda v: v[:-1] + bytes([v[-1] ^ 1]),
            "sealed_at": lambda v: v + timedelta(microseconds=1)}  # fmt: skip


def ordered(rows: list[Entry]) -> list[Entry]:
    """As the store reads them."""
    return sorted(rows, key=lambda row: (row.number, row.id))


@given(chains())
def test_a_chain_that_nobody_touched_holds(chain) -> None:
    assert trail.first_fault(*chain) is None


@given(chains(), st.data())
def test_any_single_change_of_a_row_is_found(chain, data) -> None:
    seals, rows = chain
    assert CHANGES.keys() == set(Entry.__slots__)
    at, name = data.draw(st.integers(0, len(rows) - 1)), data.draw(st.sampled_from(sorted(CHANGES)))
    changed = replace(rows[at], **{name: CHANGES[name](getattr(rows[at], name))})
    fault = trail.first_fault(seals, ordered([*rows[:at], changed, *rows[at + 1 :]]))
    assert fault is not None and fault.first <= at + 1 <= fault.last


@given(chains(), st.data())
def test_any_single_change_of_a_seal_is_found(chain, data) -> None:
    seals, rows = chain
    assert OF_SEALS.keys() == set(Seal.__slots__)
    at, name = data.draw(st.integers(0, len(seals) - 1)), data.draw(st.sampled_from(sorted(OF_SEALS)))
    seals[at] = replace(seals[at], **{name: OF_SEALS[name](getattr(seals[at], name))})
    assert trail.first_fault(seals, rows) is not None


@given(chains(), st.data())
def test_a_row_that_was_taken_out_is_found_and_named(chain, data) -> None:
    seals, rows = chain
    gone = rows.pop(data.draw(st.integers(0, len(rows) - 1)))
    fault = trail.first_fault(seals, rows)
    assert fault is not None and (fault.what, fault.first) == (trail.MISSING, gone.number)


@given(chains(), st.data())
def test_a_row_that_was_put_in_is_found(chain, data) -> None:
    seals, rows = chain
    put_in = data.draw(entries(data.draw(st.integers(-2, len(rows) + 2))))
    assume(put_in.id not in {row.id for row in rows})
    assert trail.first_fault(seals, ordered([*rows, put_in])) is not None


@given(chains(), st.data())
def test_two_rows_that_changed_places_are_found(chain, data) -> None:
    seals, rows = chain
    assume(len(rows) > 1)
    one, other = data.draw(st.lists(st.integers(0, len(rows) - 1), min_size=2, max_size=2, unique=True))
    swapped = list(rows)
    swapped[one], swapped[other] = replace(rows[other], number=one + 1), replace(rows[one], number=other + 1)
    assume(swapped != rows)
    assert trail.first_fault(seals, swapped) is not None


@given(chains(), st.data())
def test_a_seal_that_was_taken_out_is_found_wherever_its_rows_went(chain, data) -> None:
    seals, rows = chain
    gone = seals.pop(data.draw(st.integers(0, len(seals) - 1)))
    assert trail.first_fault(seals, rows) is not None
    left = [row for row in rows if not gone.first <= row.number <= gone.last]
    is_last = gone.number == len(seals) + 1
    assert (trail.first_fault(seals, left) is None) == is_last, "the end that was cut off shows by the hash that was kept elsewhere alone"


@given(chains())
def test_a_chain_sealed_anew_after_a_change_has_another_last_hash(chain) -> None:
    seals, rows = chain
    rows[0] = replace(rows[0], action=rows[0].action + "x")
    previous, again = trail.ROOT, []
    for each in seals:
        again.append(trail.seal(each.number, previous, rows[each.first - 1 : each.last], each.sealed_at))
        previous = again[-1].hash
    assert trail.first_fault(again, rows) is None
    assert not {each.hash for each in again} & {each.hash for each in seals}
