"""Workbooks come in as they were meant: values alone, digits whole, days as days; and what is none, or hostile, is refused."""

import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from typing import Any

import openpyxl
import pytest

from gateway.domain.errors import Refused
from gateway.usecases import sheets, workbooks

CELL = '<c r="{at}" t="inlineStr"><is><t>{text}</t></is></c>'


def made(*rows: Sequence[Any], change: Callable[[Any], None] = lambda book: None) -> bytes:
    """A workbook with these rows."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    change(book)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def changed(book: bytes, **parts: bytes) -> bytes:
    """The same, with other contents of the parts whose name ends so."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(book)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            name = part.filename.rpartition("/")[2].removesuffix(".xml")
            new.writestr(part.filename, parts.get(name, old.read(part)))
    return file.getvalue()


def sheet(rows: str, before: str = "") -> bytes:
    """The XML of a sheet."""
    return f'{before}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}</sheetData></worksheet>'.encode()


def read(book: bytes) -> list[list[str]]:
    """All of it as text."""
    with sheets.read(book, "VN") as table:
        return [table.headings, *(line.cells if line.broken is None else [line.broken] for line in table.rows)]


def test_values_come_as_somebody_would_type_them() -> None:
    def shape(book: Any) -> None:
        book.active["D2"].number_format = "0000000000"
        book.active["F2"].number_format = "[h]:mm"

    book = made(("a", "b", "c", "d", "e", "f", "g", "h"),
                (84912345678, 912345678.0, 8.4912345678e10, 912345678, 12.5, 1.5, True, "0912 345 678"),
                (datetime(2026, 3, 12), datetime(2026, 3, 12, 9, 30), date(2026, 3, 12), time(14, 5), "=1+1", None, False, " Hoa "),
                change=shape)  # fmt: skip
    assert read(book)[1:] == [
        ["84912345678", "912345678", "84912345678", "0912345678", "12.5", "36:00", "true", "0912 345 678"],
        ["2026-03-12", "2026-03-12 09:30", "2026-03-12", "14:05", "", "", "false", " Hoa "],  # a formula that nobody computed has no value
    ]


def test_rows_keep_their_numbers_and_empty_ones_are_passed_over() -> None:
    with sheets.read(made((), ("code", "name"), (), ("A1", "Hoa")), "VN") as table:
        assert table.headings == ["code", "name"]
        assert [(line.number, line.cells) for line in table.rows] == [(4, ["A1", "Hoa"])]
        assert 0 < table.at() <= table.size


def test_the_first_sheet_that_is_shown_is_read() -> None:
    def hide(book: Any) -> None:
        book.create_sheet("second").append(("code",))
        book.active.sheet_state = "hidden"

    assert read(made(("secret",), change=hide)) == [["code"]]


def test_a_row_with_an_error_or_with_lost_digits_is_broken_and_the_others_are_taken() -> None:
    rows = read(made(("code",), ("#N/A",), (12345678901234567,), ("x" * 10_001,), ("A1",)))
    assert [row[0][:20] for row in rows] == ["code", "a cell holds an erro", "a cell is a number o", "a cell is longer tha", "A1"]


def _bomb() -> bytes:
    return changed(made(("code",)), sheet1=bytes(workbooks.MOST_UNPACKED))


def _rows_far_down() -> bytes:
    return changed(made(("code",)), sheet1=sheet('<row r="1"><c r="A1"><v>1</v></c></row><row r="99999999999"><c r="A99999999999"><v>1</v></c></row>'))


def _wide() -> bytes:
    return changed(made(("code",)), sheet1=sheet(f'<row r="1">{CELL.format(at="XFD1", text="x")}</row>'))


def _endless_row() -> bytes:
    return changed(made(("code",)), sheet1=sheet(f'<row r="1">{"<c/>" * 1_000_000}</row>'))


def _many_parts() -> bytes:
    file = io.BytesIO(made(("code",)))
    with zipfile.ZipFile(file, "a") as book:
        for number in range(workbooks.MOST_PARTS):
            book.writestr(f"xl/{number}", b"")
    return file.getvalue()


@pytest.mark.parametrize("book", [_bomb, _rows_far_down, _wide, _endless_row, _many_parts])
def test_what_would_fill_the_memory_is_refused(book: Callable[[], bytes]) -> None:
    with pytest.raises(Refused, match="too large"):
        read(book())


def _entity(declared: str) -> bytes:
    return changed(made(("code",)), sheet1=sheet(f'<row r="1">{CELL.format(at="A1", text="&e;")}</row>', f"<!DOCTYPE w [{declared}]>"))


BROKEN = {
    "an outside entity": lambda: _entity('<!ENTITY e SYSTEM "file:///etc/passwd">'),
    "many laughs": lambda: _entity('<!ENTITY d "ha"><!ENTITY e "&d;&d;&d;&d;">'),
    "entities in the styles": lambda: changed(made(("code",)), styles=b'<!DOCTYPE s [<!ENTITY e "x">]><styleSheet>&e;</styleSheet>'),
    "a zip of something else": lambda: changed(made(("code",)), workbook=b"<x/>"),
    "half of it": lambda: made(("code",))[:2000],
    "an empty zip": lambda: b"PK\x05\x06" + bytes(18),
    "no zip at all": lambda: b"PK\x03\x04" + b"code,name\n" * 50,
    "no number": lambda: changed(made(("code",)), sheet1=sheet('<row r="1"><c r="A1"><v>one</v></c></row>')),
    "a text that is not there": lambda: changed(made(("code",)), sheet1=sheet('<row r="1"><c r="A1" t="s"><v>77</v></c></row>')),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_no_workbook_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="cannot be read") as refused:
        read(BROKEN[name]())
    assert "root:" not in str(refused.value)


def test_old_and_locked_workbooks_are_refused_with_what_to_do() -> None:
    old = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000)
    with pytest.raises(Refused, match=r"\.xlsx"):
        read(old + "Workbook".encode("utf-16-le"))
    with pytest.raises(Refused, match="password"):
        read(old + "EncryptedPackage".encode("utf-16-le"))


def test_a_workbook_with_links_elsewhere_opens_nothing() -> None:
    book = made(("code", "phone"), ("A1", '=HYPERLINK("http://127.0.0.1:1/x")'))
    assert read(book)[1] == ["A1"]
