"""The first sheet of an Excel workbook (.xlsx) as rows of text: values alone, read row by row and within bounds, whoever made the file.

A workbook is a zip of XML. What it unpacks to is bounded by what its parts say of their size, beyond which nothing is
unpacked; a row by the bytes that may pass before it ends; entities and documents of elsewhere are refused (defusedxml).
"""

import io
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO, Any

from gateway.domain.errors import Refused
from gateway.domain.told import N_

MOST_UNPACKED = 200 * 1024 * 1024
MOST_TEXTS = 32 * 1024 * 1024  # of the part that holds the texts of all cells
MOST_BESIDE = 8 * 1024 * 1024  # of each other part that is no sheet
MOST_PARTS = 1000
MOST_OF_A_ROW = 2 * 1024 * 1024  # bytes of XML
MOST_ROWS = 200_000
MOST_COLUMNS = 300
LONGEST_CELL = 10_000
_EXACT = 10**15  # spreadsheets keep fifteen digits of a number

_SHEETS = "xl/worksheets/"
_NO_SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData/></worksheet>'

warnings.filterwarnings("ignore", module=r"openpyxl\.")  # they repeat what cells hold

UNREADABLE = N_("This workbook cannot be read. Open it in a spreadsheet, and save it as \".xlsx\" or \"CSV UTF-8\".")
LOCKED = N_("This workbook is protected by a password. Save it without one.")
OLD = N_("This is a workbook of the old kind (.xls). Open it and save it as \".xlsx\" or \"CSV UTF-8\".")


def is_one(start: bytes) -> bool:
    """Whether a file that begins like this is a workbook, or was meant as one."""
    return start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"\xd0\xcf\x11\xe0"))


@dataclass(slots=True)
class Rows:
    """The rows that hold something, once, as a stream: number, cells, and why it cannot be taken. `at`: bytes read, of `size`."""

    rows: Iterator[tuple[int, list[str], str | None]]
    size: int
    _archive: "_Archive"

    @property
    def at(self) -> int:
        """Bytes of the sheet's XML read so far."""
        return self._archive.passed

    def close(self) -> None:
        """Let go of the file."""
        self._archive.close()


def read(source: Path | bytes) -> Rows:
    """Open the first visible sheet. Raises Refused for what is no workbook, is locked, old, or too large."""
    file: IO[bytes] = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
    try:
        _check_kind(file)
        archive = _Archive(file)
        sheet, size = _first_sheet(archive)
    except Refused:
        file.close()
        raise
    except Exception:  # a file made by hand breaks a reader in more ways than it names
        file.close()
        raise Refused(UNREADABLE) from None
    return Rows(_rows(sheet, archive), size, archive)


def _check_kind(file: IO[bytes]) -> None:
    """Old and locked workbooks are the same kind of container; what is locked names its contents."""
    if file.read(4) == b"\xd0\xcf\x11\xe0":
        is_locked = "EncryptedPackage".encode("utf-16-le") in file.read(64 * 1024 * 1024)
        raise Refused(LOCKED if is_locked else OLD)


class _Archive(zipfile.ZipFile):
    """A zip whose parts are bounded. `open_sheets`: until then sheets look empty, so that none is read for the size it claims."""

    def __init__(self, file: IO[bytes]) -> None:
        self.under = file
        super().__init__(file)
        self.open_sheets, self.passed, self.left = False, 0, MOST_OF_A_ROW
        parts = self.infolist()
        if len(parts) > MOST_PARTS or sum(part.file_size for part in parts) > MOST_UNPACKED or any(map(_is_too_large, parts)):
            raise _too_large()
        if any(part.flag_bits & 1 for part in parts):
            raise Refused(LOCKED)

    def open(self, name: Any, *arguments: Any, **named: Any) -> Any:
        """As a zip does; a sheet comes in rations."""
        if not str(name).startswith(_SHEETS):
            return super().open(name, *arguments, **named)
        return _Rationed(self, super().open(name, *arguments, **named)) if self.open_sheets else io.BytesIO(_NO_SHEET)

    def close(self) -> None:
        super().close()
        self.under.close()


