"""Tables as people save them from spreadsheets: a workbook, or CSV in any usual encoding and separator, read row by row; rows that failed, written back."""

import codecs
import csv
import io
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from gateway.domain.errors import Refused
from gateway.domain.told import N_
from gateway.usecases import workbooks

LONGEST_LINE = 100_000
MOST_LINES_A_ROW = 20  # of a cell with line breaks; beyond it a quotation mark was forgotten
LEGACY = {"VN": "cp1258"}  # what old Windows wrote there; elsewhere cp1252
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


@dataclass(frozen=True, slots=True)
class Line:
    """One row with the number of its first line. `broken` says why it could not be taken apart."""

    number: int
    cells: list[str]
    broken: str | None = None


@dataclass(slots=True)
class Sheet:
    """An open table: its headings, then its rows once, as a stream. `size`: its bytes, of which `at()` are read so far."""

    headings: list[str]
    rows: Iterator[Line]
    size: int
    at: Callable[[], int]
    _close: Callable[[], None]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()


def read(source: Path | bytes, region: str) -> Sheet:
    """Open a table, a file or what is in one, for reading. Raises Refused when it is empty, no table, or mixes encodings.

    What it holds says of which kind it is, never its name: the first sheet of a workbook; else CSV with commas, semicolons or
    tabs, in UTF-8 or UTF-16 with or without a mark, or the code page that Windows used in the region.
    """
    with _raw(source) as file:
        is_workbook = workbooks.is_one(file.read(8))
    return _workbook(source) if is_workbook else _csv(source, region)


def _workbook(source: Path | bytes) -> Sheet:
    book = workbooks.read(source)
    rows = (Line(number, cells, broken) for number, cells, broken in book.rows)
    return _opened(rows, book.size, lambda: book.at, book.close)


def _csv(source: Path | bytes, region: str) -> Sheet:
    encoding = _encoding(source, region)
    file = io.TextIOWrapper(_raw(source), encoding=encoding, newline="")
    try:
        first = _line(file, 1)
        if named := re.fullmatch(r"sep=([,;\t])\s*", first):  # what Excel writes for itself
            rows = _rows(file, named[1], _line(file, 2), 2)
        else:
            rows = _rows(file, max(",;\t", key=re.sub(r'"[^"]*"', "", first).count), first, 1)
    except BaseException:
        file.close()
        raise
    return _opened(rows, len(source) if isinstance(source, bytes) else source.stat().st_size, file.buffer.tell, file.close)


def _opened(rows: Iterator[Line], size: int, at: Callable[[], int], close: Callable[[], None]) -> Sheet:
    try:
        headings = next(rows, None)
        if headings is None or headings.broken or not any(cell.strip() for cell in headings.cells):
            raise Refused("The file has no headings: its first line must name the columns.")
        return Sheet(headings.cells, rows, size, at, close)
    except BaseException:
        close()
        raise


def batches(rows: Iterator[Line], size: int) -> Iterator[list[Line]]:
    """The rows, so many at a time."""
    while batch := list(islice(rows, size)):
        yield batch


def _raw(source: Path | bytes) -> IO[bytes]:
    return io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")


def _encoding(source: Path | bytes, region: str) -> str:
    with _raw(source) as file:
        start = file.read(4096)
        if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        even, odd = start[::2].count(0), start[1::2].count(0)
        if max(even, odd) > len(start) // 8 and min(even, odd) == 0:  # UTF-16 without its mark
            return "utf-16-be" if even else "utf-16-le"
        if sum(byte < 32 and byte not in b"\t\r\n" for byte in start) > 3 + len(start) // 50:
            raise Refused("This is no table. Open it in a spreadsheet and save it as \"CSV UTF-8\".")
        file.seek(0)
        if _is_utf8(file):
            return "utf-8-sig"
        file.seek(0)
        return _legacy(file, LEGACY.get(region, "cp1252"))


