"""For any table: small groups are hidden, and nothing that is hidden can be worked out from what is shown."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.domain import small_numbers
from gateway.domain.small_numbers import Grid, Place


def totalled(cells: Sequence[Sequence[int]]) -> list[list[int]]:
    """With totals of rows and columns."""
    rows = [[*row, sum(row)] for row in cells]
    return [*rows, [sum(column) for column in zip(*rows, strict=True)]]


def grid(cells: Sequence[Sequence[int]], across: bool = True) -> Grid:
    return Grid(totalled(cells), totalled(cells), across)


def others(whole: Grid, hidden: set[Place]) -> Iterator[list[list[int]]]:
    """Tables that show the same: each hidden cell one less, the same or one more; no number is negative."""
    inside = [(r, c) for r, c in sorted(hidden) if r < whole.rows and c < whole.columns]
    for steps in product((-1, 0, 1), repeat=len(inside)):
        cells = [list(row[:-1]) for row in whole.counts[:-1]]
        for (r, c), step in zip(inside, steps, strict=True):
            cells[r][c] += step
        other = totalled(cells)
        shown = [
            (r, c) for r in range(whole.rows + 1) for c in range(whole.columns + 1)
            if (r, c) not in hidden and (whole.across or c < whole.columns)
        ]  # fmt: skip
        if min(min(row) for row in other) >= 0 and all(other[r][c] == whole.counts[r][c] for r, c in shown):
            yield other


def worked_out(whole: Grid, hidden: set[Place]) -> set[Place]:
    """The hidden cells that are the same in all those tables."""
    certain = set(hidden)
    for other in others(whole, hidden):
        certain -= {(r, c) for r, c in certain if other[r][c] != whole.counts[r][c]}
        if not certain:
            break
    return certain


CELLS = st.integers(1, 3).flatmap(lambda width: st.lists(
    st.lists(st.integers(0, 7) | st.integers(0, 40), min_size=width, max_size=width), min_size=1, max_size=3))  # fmt: skip


@settings(max_examples=300)
@given(CELLS, st.booleans())
def test_no_hidden_cell_can_be_worked_out_from_rows_columns_and_totals(cells, across) -> None:
    whole = grid(cells, across)
    hidden = small_numbers.hide(whole, [5] * (whole.rows + 1))
    small = {(r, c) for r in range(whole.rows + 1) for c in range(whole.columns + across) if 0 < whole.counts[r][c] < 5}
    assert small <= hidden
    assert worked_out(whole, hidden) == set()
    assert small or not hidden, "nothing is hidden without need"


@settings(max_examples=200)
@given(CELLS, st.data())
def test_totals_that_another_table_shows_stay_as_they_are_there(cells, data) -> None:
    """The unit's own line is decided in the table of the unit above it; the table of what lies below keeps to that."""
    below = grid(cells)
    sisters = data.draw(st.lists(st.lists(st.integers(0, 40), min_size=below.columns, max_size=below.columns), min_size=0, max_size=2))
    above = grid([below.counts[-1][:-1], *sisters])
    decided = {c for r, c in small_numbers.hide(above, [5] * (above.rows + 1)) if r == 0}
    hidden = small_numbers.hide(below, [5] * (below.rows + 1), decided)
    assert {c for r, c in hidden if r == below.rows} == decided
    certain = worked_out(below, hidden)
    assert {place for place in certain if place[0] < below.rows} == set()


@pytest.mark.parametrize(("cells", "hidden"), [
    ([[10, 20], [30, 40]], ""),
    ([[3, 20], [30, 40]], "aabb"),
    ([[0, 0], [0, 0]], ""),
    ([[0, 50], [6, 7]], ""),
])  # fmt: skip
def test_what_is_hidden_by_hand(cells, hidden) -> None:
    found = small_numbers.hide(grid(cells), [5, 5, 5])
    assert len(found) == len(hidden) and all(r < 2 and c < 2 for r, c in found)


def test_a_unit_may_set_a_larger_figure_of_its_own_and_none_below_five() -> None:
    assert small_numbers.hide(grid([[8, 20], [30, 40]]), [5, 5, 5]) == set()
    assert (0, 0) in small_numbers.hide(grid([[8, 20], [30, 40]]), [10, 5, 5])
    assert (0, 0) in small_numbers.hide(grid([[4, 20], [30, 40]]), [1, 1, 1])


def test_many_events_of_few_people_are_hidden() -> None:
    counts = totalled([[60, 20], [30, 40]])
    people = [[1, 20, 20], [30, 30, 40], [31, 50, 60]]
    assert (0, 0) in small_numbers.hide(Grid(counts, people), [5, 5, 5])


def test_a_province_of_communes_takes_no_time() -> None:
    cells = [[(r * 7 + c * 3) % 23 for c in range(5)] for r in range(344)]
    whole = grid(cells)
    hidden = small_numbers.hide(whole, [5] * 345)
    assert 0 < len(hidden) < 344 * 6