def _is_too_large(part: zipfile.ZipInfo) -> bool:
    most = MOST_TEXTS if part.filename.endswith("sharedStrings.xml") else MOST_BESIDE
    return part.file_size > most and not part.filename.startswith(_SHEETS)


class _Rationed(io.RawIOBase):
    """A sheet of which only so much is read before its next row is complete."""

    def __init__(self, archive: _Archive, part: IO[bytes]) -> None:
        self.archive, self.part = archive, part

    def read(self, size: int = -1) -> bytes:
        """As a file does. Raises Refused when a row goes on and on."""
        data = self.part.read(min(size, 65536) if size > 0 else 65536)
        self.archive.passed += len(data)
        self.archive.left -= len(data)
        if self.archive.left < 0:
            raise _too_large()
        return data

    def close(self) -> None:
        self.part.close()
        super().close()


def _first_sheet(archive: _Archive) -> tuple[Any, int]:
    import openpyxl  # only here: with all that it brings it takes as long to load, and as much memory, as a fifth of the program
    from openpyxl.reader.excel import ExcelReader

    if not openpyxl.DEFUSEDXML:
        raise RuntimeError("defusedxml is missing, or OPENPYXL_DEFUSEDXML turned it off: workbooks would not be read safely")
    reader = ExcelReader(archive.under, read_only=True, data_only=True, keep_links=False)
    reader.archive, reader.valid_files = archive, archive.namelist()
    reader.read()
    sheet = next(each for each in reader.wb.worksheets if each.sheet_state == "visible")
    archive.open_sheets = True
    return sheet, archive.getinfo(sheet._worksheet_path).file_size


def _rows(sheet: Any, archive: _Archive) -> Iterator[tuple[int, list[str], str | None]]:
    try:
        for number, row in enumerate(sheet.iter_rows(max_row=MOST_ROWS + 1), 1):
            archive.left = MOST_OF_A_ROW
            cells = list(row)
            while cells and cells[-1].value is None:
                cells.pop()
            if number > MOST_ROWS or len(cells) > MOST_COLUMNS:
                raise _too_large()
            if cells:
                yield number, *_row(cells)
    except Refused:
        raise
    except Exception:  # a stranger's file makes the library raise whatever it likes; none of its words are to be shown
        raise Refused(UNREADABLE) from None


def _row(cells: list[Any]) -> tuple[list[str], str | None]:
    try:
        return ["" if cell.value is None else _text(cell) for cell in cells], None
    except Refused as refused:
        return [], str(refused)


def _text(cell: Any) -> str:
    """The cell as somebody would type it. Raises Refused for an error of the spreadsheet, and for digits that it has lost."""
    value = cell.value
    if cell.data_type == "e":
        raise Refused(N_("a cell holds an error of the spreadsheet, such as #N/A"))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return _number(value, cell)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60:02}:{minutes % 60:02}"
    if len(str(value)) > LONGEST_CELL:
        raise Refused(N_("a cell is longer than {most} characters").format(most=LONGEST_CELL))
    return str(value)


def _number(value: float, cell: Any) -> str:
    """All digits of a whole number, never 8.49E+10; with the zeros before it that its format shows."""
    if value != int(value):
        return repr(value)
    if abs(value) >= _EXACT:
        raise Refused(N_("a cell is a number of more than 15 digits, of which spreadsheets lose the last: format the column as text"))
    shape = cell.number_format or ""
    return str(int(value)).zfill(len(shape) if set(shape) == {"0"} else 0)


def _too_large() -> Refused:
    return Refused(
        "This workbook is too large: at most {rows} rows, {columns} columns and {most} MB unpacked. Split it, or save it as \"CSV UTF-8\".",
        rows=MOST_ROWS, columns=MOST_COLUMNS, most=MOST_UNPACKED // 1024 // 1024,
    )
