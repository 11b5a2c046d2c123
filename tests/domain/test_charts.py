"""A chart is read without colours, without a script and by whoever hears it; its figures are those of the table."""

import re
from xml.etree import ElementTree

import pytest

from gateway import content
from gateway.domain import charts
from gateway.domain.reports import REPORTS, Row, Table

SVG = "{http://www.w3.org/2000/svg}"
TABLE = Table("attendance", "unit", "SV", "2026-01", [
    Row("SV-01", [1200, 30, 0, 5], 1235), Row("SV-02 <x>", [None, 70, None, 0], 90), Row("SV-03", [0, 0, 0, 0], 0)], None, 5)  # fmt: skip


def channel(part: str) -> float:
    value = int(part, 16) / 255
    return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    red, green, blue = (channel(colour[n : n + 2]) for n in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_figures_can_be_read_on_every_colour() -> None:
    assert len(set(charts.COLOURS)) == len(charts.COLOURS) >= max(len(report.columns) for report in REPORTS.values())
    assert [colour for colour in charts.COLOURS if 1.05 / (luminance(colour) + 0.05) < 4.5] == []


def test_it_says_its_title_and_what_it_shows() -> None:
    root = ElementTree.fromstring(charts.draw(TABLE, str, "a"))
    assert root.get("role") == "img" and root.get("aria-labelledby") == "a-title a-about"
    assert root.find(f"{SVG}title").text == "Appointments: who came: SV, 2026-01"
    assert "fewer than 5" in root.find(f"{SVG}desc").text


def test_every_figure_stands_in_it_and_what_is_hidden_does_not() -> None:
    drawn = charts.draw(TABLE, str)
    told = [each.text for each in ElementTree.fromstring(drawn).iter(f"{SVG}title")]
    assert "SV-01: attended 1\u202f200" in told and "SV-02 <x>: attended, cancelled: hidden" in told and "SV-02 <x>: missed 70" in told
    assert "<x>" not in drawn


def test_it_needs_no_other_file_and_no_exception_from_the_policy_of_the_page() -> None:
    drawn = charts.draw(TABLE, str)
    assert not re.search(r"style=|<script|<image|on\w+=|href", drawn)
    assert set(re.findall(r"https?://[^\"]+", drawn)) == {"http://www.w3.org/2000/svg"}


def test_bars_stay_within_the_picture() -> None:
    for rect in ElementTree.fromstring(charts.draw(TABLE, str)).iter(f"{SVG}rect"):
        if rect.get("x") is not None:
            assert float(rect.get("x")) + float(rect.get("width")) <= charts.WIDTH


@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("language", ["en", "vi", "fr"])
def test_every_report_is_drawn_in_every_language(name: str, language: str) -> None:
    words = content.load().translations.get(language, {})
    columns = len(REPORTS[name].columns)
    drawn = charts.draw(Table(name, "month", "SV", "x", [Row("2026-01", [7] * columns, 7)], None, 5), lambda text: words.get(text) or text)
    ElementTree.fromstring(drawn)
    assert language == "en" or REPORTS[name].title not in drawn


def test_an_empty_table_is_drawn_too() -> None:
    ElementTree.fromstring(charts.draw(Table("replies", "unit", "SV", "2026-01", [], None, 5), str))


@pytest.mark.parametrize("rows", [[], [Row("SV-01", [0, 0, 0, 0], 0), Row("SV-02", [0, 0, 0, 0], 0)]])
def test_where_there_is_nothing_it_says_so(rows: list[Row]) -> None:
    said = "There is nothing to draw: no figure is above 0."
    assert said in charts.draw(Table("attendance", "unit", "SV", "2026-01", rows, None, 5), str)
    assert said not in charts.draw(TABLE, str)


def test_what_is_hidden_is_not_nothing_and_a_row_of_zeros_beside_others_shows_a_zero() -> None:
    hidden = Table("attendance", "unit", "SV", "2026-01", [Row("SV-01", [None, 0, None, 0], 0)], None, 5)
    assert "There is nothing to draw: no figure is above 0." not in charts.draw(hidden, str)
    assert [each.text for each in ElementTree.fromstring(charts.draw(TABLE, str)).iter(f"{SVG}text")].count("0") == 1
