"""Which cells of a table are not shown, so that nobody can be recognised in a small group, nor worked out from the rest.

A cell of few people is hidden. Totals would still give it away, so further cells are hidden with it until each hidden one
could as well be another number: there is a second table without negative numbers that shows exactly the same and differs
in it. Such a table is found as a ring of hidden cells, in turn one more and one less; a row and a column that a ring
passes keep their totals. docs/reports.md says where the rule comes from.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import inf

LEAST = 5
"""Groups of fewer people are hidden; a unit may set its own figure above it."""
Place = tuple[int, int]
"""Row and column. The row after the last one holds the totals of columns, the column after the last those of rows."""


@dataclass(frozen=True, slots=True)
class Grid:
    """Counts with their totals, and how many different people stand behind each at least.

    Both have one row and one column more than there are cells; without totals of rows (columns of different kinds) the
    last column is left out of what is shown.
    """

    counts: Sequence[Sequence[int]]
    people: Sequence[Sequence[int]]
    across: bool = True  # whether a row adds up

    @property
    def rows(self) -> int:
        return len(self.counts) - 1

    @property
    def columns(self) -> int:
        return len(self.counts[0]) - 1


def hide(grid: Grid, least: Sequence[int], totals_hidden: Iterable[int] | None = None, also: Iterable[Place] = ()) -> set[Place]:
    """The cells not to be shown. `least` is the smallest group of each row, that of the totals last.

    `totals_hidden` says which totals of columns are hidden, where another table shows the same totals: those stay as
    decided there. Without it the totals are decided here. `also` are cells to be hidden for a reason outside this table.
    """
    small = {
        (r, c) for r in range(grid.rows + 1) for c in range(grid.columns + grid.across)
        if grid.counts[r][c] and grid.people[r][c] < max(LEAST, least[r])
    } | set(also)  # fmt: skip
    fixed = None if totals_hidden is None else frozenset(totals_hidden)
    if fixed is not None:
        small = {place for place in small if place[0] < grid.rows} | {(grid.rows, c) for c in fixed}
    rings = _Rings(grid, small, fixed is not None)
    for place in sorted(small):
        if not rings.close(*place):
            return rings.everything()
    return rings.hidden


class _Rings:
    """Hidden cells, and the rings through them: rows and columns are the stops, cells the ways between them."""

    def __init__(self, grid: Grid, hidden: set[Place], totals_fixed: bool) -> None:
        self.grid, self.hidden, self._totals_fixed = grid, set(hidden), totals_fixed
        self._closed: set[Place] = set()  # a ring serves each cell on it
        self._costs = [[self._cost(r, c) for c in range(grid.columns + 1)] for r in range(grid.rows + 1)]

    def close(self, r: int, c: int) -> bool:
        """Hide what it takes for a ring through a hidden cell, as little as possible; False when there is none."""
        if (r, c) in self._closed:
            return True
        cost, ring = min((self._ring(r, c, step) for step in (1, -1)), key=lambda found: found[0])
        if cost == inf:
            return False
        self._closed |= {(r, c), *ring}
        for row, column in ring:
            if self._costs[row][column]:
                self._costs[row][column] = 0
                self.hidden.add((row, column))
        return True

    def everything(self) -> set[Place]:
        """All that may be hidden."""
        rows = self.grid.rows + (not self._totals_fixed)
        return self.hidden | {(r, c) for r in range(rows) for c in range(self.grid.columns + self.grid.across)}

    def _ring(self, row: int, column: int, step: int) -> tuple[float, list[Place]]:
        """What it costs to go from the cell's column back to its row by other cells, and which. The cell itself changes by `step`."""
        if not self._may_change(row, column, step):
            return inf, []
        size = self.grid.rows + 1
        start, goal = size + column, row  # rows are stops 0 to size - 1, columns follow
        best, came = {start: 0.0}, dict[int, tuple[int, Place]]()
        waiting = [(0.0, start)]
        while waiting:
            cost, stop = heappop(waiting)
            if stop == goal:
                return cost, _way(came, start, goal)
            if cost > best[stop]:
                continue
            for following, place, added in self._ways(stop, size):
                total = cost + added
                if total < best.get(following, inf) and place != (row, column) and self._may_change(*place, step if stop < size else -step):
                    best[following], came[following] = total, (stop, place)
                    heappush(waiting, (total, following))
        return inf, []

    def _ways(self, stop: int, size: int) -> Iterator[tuple[int, Place, float]]:
        """Each cell that leads on from a row or column: where to, which, and what it costs."""
        if stop < size:
            return ((size + c, (stop, c), cost) for c, cost in enumerate(self._costs[stop]))
        return ((r, (r, stop - size), costs[stop - size]) for r, costs in enumerate(self._costs))

    def _may_change(self, r: int, c: int, step: int) -> bool:
        """Whether a cell could be one more or one less. A total stands on the other side of the sum, so it goes the other way."""
        if c == self.grid.columns and not self.grid.across:
            return True  # there is no such total: nothing holds the row together
        is_total = (r == self.grid.rows) != (c == self.grid.columns)
        return self.grid.counts[r][c] + (-step if is_total else step) >= 0

    def _cost(self, r: int, c: int) -> float:
        """What is lost by hiding a cell: nothing when it is hidden, totals last, large ones later than small ones."""
        if (r, c) in self.hidden or (c == self.grid.columns and not self.grid.across):
            return 0
        if r == self.grid.rows and self._totals_fixed:
            return inf
        totals, count = (r == self.grid.rows) + (c == self.grid.columns), self.grid.counts[r][c]
        return 1 + totals * 10 + count / (1 + self.grid.counts[-1][-1]) + (not count) * 5


def _way(came: dict[int, tuple[int, Place]], start: int, goal: int) -> list[Place]:
    places, stop = list[Place](), goal
    while stop != start:
        stop, place = came[stop]
        places.append(place)
    return places
