"""What every import has in common: what somebody chose for a table, its rows batch by batch, and what it did."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from gateway.store import audit, units
from gateway.store.base import Work
from gateway.usecases import sheets

AT_ONCE = 1000
T = TypeVar("T")

BadRow = Callable[[int, str, str, Sequence[str]], None]
"""Told of each row that was refused, doubled, or taken with a warning: line, which of these, why, the row."""

Progress = Callable[[int, int], None]
"""Told how many bytes are read, of how many."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the file does not say. `columns`: place of a column, from 0 -> the field it is taken for, whatever its heading; "": left out.

    `import_id`: what is written over is kept under it, to be undone. The others are about registers of clients alone.
    `consents`: purpose -> basis for rows that are silent on the purpose. `dates`: heading -> the name of a client's day, of
    columns that the gateway does not know by itself. A column taken for "own" is kept as it is.
    """

    unit: str | None = None
    consents: Mapping[str, str] = field(default_factory=dict)
    basis: str | None = None
    yes_means: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    dates: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[int, str] = field(default_factory=dict)
    import_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table on its way in: the file or what is in it, what was chosen for it, and who is told of bad rows and of progress."""

    source: Path | bytes
    options: Options
    bad: BadRow
    progress: Progress = lambda done, size: None

    def open(self, region: str) -> sheets.Sheet:
        """Its headings and rows. Raises Refused when it is none."""
        return sheets.read(self.source, region)

    def headings(self, sheet: sheets.Sheet, words: Mapping[str, Sequence[str]]) -> tuple[list[str], list[str]]:
        """The headings, as the first of our words where somebody said what a column holds; and those kept as own fields."""
        named, own = list(sheet.headings), list(self.options.own)
        for place, wanted in self.options.columns.items():
            if place >= len(named):
                continue
            if wanted == "own":
                own.append(named[place])
            else:
                named[place] = words[wanted][0] if wanted in words else ""
        return named, own

    def rows(self, sheet: sheets.Sheet, read: Callable[[sheets.Line], T]) -> Iterator[list[tuple[sheets.Line, T]]]:
        """The rows that hold something, each with what `read` makes of it: read while the database is at work on the batch before."""

        def batches() -> Iterator[tuple[int, list[tuple[sheets.Line, T]]]]:
            for lines in sheets.batches(sheet.rows, AT_ONCE):
                yield sheet.at(), [(line, read(line)) for line in lines if line.broken or any(cell.strip() for cell in line.cells)]

        with ThreadPoolExecutor(max_workers=1) as reader:
            ahead = batches()
            following = reader.submit(next, ahead, None)
            while (found := following.result()) is not None:
                following = reader.submit(next, ahead, None)
                yield found[1]
                self.progress(found[0], sheet.size)


def home(work: Work) -> units.Unit:
    """The unit of whoever imports; for the system the first of all."""
    return units.get(work, work.actor.unit_id) if work.actor.unit_id else units.list_seen(work)[0]


def log(work: Work, action: str, at: units.Unit, counts: Any) -> None:
    """Write down in the trail that it was taken over, with its figures."""
    figures = {name: figure for name, figure in asdict(counts).items() if isinstance(figure, int)}
    audit.add(work, action, "unit", at.id, at.id, figures)
