"""Tables that go out: whoever opens one in a spreadsheet runs nothing."""

import csv
from io import StringIO
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.usecases import sheets

GATEWAY = Path(__file__).parents[2] / "gateway"
BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", " ", "\u00a0", "＝", "＋", "－", "＠", '"', "'")
RUNS = frozenset("=+-@\t\r\n＝＋－＠")


@given(st.text(st.sampled_from(BEGINS), max_size=5).flatmap(lambda start: st.text(max_size=10).map(lambda rest: start + rest)))
def test_no_cell_of_any_file_is_a_formula(cell: str) -> None:
    (_, row) = csv.reader(StringIO("".join(sheets.lines(["heading", "other"], [[cell, "x"]])), newline=""))
    assert row[0][:1] not in RUNS and row[0].lstrip()[:1] not in RUNS
    assert row[1] == "x"  # it did not break out of its cell either


def test_the_rows_that_an_import_refused_are_no_formulas(tmp_path: Path) -> None:
    with sheets.BadRows(tmp_path / "bad.csv") as bad:
        bad.write(1, "refused", "+reason", ["@SUM(1)", "\n=1", "fine"])
    (_, row) = csv.reader((tmp_path / "bad.csv").open(encoding="utf-8-sig", newline=""))
    assert row[2:] == ["'+reason", "'@SUM(1)", "'\n=1", "fine"]


def test_only_one_place_writes_tables() -> None:
    writers = {path.relative_to(GATEWAY).as_posix() for path in GATEWAY.rglob("*.py") if "csv.writer" in path.read_text() or "csv.DictWriter" in path.read_text()}
    assert writers == {"usecases/sheets.py"}