def _is_utf8(file: IO[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for part in iter(lambda: file.read(1 << 20), b""):
            decoder.decode(part)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _legacy(file: IO[bytes], legacy: str) -> str:
    """The old code page, if most of the letters beyond ASCII are no UTF-8. A few bad bytes are not guessed about."""
    good = bad = first_bad = 0
    for number, raw in enumerate(iter(lambda: file.readline(LONGEST_LINE * 4), b""), 1):
        text = raw.decode("utf-8", "surrogateescape")
        wrong = sum("\udc80" <= c <= "\udcff" for c in text)
        bad, good = bad + wrong, good + sum(c > "\x7f" for c in text) - wrong
        first_bad = first_bad or (number if wrong else 0)
    if good >= bad:
        raise Refused(
            "Line {number} holds bytes that are not UTF-8, while most of the file is. Save it as \"CSV UTF-8\".", number=first_bad
        )
    return legacy


def _line(file: IO[str], number: int) -> str:
    try:
        line = file.readline(LONGEST_LINE + 1)
    except UnicodeError:
        raise Refused(
            "Line {number} or one after it holds bytes that are no letters. Save the table as \"CSV UTF-8\".", number=number
        ) from None
    if len(line) > LONGEST_LINE:
        raise Refused(
            "Line {number} is longer than {most} characters: this is no table. Save it as \"CSV UTF-8\".",
            number=number, most=LONGEST_LINE,
        )  # fmt: skip
    return line


def _rows(file: IO[str], delimiter: str, first: str, last: int) -> Iterator[Line]:
    """Rows one by one. A quotation mark that is never closed costs its own line, not the rest of the file."""
    ahead = deque([(last, first)])

    def following() -> Iterator[tuple[int, str]]:
        nonlocal last
        while line := _line(file, last + 1):
            last += 1
            yield last, line

    more = following()
    while ahead or (ahead := deque(islice(more, 1))):
        number, text = ahead.popleft()
        joined: list[tuple[int, str]] = []
        while (cells := _cells(text, delimiter)) is None and text.count('"') % 2 and len(joined) < MOST_LINES_A_ROW:
            added = ahead.popleft() if ahead else next(more, None)
            if added is None:
                break
            joined.append(added)
            text += added[1]
        if cells is not None:
            yield Line(number, cells)
            continue
        ahead.extendleft(reversed(joined))
        yield Line(number, [], N_("the line cannot be taken apart: a quotation mark (\") stands alone"))


def _cells(text: str, delimiter: str) -> list[str] | None:
    try:
        return next(csv.reader([text], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return None


def write(path: Path, headings: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Write a table that only its owner may read, as spreadsheets take it without running anything; the number of rows."""
    count = 0
    with _own_file(path) as file:
        for line in lines(headings, rows):
            file.write(line)
            count += 1
    return count - 1


def lines(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """A table as lines of CSV. Cells that look like formulas get a leading '; nothing (None) is an empty cell."""
    for row in chain([headings], rows):
        line = io.StringIO()
        csv.writer(line).writerow(["" if cell is None else harmless(cell) if isinstance(cell, str) else cell for cell in row])
        yield line.getvalue()


def _own_file(path: Path) -> IO[str]:
    path.unlink(missing_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8-sig", newline="")


class BadRows:
    """Writes rows with their line and reason to a file only its owner may read; no file when there are none.

    A spreadsheet that opens it runs nothing: cells that look like formulas get a leading '. `shown` says our own words in
    the reader's language.
    """

    def __init__(self, path: Path, shown: Callable[[str], str] = str) -> None:
        self.path, self._shown = path, shown
        self.count = 0
        self._file: IO[str] | None = None

    def write(self, line: int, what: str, reason: str, cells: Sequence[str] = ()) -> None:
        """Add a row: what became of it (refused, duplicate, taken), why, and the row itself."""
        if self._file is None:
            self._file = _own_file(self.path)
            csv.writer(self._file).writerow(map(self._shown, (N_("line"), N_("what"), N_("reason"), N_("row"))))
        said = self._shown(what), *(harmless(cell) for cell in (self._shown(reason), *cells))
        csv.writer(self._file).writerow((line, *said))
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def harmless(cell: str) -> str:
    """The cell as a spreadsheet takes it for text and no formula."""
    cell = cell.replace("\0", "")
    return "'" + cell if cell.startswith(_FORMULA) or cell.lstrip().startswith(_FORMULA) else cell
